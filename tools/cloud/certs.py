"""A certificate authority for tests, and leaf certificates that are good or wrong in one way each.

Certificates are made at run time and never committed. The root stays in its folder and is reused, because a device was
given its certificate; every instance makes intermediates and leaves anew, so that none is out of date. No name exists
outside of the tests.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import ssl
import tempfile
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from tools.cloud import chains, issuing
from tools.cloud.chains import CHAINS, Key
from tools.cloud.issuing import Pair

GOOD_NAMES = ("api.realer.test", "mqtt.realer.test", "iot.realer.test", "localhost")
KINDS = ("good", "wrong_name", "expired", "not_yet_valid", "unknown_ca")


class TestCA:
    """The CA of one folder (created when missing), whose servers present one of the chains of `chains.CHAINS`.

    `pem` is the root's certificate for clients with OpenSSL, `der` the same for the device's `ca_files`, `certificate`
    its DER bytes. Each chain but the shortest has a folder of its own in there.
    """

    __test__ = False  # not a test class, whatever pytest makes of the name

    def __init__(self, folder: Path | str, chain: str = "p256") -> None:
        self.folder, self.chain = Path(folder), chain
        self._home = self.folder if chain == "p256" else self.folder / chain
        self._home.mkdir(parents=True, exist_ok=True)
        self.pem, self.der = self._home / "ca.pem", self._home / "ca.der"
        kept = self._home / "ca-with-key.pem"
        self._ca = _load(kept) or _keep(kept, _new_root(CHAINS[chain].root))
        self._issuer, self._between = _intermediates(self._ca, chain)
        self.certificate = self._ca[0].public_bytes(serialization.Encoding.DER)
        chains.write(self.der, self.certificate)
        chains.write(self.pem, self._ca[0].public_bytes(serialization.Encoding.PEM))

    def leaf(self, kind: str = "good") -> ssl.SSLContext:
        """Server side context (TLS 1.2 or newer) with a fresh leaf certificate of one of KINDS."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # No tickets: a client that resumes a session does not look at the certificate again.
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
        with tempfile.TemporaryDirectory(dir=self._home) as private:
            context.load_cert_chain(self.write_leaf(Path(private) / "leaf.pem", kind))
        return context

    def write_leaf(self, file: Path, kind: str = "good") -> Path:
        """A fresh leaf certificate, what lies between it and the root, and its key in one file that only its owner can
        read, for other programs."""
        leaf, key = self._issue(kind)
        between = () if kind == "unknown_ca" else self._between
        certificates = [each.public_bytes(serialization.Encoding.PEM) for each in (leaf, *between)]
        return chains.write(file, b"".join(certificates) + chains.pem(key))

    def client(self) -> ssl.SSLContext:
        """Client side context that trusts this CA and nothing else."""
        return ssl.create_default_context(cafile=str(self.pem))

    def _issue(self, kind: str) -> Pair:
        if kind not in KINDS:
            raise ValueError(f"unknown kind of certificate {kind!r}; one of {', '.join(KINDS)}")
        now = dt.datetime.now(dt.UTC)
        start, end = {"expired": (-30, -1), "not_yet_valid": (30, 60)}.get(kind, (-1, 30))
        names = ("api.other.test",) if kind == "wrong_name" else (*GOOD_NAMES, "127.0.0.1")
        issuer = _new_root("p256") if kind == "unknown_ca" else self._issuer
        key = chains.key(CHAINS[self.chain].leaf, "leaf")
        return issuing.leaf(issuer, key, names, now + start * issuing.DAY, now + end * issuing.DAY), key


def _new_root(kind: str) -> Pair:
    key, name = chains.key(kind, "root"), "Realer test CA, worthless outside tests"
    return issuing.authority(name, key, (None, key), 3650), key


def _intermediates(root: Pair, chain: str) -> tuple[Pair, tuple[x509.Certificate, ...]]:
    """Who signs the leaves, and what a server presents besides them, from the leaf upwards."""
    issuer = root
    certificates: list[x509.Certificate] = []
    for number, kind in enumerate(reversed(CHAINS[chain].between)):
        key = chains.key(kind, f"intermediate{number}")
        name = f"Realer test intermediate {number}"
        issuer = issuing.authority(name, key, issuer, 90, len(CHAINS[chain].between) - 1 - number), key
        certificates.insert(0, issuer[0])
    if CHAINS[chain].cross:
        key = chains.key("rsa2048", "old-root")
        old = issuing.authority("Realer test CA of old, trusted by nobody", key, (None, key), 3650), key
        own_name = root[0].subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        certificates.append(issuing.authority(str(own_name), root[1], old, 365))
    return issuer, tuple(certificates)


def _load(path: Path) -> Pair | None:
    """The pair in a file, None when there is none or it ends within 60 days."""
    if not path.exists():
        return None
    data = path.read_bytes()
    certificate = x509.load_pem_x509_certificate(data)
    key = chains.load(data)
    if certificate.not_valid_after_utc < dt.datetime.now(dt.UTC) + 60 * issuing.DAY:
        path.unlink(missing_ok=True)
        return None
    assert isinstance(key, Key)
    return certificate, key


def _keep(path: Path, pair: Pair) -> Pair:
    """Write a pair unless another process was faster; returns the pair that is in the file."""
    text = pair[0].public_bytes(serialization.Encoding.PEM) + chains.pem(pair[1])
    mine = chains.write(path.with_name(f"{path.name}.{os.getpid()}"), text)
    with contextlib.suppress(FileExistsError):
        path.hardlink_to(mine)
    mine.unlink()
    return _load(path) or pair
