"""An authority of one's own, for an update server: its root is good for 30 years.

A board that was off for a long time finds its cloud under another root. It can still reach the update server if
that one's certificate has an authority that does not change, and from there it gets the bundle with the new root.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tools import common
from tools.cloud.site import write_private

_ROOT_DAYS, _SERVER_DAYS = 365 * 30, 365 * 5
_EARLIER = dt.timedelta(days=1)  # for clocks that are a little slow


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
        authority = _root(key)
        write_private(kept, _pem(key) + authority.public_bytes(serialization.Encoding.PEM).decode())
    root.write_bytes(authority.public_bytes(serialization.Encoding.DER))
    own = ec.generate_private_key(ec.SECP256R1())
    leaf = _leaf(host, own, authority, key)
    server = folder / f"{host}.pem"
    write_private(server, leaf.public_bytes(serialization.Encoding.PEM).decode() + _pem(own))
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


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _builder(
    name: str, issuer: x509.Name | None, key: ec.EllipticCurvePrivateKey, days: int
) -> x509.CertificateBuilder:
    """`issuer` None: it signs itself."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + dt.timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _root(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
    builder = _builder("Own root for updates", None, key, _ROOT_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def _leaf(
    host: str, own: ec.EllipticCurvePrivateKey, authority: x509.Certificate, key: ec.EllipticCurvePrivateKey
) -> x509.Certificate:
    try:
        name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        name = x509.DNSName(host)
    above = x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key())
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    server = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    return (
        _builder(host, authority.subject, own, _SERVER_DAYS)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(server, critical=False)
        .add_extension(x509.SubjectAlternativeName([name]), critical=False)
        .add_extension(above, critical=False)
        .sign(key, hashes.SHA256())
    )
