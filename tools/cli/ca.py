"""`realer ca HOST[:PORT]`: find the root certificate a server's chain ends in, and write it for the device.

It chooses the one root the device needs, from `certifi` (Mozilla's list) or from a bundle of your own, and proves the
choice by a second connection that trusts nothing else. It writes only what verified: name, dates and chain, as the
device will check them.
"""

from __future__ import annotations

import argparse
import re
import socket
import ssl
import sys
from dataclasses import dataclass
from pathlib import Path

import certifi
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from tools import common
from tools.cli import check_config, own_authority, roots

TIMEOUT_S = 10
_SOON_DAYS = 365
_WRONG = {
    9: ("the certificate is not valid yet", "Compare this computer's clock with the time of day."),
    10: (
        "the certificate has expired",
        "The owner of the server has to renew it; or this computer's clock is wrong.",
    ),
    62: ("the certificate is for another name", "Use the name that the certificate is for: {names}."),
    64: ("the certificate is for another address", "Use the name that the certificate is for: {names}."),
}
"""OpenSSL's verify codes that say more than "unknown issuer" (openssl-verification-options(1))."""
_PRIVATE = """\
Its issuer is {issuer}. If that is an authority of your own, name its root: --bundle root.pem
If it is a public one, the server may not send its intermediate certificate, which only its owner can correct."""


@dataclass(frozen=True)
class Root:
    """A root certificate that a server's chain was verified with."""

    certificate: x509.Certificate

    @property
    def name(self) -> str:
        return roots.name_of(self.certificate.subject)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def file(self) -> str:
        """A file name for it: letters, digits and dashes."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")[:40] + ".der"

    @property
    def key(self) -> str:
        key = self.certificate.public_key()
        if isinstance(key, rsa.RSAPublicKey):
            return f"RSA {key.key_size}"
        return f"ECDSA {key.curve.name}" if isinstance(key, ec.EllipticCurvePublicKey) else type(key).__name__


def root_of(host: str, port: int = 443, bundle: Path | None = None) -> Root:
    """The root that `host:port` verifies with, out of `bundle` (PEM or DER; default: certifi). Raises Failed."""
    known = _load(bundle or Path(certifi.where()))
    der = _verify(host, port, known)[-1]
    _verify(host, port, der)
    return Root(x509.load_der_x509_certificate(der))


def write(root: Root, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / root.file
    file.write_bytes(root.der)
    return file


def _load(bundle: Path) -> str | bytes:
    """The certificates of a file, PEM or DER. Raises Failed."""
    try:
        data = bundle.read_bytes()
        known = data.decode() if b"-----BEGIN" in data else data
        ssl.create_default_context(cadata=known)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        reason = (
            "no certificates in PEM or DER form"
            if isinstance(error, ssl.SSLError | ValueError)
            else error.strerror
        )
        raise common.Failed(f"{bundle}: {reason}") from None
    return known


def _verify(host: str, port: int, known: str | bytes) -> list[bytes]:
    """The chain, leaf first, as it was verified: DER. Raises Failed."""
    context = ssl.create_default_context(cadata=known)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    where = f"{host}:{port}"
    try:
        with (
            socket.create_connection((host, port), TIMEOUT_S) as plain,
            context.wrap_socket(plain, server_hostname=host) as secured,
        ):
            return _chain(secured)
    except ssl.SSLCertVerificationError as error:
        raise _refused(where, error, _presented(host, port)) from None
    except ssl.SSLError as error:
        raise common.Failed(
            f"{where} does not speak TLS 1.2 or newer: {error.reason or error}", "Is this the right port?"
        ) from None
    except socket.gaierror:
        raise common.Failed(
            f"{host}: no such name", "Check the spelling, and that this computer is online."
        ) from None
    except OSError as error:
        raise common.Failed(
            f"{where} cannot be reached: {error.strerror or error}",
            "Check the port, and whether a firewall blocks it.",
        ) from None


def _chain(secured: ssl.SSLSocket) -> list[bytes]:
    if sys.version_info >= (3, 13):
        return list(secured.get_verified_chain())
    # The same since 3.10, before it had a public name.
    chain = secured._sslobj.get_verified_chain()  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in chain]


def _presented(host: str, port: int) -> x509.Certificate:
    """The server's own certificate, unverified: only to say what is wrong with it."""
    return x509.load_pem_x509_certificate(
        ssl.get_server_certificate((host, port), timeout=TIMEOUT_S).encode()
    )


def _refused(where: str, error: ssl.SSLCertVerificationError, leaf: x509.Certificate) -> common.Failed:
    what, do = _WRONG.get(error.verify_code, ("the chain ends in no known root", _PRIVATE))
    dates = f"{leaf.not_valid_before_utc:%Y-%m-%d} to {leaf.not_valid_after_utc:%Y-%m-%d}"
    return common.Failed(
        f"{where}: {what} ({roots.name_of(leaf.subject)}, {dates})",
        do.format(issuer=roots.name_of(leaf.issuer), names=", ".join(_names(leaf)) or "none"),
    )


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.DNSName) + [
        str(ip) for ip in names.get_values_for_type(x509.IPAddress)
    ]


def address(text: str) -> tuple[str, int]:
    """`HOST[:PORT]` or an https address, as argparse wants a type."""
    host, _, port = re.sub(r"^(https|mqtts)://", "", text).rstrip("/").partition(":")
    if not host or "/" in host or not (port or "443").isdecimal() or not 0 < int(port or 443) < 65536:
        missing = "the server is missing, as in: realer ca api.therealer.com"
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST or HOST:PORT" if text else missing)
    return host, int(port or 443)


def main(argv: list[str] | None = None) -> int:
    parser = common.parser(
        "ca",
        "Find and write the root certificate the device needs for a server. Without a server: print when"
        " the roots of --config expire. Exit status then: 1 if one has less than 30 days left, otherwise 0.",
    )
    parser.add_argument(
        "server",
        type=address,
        nargs="?",
        metavar="HOST[:PORT]",
        help="as in cloud.base_url; default port 443",
    )
    parser.add_argument("--out", type=Path, default=Path("certs"), help="folder to write to (default: certs)")
    parser.add_argument(
        "--bundle", type=Path, help="roots to choose from, PEM or DER (default: Mozilla's, by certifi)"
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path("config.json"),
        help="whose roots are listed (default: config.json)",
    )
    parser.add_argument(
        "--own", action="store_true",
        help="make a certificate for HOST, and the authority behind it if --out has none: for an update server",
    )  # fmt: skip
    options = parser.parse_args(argv)
    if options.server is None:
        if options.own:
            parser.error("which server is it for? As in: realer ca --own updates.example.com")
        return _list(options.config)
    host, port = options.server
    if options.own:
        return _make_own(host, options.out)
    root = root_of(host, port, options.bundle)
    file = write(root, options.out)
    end = root.certificate.not_valid_after_utc
    left = roots.days_left(end)
    print(
        f"{host}:{port} verifies with {root.name} alone: {root.key}, valid until {end:%Y-%m-%d}, {left} days"
    )
    if left < _SOON_DAYS:
        print(
            "It expires within a year: ask the operator of the server for the next one, and add that to the device."
        )
    print(f"written: {file}, {len(root.der)} bytes")
    _tell(file)
    return 0


def _tell(file: Path) -> None:
    print(f'config.json, in "cloud":  "ca_files": ["{file.as_posix()}"]     (the path is that on the device)')


def _list(config: Path) -> int:
    """Say when each root of a configuration ends."""
    try:
        names = roots.listed(check_config.load(config))
        found = {name: (config.parent / name).read_bytes() for name in names}
        lines = list(roots.lines(found))
    except (OSError, ValueError) as error:
        raise common.Failed(str(error), f"See realer check_config {config}") from None
    if not lines:
        raise common.Failed(f"{config} names no root certificate", "Fetch it with: realer ca HOST")
    console = common.console()
    for text, left in lines:
        console.print(text, style=roots.style(left))
    if any(left < roots.SOON_DAYS for _, left in lines):
        console.print(f"Put {roots.NEXT}")
    return int(any(left < roots.NOW_DAYS for _, left in lines))


def _make_own(host: str, folder: Path) -> int:
    made = own_authority.make(host, folder)
    print(
        f"written: {made.server} (only you can read it): certificate and key of {host}, until {made.end:%Y-%m-%d}"
    )
    print(
        f"{made.key} (only you can read it) signs the next one: keep it off the server, and keep a copy of it"
    )
    _tell(made.root)
    return 0
