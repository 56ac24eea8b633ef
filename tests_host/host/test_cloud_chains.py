"""The chains that the simulated servers present: what lies in them. Clients that have the root alone are in
e2e/test_board_memory.py and test_cloud_server.py.
"""

import multiprocessing
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tools.cloud import chains
from tools.cloud.certs import TestCA
from tools.cloud.chains import CHAINS

KINDS = {
    "p256": ["p256"],
    "p256-p384": ["p256", "p384"],
    "p256-p384-rsa4096": ["p256", "p384"],
    "rsa2048": ["rsa2048", "rsa2048"],
    "rsa2048-cross": ["rsa2048", "rsa2048", "rsa4096"],
}
"""Keys of what a server sends, from the leaf upwards."""


def kind(certificate):
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f"rsa{key.key_size}"
    assert isinstance(key, ec.EllipticCurvePublicKey)
    return f"p{key.curve.key_size}"


def presented(ca, folder, what="good"):
    return x509.load_pem_x509_certificates(ca.write_leaf(folder / "leaf.pem", what).read_bytes())


@pytest.fixture(params=CHAINS)
def ca(request, tmp_path):
    return TestCA(tmp_path, request.param)


def test_a_server_presents_the_chain_without_its_root(ca, tmp_path):
    sent = presented(ca, tmp_path)
    assert [kind(certificate) for certificate in sent] == KINDS[ca.chain]
    root = x509.load_der_x509_certificate(ca.certificate)
    assert kind(root) == CHAINS[ca.chain].root and root.issuer == root.subject
    assert root not in sent
    path = sent[:-1] if CHAINS[ca.chain].cross else sent
    for below, above in zip(path, [*path[1:], root], strict=True):
        below.verify_directly_issued_by(above)


def test_the_cross_certificate_is_the_root_signed_by_a_stranger(tmp_path):
    ca = TestCA(tmp_path, "rsa2048-cross")
    cross, root = presented(ca, tmp_path)[-1], x509.load_der_x509_certificate(ca.certificate)
    assert (cross.subject, cross.public_key()) == (root.subject, root.public_key())
    assert cross.issuer != root.subject


def modulus(folder):
    chains.KEYS = folder
    return chains.key("rsa2048", "leaf").private_numbers().p


def test_processes_that_start_together_make_one_key(tmp_path):
    folder = tmp_path / "keys"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(modulus, [folder] * 4))) == 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert sorted(file.name for file in folder.iterdir()) == [".lock", "rsa2048-leaf.pem"]
