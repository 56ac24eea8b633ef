"""A certificate authority for tests, and leaf certificates that are good or wrong in one way each.

Owns key and certificate generation at run time: nothing here is ever committed. The CA lives in its folder and is
reused (a device was given its certificate); leaves are made anew by every instance, so none is ever stale.
ECDSA P-256 with SHA-256 throughout, because every TLS stack of the device knows it. Refuses real-world names.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

GOOD_NAMES = ("api.realer.test", "mqtt.realer.test", "iot.realer.test", "localhost")
KINDS = ("good", "wrong_name", "expired", "not_yet_valid", "unknown_ca")
_DAY = dt.timedelta(days=1)


class TestCA:
    """The CA of one folder (created when missing).

    `pem` is the CA certificate for clients with OpenSSL, `der` the same for the device's `ca_files`, `certificate`
    its DER bytes.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.pem, self.der = self.folder / "ca.pem", self.folder / "ca.der"
        self._ca = _load(self.folder / "ca-with-key.pem") or _keep(self.folder / "ca-with-key.pem", _new_ca())
        self.certificate = self._ca[0].public_bytes(serialization.Encoding.DER)
        _write(self.der, self.certificate)
        _write(self.pem, self._ca[0].public_bytes(serialization.Encoding.PEM))

    def leaf(self, kind: str = "good") -> ssl.SSLContext:
        """Server side context (TLS 1.2 or newer) with a fresh leaf certificate of one of KINDS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # No tickets: a client that resumes a session does not look at the certificate again.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        with tempfile.TemporaryDirectory(dir=self.folder) as private:
            context.load_cert_chain(self.write_leaf(Path(private) / "leaf.pem", kind))
        return context

    def write_leaf(self, file: Path, kind: str = "good") -> Path:
        """A fresh leaf certificate and its key in one file that only its owner can read, for other programs."""
        return _write(file, _pem(self._issue(kind)))

    def client(self) -> ssl.SSLContext:
        """Client side context that trusts this CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.pem))

    def _issue(self, kind: str) -> _Pair:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of certificate {kind!r}; one of {', '.join(KINDS)}")
        now = dt.datetime.now(dt.UTC)
        start, end = {"expired": (-30, -1), "not_yet_valid": (30, 60)}.get(kind, (-1, 30))
        names = ("api.other.test",) if kind == "wrong_name" else GOOD_NAMES
        issuer = _new_ca() if kind == "unknown_ca" else self._ca
        return _new_leaf(issuer, names, now + start * _DAY, now + end * _DAY)


_Pair = tuple[x509.Certificate, ec.EllipticCurvePrivateKey]


def _new_ca() -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("Realer test CA, worthless outside tests")
    now = dt.datetime.now(dt.UTC)
    usage = {"key_cert_sign": True, "crl_sign": True}
    builder = (
        _builder(name, name, key, now - _DAY, now + 3650 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(**usage), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def _new_leaf(issuer: _Pair, names: tuple[str, ...], start: dt.datetime, end: dt.datetime) -> _Pair:
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in names]
    if names == GOOD_NAMES:
        alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
    builder = (
        _builder(_name(names[0]), issuer[0].subject, key, start, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(authority, critical=False)
    )
    return builder.sign(issuer[1], hashes.SHA256()), key


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    start: dt.datetime,
    end: dt.datetime,
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    return builder.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(**on: bool) -> x509.KeyUsage:
    bits = (
        "digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
        "key_cert_sign", "crl_sign", "encipher_only", "decipher_only",
    )  # fmt: skip
    return x509.KeyUsage(**{bit: on.get(bit, False) for bit in bits})


def _pem(pair: _Pair) -> bytes:
    key = pair[1].private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pair[0].public_bytes(serialization.Encoding.PEM) + key


def _load(path: Path) -> _Pair | None:
    """The pair in a file, None when there is none or it ends within 60 days."""
    if not path.exists():
        return None
    data = path.read_bytes()
    certificate = x509.load_pem_x509_certificate(data)
    key = serialization.load_pem_private_key(data, None)
    if certificate.not_valid_after_utc < dt.datetime.now(dt.UTC) + 60 * _DAY:
        path.unlink(missing_ok=True)
        return None
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return certificate, key


def _keep(path: Path, pair: _Pair) -> _Pair:
    """Write a pair unless another process was faster; returns the pair that is in the file."""
    mine = _write(path.with_name(f"{path.name}.{os.getpid()}"), _pem(pair))
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(mine)
    mine.unlink()
    return _load(path) or pair


def _write(path: Path, data: bytes) -> Path:
    """Write a whole file at once, readable by its owner only."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    return Path(file.name).replace(path)
