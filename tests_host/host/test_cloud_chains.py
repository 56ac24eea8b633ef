"""The chains that the simulated servers present: what lies in them, and who accepts them with the root alone."""

import asyncio
import multiprocessing
import ssl
import stat

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tools.cloud import chains
from tools.cloud.certs import GOOD_NAMES, TestCA
from tools.cloud.chains import CHAINS
from tools.cloud.site import USUAL, Site

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


async def shake_hands(server_context, client_context):
    """The certificates' way through a real handshake; raises what the client raises."""
    seen = []

    async def greet(reader, writer):
        writer.write(b"hello")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=server_context)
    async with server:
        port = server.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client_context, server_hostname=GOOD_NAMES[0]
        )
        seen.append(await reader.read())
        writer.close()
    return seen


async def test_openssl_accepts_it_with_the_root_alone(ca):
    assert await shake_hands(ca.leaf(), ca.client()) == [b"hello"]


@pytest.mark.parametrize("wrong", ["wrong_name", "expired", "not_yet_valid", "unknown_ca"])
@pytest.mark.parametrize("ca", ["rsa2048"], indirect=True)
async def test_a_bad_leaf_is_refused_with_every_chain(ca, wrong):
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(ca.leaf(wrong), ca.client())


async def test_another_chain_has_another_root(tmp_path):
    one, other = TestCA(tmp_path, "p256"), TestCA(tmp_path, "p256-p384")
    assert one.der != other.der and one.certificate != other.certificate
    with pytest.raises(ssl.SSLCertVerificationError):
        await shake_hands(one.leaf(), other.client())


def test_the_root_is_kept(ca):
    assert TestCA(ca.folder, ca.chain).certificate == ca.certificate == ca.der.read_bytes()


def test_an_unknown_chain_is_refused(tmp_path):
    with pytest.raises(KeyError):
        TestCA(tmp_path, "p512")


def test_a_site_presents_the_usual_chain():
    assert Site(connection_file=None).certs.chain == USUAL == "rsa2048"


def modulus(folder):
    chains.KEYS = folder
    return chains.key("rsa2048", "leaf").private_numbers().p


def test_processes_that_start_together_make_one_key(tmp_path):
    folder = tmp_path / "keys"
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert len(set(pool.map(modulus, [folder] * 4))) == 1
    assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
    assert sorted(file.name for file in folder.iterdir()) == [".lock", "rsa2048-leaf.pem"]


def test_short_keys_are_new_each_time(tmp_path, monkeypatch):
    monkeypatch.setattr(chains, "KEYS", tmp_path / "none")
    assert chains.key("p256", "leaf").private_numbers() != chains.key("p256", "leaf").private_numbers()
    assert not chains.KEYS.exists()
