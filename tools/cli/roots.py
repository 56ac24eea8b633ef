"""Root certificates of a device: the files that a configuration names, and when each ends.

A device trusts these and nothing else. When the last one that is good for its cloud has ended, or the cloud has moved
to another, it is not reached any more: so every command that sees one says in time how long it is good for.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.x509.oid import NameOID

from tools import common

SOON_DAYS, NOW_DAYS = 180, 30
"""How long before its end a root is worth a warning, and when there is no time left to put the next one on devices."""
NEXT = "the next root beside it, in a signed bundle: docs/fleet-provisioning.md, Root certificates"


def listed(raw: Any) -> list[str]:
    """The certificate files named in a configuration, which may still be wrong in any way."""
    cloud = raw.get("cloud") if isinstance(raw, dict) else None
    names = cloud.get("ca_files") if isinstance(cloud, dict) else None
    return (
        [name for name in names if isinstance(name, str) and "\0" not in name]
        if isinstance(names, list)
        else []
    )


def parsed(data: bytes) -> x509.Certificate:
    """The certificate in DER form. ValueError says what is wrong with it."""
    if b"-----BEGIN" in data:
        raise ValueError("PEM text")
    try:
        return x509.load_der_x509_certificate(data)
    except ValueError:
        raise ValueError("no certificate") from None


def name_of(name: x509.Name) -> str:
    """What people call the owner of a certificate."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME) or name.get_attributes_for_oid(
        NameOID.ORGANIZATIONAL_UNIT_NAME
    )
    return str(found[0].value) if found else name.rfc4514_string() or "no name"


def days_left(end: dt.datetime, now: dt.datetime | None = None) -> int:
    """Whole days until `end`, negative when it is over."""
    return (end - (now or dt.datetime.now(dt.UTC))).days


def until(end: dt.datetime, now: dt.datetime | None = None) -> str:
    """When a certificate ends, as a text."""
    left = days_left(end, now)
    return (
        f"ended on {end:%Y-%m-%d}" if left < 0 else f"ends on {end:%Y-%m-%d}, in {common.count(left, 'day')}"
    )


def style(left: int) -> str:
    """How a terminal shows so many days that are left."""
    return "red" if left < NOW_DAYS else "yellow" if left < SOON_DAYS else ""


def of_config(config: Path, raw: Any) -> dict[str, bytes]:
    """The roots that a configuration names, by file name: DER. Raises Failed for one that no device should get."""
    found: dict[str, bytes] = {}
    for name in listed(raw):
        file = config.parent / name
        try:
            data = file.read_bytes()
            end = parsed(data).not_valid_after_utc
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise common.Failed(f"{file}: {reason}", "Fetch it with: realer ca HOST") from None
        if days_left(end) < 0:
            raise common.Failed(f"{file}: {until(end)}", f"Take it out of cloud.ca_files of {config}.")
        if file.name in found:
            raise common.Failed(f"{config}: two files are called {file.name}", "Rename one of them.")
        found[file.name] = data
    return found


def lines(certificates: Mapping[str, bytes]) -> Iterable[tuple[str, int]]:
    """A line about each, and how many days it has left. `certificates`: DER by name."""
    for name, data in certificates.items():
        certificate = parsed(data)
        end = certificate.not_valid_after_utc
        yield f"{name}: {name_of(certificate.subject)}, {until(end)}", days_left(end)
