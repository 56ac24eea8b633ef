"""An authority of one's own, for an update server: its root is good for 30 years.

A board that was off for a long time finds its cloud under another root. It can still reach the update server if
that one's certificate has an authority that does not change, and from there it gets the bundle with the new root.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tools import common
from tools.cloud import chains, issuing
from tools.cloud.site import write_private

_ROOT_DAYS, _SERVER_DAYS = 365 * 30, 365 * 5


@dataclass(frozen=True)
class Made:
    """Where things are: the root for devices, its key, certificate and key of the server; and the end of the latter."""

    root: Path
    key: Path
    server: Path
    end: dt.datetime


def make(host: str, folder: Path) -> Made:
    """Write a fresh certificate for `host`, and the authority if the folder has none. Raises Failed."""
    root, kept = folder / "own-root.der", folder / "own-root.key.pem"
    folder.mkdir(parents=True, exist_ok=True)
    if kept.exists():
        authority, key = _load(kept)
    else:
        key = ec.generate_private_key(ec.SECP256R1())
        authority = issuing.authority("Own root for updates", key, (None, key), _ROOT_DAYS, depth=0)
        write_private(kept, (chains.pem(key) + authority.public_bytes(serialization.Encoding.PEM)).decode())
    root.write_bytes(authority.public_bytes(serialization.Encoding.DER))
    own = ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    leaf = issuing.leaf((authority, key), own, [host], now - issuing.DAY, now + _SERVER_DAYS * issuing.DAY)
    server = folder / f"{host}.pem"
    write_private(server, (leaf.public_bytes(serialization.Encoding.PEM) + chains.pem(own)).decode())
    return Made(root, kept, server, leaf.not_valid_after_utc)


def _load(file: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    try:
        data = file.read_bytes()
        key = serialization.load_pem_private_key(data, None)
        authority = x509.load_pem_x509_certificate(data)
    except (OSError, ValueError) as error:
        raise common.Failed(f"{file}: {error}", "It must have the key and the root certificate.") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise common.Failed(f"{file}: not an elliptic-curve key")
    return authority, key
