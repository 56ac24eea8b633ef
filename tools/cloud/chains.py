"""The chains of certificates that public servers present, as kinds of keys, and where those keys come from.

RSA keys take seconds to make: each is made once for this machine and kept. No real device trusts what they sign.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tools.repository import ROOT

KEYS = ROOT / ".cache" / "certs" / "keys"
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
_CURVES = {"p256": ec.SECP256R1, "p384": ec.SECP384R1}


@dataclass(frozen=True)
class Chain:
    """Kinds of keys, "p256", "p384", "rsa2048" or "rsa4096": of the leaf, of the intermediates from the leaf upwards,
    and of the root, which only the device has. `cross`: the server presents the root's name and key once more, signed
    by an older root that nobody here trusts."""

    leaf: str
    between: tuple[str, ...]
    root: str
    cross: bool = False


CHAINS = {
    "p256": Chain("p256", (), "p256"),
    "p256-p384": Chain("p256", ("p384",), "p384"),
    "p256-p384-rsa4096": Chain("p256", ("p384",), "rsa4096"),
    "rsa2048": Chain("rsa2048", ("rsa2048",), "rsa4096"),
    "rsa2048-cross": Chain("rsa2048", ("rsa2048",), "rsa4096", cross=True),
}
"""By name, from the shortest to the longest; `tools/virtual_board/memory.py` knows what each costs a chip."""


def key(kind: str, role: str) -> Key:
    """A key of that kind: a new one, or where that takes long the one that is kept for `role`."""
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind]())
    path = KEYS / f"{kind}-{role}.pem"
    if not path.exists():
        with _locked(KEYS):
            if not path.exists():
                write(path, pem(rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))))
    made = load(path.read_bytes())
    assert isinstance(made, rsa.RSAPrivateKey)
    return made


def load(data: bytes) -> PrivateKeyTypes:
    """A key that was made here. Whether its primes are prime, which takes half a second for a chain, is not asked."""
    return serialization.load_pem_private_key(data, None, unsafe_skip_rsa_key_validation=True)


def digest(of: Key) -> hashes.SHA256 | hashes.SHA384:
    """What goes with a key's signatures."""
    large = isinstance(of, ec.EllipticCurvePrivateKey) and of.curve.name == "secp384r1"
    return hashes.SHA384() if large else hashes.SHA256()


def pem(of: Key) -> bytes:
    return of.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def write(path: Path, data: bytes) -> Path:
    """Write a whole file at once, readable by its owner only."""
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(data)
    return Path(file.name).replace(path)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold a folder, created when missing, against other processes that would make the same."""
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
