"""Issues certificates: of authorities, and of servers."""

from __future__ import annotations

import datetime as dt
import ipaddress
from collections.abc import Iterable

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tools.cloud import chains
from tools.cloud.chains import Key

DAY = dt.timedelta(days=1)
Pair = tuple[x509.Certificate, Key]
"""A certificate and its key."""


def authority(
    name: str, key: Key, issuer: tuple[x509.Certificate | None, Key], days: int, depth: int | None = None
) -> x509.Certificate:
    """Valid since yesterday, for clocks that are slow. `issuer` without a certificate: it signs itself. `depth`:
    how many authorities may follow below; None: any."""
    subject, now = _name(name), dt.datetime.now(dt.UTC)
    above = issuer[0].subject if issuer[0] else subject
    builder = (
        _builder(subject, above, issuer[1], key, now - DAY, now + days * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=depth), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return builder.sign(issuer[1], chains.digest(issuer[1]))


def leaf(
    issuer: Pair, key: Key, names: Iterable[str], start: dt.datetime, end: dt.datetime
) -> x509.Certificate:
    """Of a server with these names, some of which may be addresses."""
    alternatives = [_alternative(name) for name in names]
    builder = (
        _builder(_name(str(alternatives[0].value)), issuer[0].subject, issuer[1], key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    )
    return builder.sign(issuer[1], chains.digest(issuer[1]))


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, signing: Key, key: Key, start: dt.datetime, end: dt.datetime
) -> x509.CertificateBuilder:
    own, above = key.public_key(), signing.public_key()
    return (
        x509.CertificateBuilder(issuer, subject, own, x509.random_serial_number(), start, end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(own), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(above), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _usage(**on: bool) -> x509.KeyUsage:
    bits = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{bit: on.get(bit, False) for bit in bits})
