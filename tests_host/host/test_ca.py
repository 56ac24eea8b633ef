"""`realer ca`: the right root out of many, and clear words for every way in which a server can be wrong."""

import datetime as dt
import json
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from tools.cli import ca, check_config, roots, update_bundle
from tools.cloud.certs import TestCA as Authority
from tools.common import Failed

ROOT = Path(__file__).parents[2]


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[int]:
    """A server on localhost that does no more than the handshake; without a context it speaks no TLS."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            try:
                with connection:
                    if context is None:
                        connection.sendall(b"220 hello\r\n" * 10)
                    else:
                        context.wrap_socket(connection, server_side=True).close()
            except OSError:
                pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "ca", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Path:
    """Many roots, among them one of the same name with another key."""
    folder = tmp_path_factory.mktemp("bundle")
    namesake = Authority(folder / "namesake")
    assert namesake.certificate != authority.certificate
    file = folder / "roots.pem"
    mozilla = Path(ca.certifi.where()).read_text()
    file.write_text(mozilla + namesake.pem.read_text() + authority.pem.read_text())
    return file


def test_the_right_root_is_found_and_written(authority: Authority, bundle: Path, tmp_path: Path):
    with serving(authority.leaf()) as port:
        done = run(f"localhost:{port}", "--bundle", bundle, "--out", tmp_path / "certs")
    assert (done.returncode, done.stderr) == (0, "")
    (file,) = (tmp_path / "certs").iterdir()
    assert file.read_bytes() == authority.certificate
    assert file.name == "realer-test-ca-worthless-outside-tests.der"
    assert f'"ca_files": ["{file}"]' in done.stdout
    assert "ECDSA secp256r1" in done.stdout and "valid until 20" in done.stdout


@pytest.mark.parametrize("form", ["pem", "der"])
def test_a_bundle_of_one(authority: Authority, form: str):
    with serving(authority.leaf()) as port:
        root = ca.root_of("127.0.0.1", port, getattr(authority, form))
    assert root.der == authority.certificate


@pytest.mark.gate("wrong_name", "not_yet_valid", "unknown_ca")
@pytest.mark.parametrize(
    ("kind", "what", "do"),
    [
        ("wrong_name", "for another name", "api.other.test"),
        ("expired", "has expired", "renew"),
        ("not_yet_valid", "not valid yet", "clock"),
        ("unknown_ca", "no known root", "Realer test CA"),
    ],
)
def test_a_certificate_that_the_device_would_refuse(
    authority: Authority, bundle: Path, tmp_path: Path, kind: str, what: str, do: str
):
    with serving(authority.leaf(kind)) as port:
        done = run(f"localhost:{port}", "--bundle", bundle, "--out", tmp_path / "certs")
    assert (done.returncode, done.stdout) == (1, "")
    assert what in done.stderr and do in done.stderr and "Traceback" not in done.stderr
    assert not (tmp_path / "certs").exists()


@pytest.mark.gate
def test_a_private_authority_needs_a_bundle_and_the_error_names_it(authority: Authority, tmp_path: Path):
    with serving(authority.leaf()) as port:
        done = run(f"localhost:{port}", "--out", tmp_path)
    assert done.returncode == 1
    assert "--bundle" in done.stderr and list(tmp_path.iterdir()) == []


def test_servers_that_are_not_there(tmp_path: Path):
    with serving(None) as port, pytest.raises(Failed, match="does not speak TLS") as failed:
        ca.root_of("localhost", port)
    assert "port" in failed.value.do
    with pytest.raises(Failed, match=rf"localhost:{port} cannot be reached"):
        ca.root_of("localhost", port)
    with pytest.raises(Failed, match=r"api\.realer\.invalid: no such name"):
        ca.root_of("api.realer.invalid")


def test_bundles_that_are_none(authority: Authority, tmp_path: Path):
    for name, content in (
        ("a.pem", b"-----BEGIN CERTIFICATE-----\n"),
        ("b.der", b"\x30\x03"),
        ("c", b"\xff"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(Failed, match="no certificates"):
            ca.root_of("localhost", 1, tmp_path / name)
    with pytest.raises(Failed, match="No such file"):
        ca.root_of("localhost", 1, tmp_path / "absent.pem")


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # of one old root, about which Mozilla decides
def test_roots_of_mozilla_have_names_and_keys_in_words():
    pems = Path(ca.certifi.where()).read_bytes()
    roots = [ca.Root(certificate) for certificate in x509.load_pem_x509_certificates(pems)]
    assert len(roots) > 100
    assert [root.name for root in roots if not root.file[:-4].replace("-", "").isalnum()] == []
    assert {root.key.split()[0] for root in roots} == {"RSA", "ECDSA"}


def test_a_chain_with_an_intermediate_ends_in_its_root(tmp_path: Path):
    root, middle, leaf = chain("Far Root", "Middle", "localhost")
    pem = serialization.Encoding.PEM
    keys = leaf[1].private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "leaf.pem").write_bytes(leaf[0].public_bytes(pem) + middle[0].public_bytes(pem) + keys)
    (tmp_path / "root.pem").write_bytes(root[0].public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "leaf.pem")
    with serving(context) as port:
        found = ca.root_of("localhost", port, tmp_path / "root.pem")
    assert (found.name, found.key, found.file) == ("Far Root", "RSA 2048", "far-root.der")


def chain(*names: str) -> list[tuple[x509.Certificate, rsa.RSAPrivateKey]]:
    made: list[tuple[x509.Certificate, rsa.RSAPrivateKey]] = []
    now = dt.datetime.now(dt.UTC)
    for place, name in enumerate(names):
        key = rsa.generate_private_key(65537, 2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer, signer = (made[-1][0].subject, made[-1][1]) if made else (subject, key)
        last = place == len(names) - 1
        usage = dict.fromkeys(
            ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
             "key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False,
        )  # fmt: skip
        usage |= {"digital_signature": True} if last else {"key_cert_sign": True}
        certificate = (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=not last, path_length=None), critical=True)
            .add_extension(x509.KeyUsage(**usage), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
            .add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name.replace(" ", "-"))]), critical=False
            )
            .sign(signer, hashes.SHA256())
        )
        made.append((certificate, key))
    return made


def root_ending_in(days: float, folder: Path) -> bytes:
    """A root certificate with so many days left, in DER form."""
    key, now = ec.generate_private_key(ec.SECP256R1()), dt.datetime.now(dt.UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"Root of {days} days")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=400))
        .not_valid_after(now + dt.timedelta(days=days, minutes=5))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.DER)


@pytest.mark.parametrize(
    ("days", "said", "status", "warns"),
    [
        (200, "in 200 days", 0, False),
        (179, "in 179 days", 0, True),
        (29, "in 29 days", 1, True),
        (-2, "ended on", 1, True),
    ],
)
def test_when_the_roots_of_a_configuration_end(tmp_path: Path, capsys, days, said, status, warns):
    for name, left in (("far.der", 3000), ("near.der", days)):
        (tmp_path / name).write_bytes(root_ending_in(left, tmp_path))
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"cloud": {"ca_files": ["far.der", "near.der"]}}))
    assert ca.main(["--config", str(config)]) == status
    far, near, *rest = capsys.readouterr().out.splitlines()
    assert "Root of 3000 days, ends on" in far and "in 3000 days" in far
    assert near.startswith(f"near.der: Root of {days} days, ") and said in near
    assert bool(rest) == warns
    raw = {"cloud": {"ca_files": ["far.der", "near.der"]}}
    if days < 0:
        with pytest.raises(Failed, match="ended on"):
            roots.of_config(config, raw)
    else:
        assert set(roots.of_config(config, raw)) == {"far.der", "near.der"}
    warned = [problem for problem in check_config.problems_of(config) if "near.der" in problem[2]]
    assert [problem[0] for problem in warned] == ["warning"] * warns


@pytest.mark.parametrize("content", [None, b"-----BEGIN CERTIFICATE-----", b"0\x82\1\0" + bytes(256), b""])
def test_no_device_gets_a_root_that_is_none(tmp_path: Path, content):
    if content is not None:
        (tmp_path / "a.der").write_bytes(content)
    with pytest.raises(Failed, match=r"a\.der"):
        roots.of_config(tmp_path / "config.json", {"cloud": {"ca_files": ["a.der"]}})
    config = tmp_path / "config.json"
    config.write_text(
        json.dumps({"update": {"key": "test-update-key-not-real"}, "cloud": {"ca_files": ["a.der"]}})
    )
    with pytest.raises(Failed, match=r"a\.der"):
        update_bundle.main(["7", "--config", str(config), "--out", str(tmp_path / "served")])
    assert not (tmp_path / "served").exists()


def test_an_authority_of_ones_own_for_the_server_of_updates(tmp_path: Path, capsys):
    """What it signs verifies with its root, and with nothing else; a second certificate has the same authority."""
    assert ca.main(["--own", "localhost", "--out", str(tmp_path)]) == 0
    root = (tmp_path / "own-root.der").read_bytes()
    assert roots.days_left(x509.load_der_x509_certificate(root).not_valid_after_utc) > 29 * 365
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "localhost.pem")
    with serving(context) as port:
        found = ca.root_of("localhost", port, tmp_path / "own-root.der")
        with pytest.raises(Failed, match="no known root"):
            ca.root_of("localhost", port)
    assert found.der == root
    for private in ("own-root.key.pem", "localhost.pem"):
        assert (tmp_path / private).stat().st_mode & 0o77 == 0
    first = (tmp_path / "localhost.pem").read_bytes()
    assert ca.main(["--own", "localhost", "--out", str(tmp_path)]) == 0
    assert (tmp_path / "own-root.der").read_bytes() == root and (
        tmp_path / "localhost.pem"
    ).read_bytes() != first
    assert "PRIVATE" not in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", ":443", "a:b", "a:0", "a:70000", "a/b", "https://"])
def test_wrong_usage(text: str):
    with pytest.raises(SystemExit) as ended:
        ca.main([text])
    assert ended.value.code == 2


def test_addresses():
    assert ca.address("api.therealer.com") == ("api.therealer.com", 443)
    assert ca.address("https://api.therealer.com/") == ("api.therealer.com", 443)
    assert ca.address("mqtts://mqtt.therealer.com:8883") == ("mqtt.therealer.com", 8883)
