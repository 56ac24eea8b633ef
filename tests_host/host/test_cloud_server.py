"""The cloud on real sockets: HTTPS with a verifying client, certificates that must be refused, faults as bytes."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from cryptography import x509

from tests_host.support.cloudclient import basic, reading
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import demo_device
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.server import CloudServer

FORM = {"Authorization": basic(), "Content-Type": "application/x-www-form-urlencoded"}
LOGIN = (
    b"POST /oauth/token HTTP/1.1\r\nHost: localhost\r\nAuthorization: " + basic().encode() + b"\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"
)


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("certs"))


@contextlib.asynccontextmanager
async def serving(ca: TestCA, *rules: str) -> AsyncIterator[CloudServer]:
    model, faults = Model(), Faults()
    model.add_device(demo_device())
    for rule in rules:
        faults.add(rule)
    server = CloudServer(model, faults, ca)
    await server.start()
    try:
        async with asyncio.timeout(20):
            yield server
    finally:
        await server.stop()


@contextlib.asynccontextmanager
async def connected(server: CloudServer) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("localhost", server.port, ssl=server.certs.client())
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def serves(server: CloudServer):
    async with connected(server) as (reader, writer):
        writer.write(LOGIN)
        assert (await reader.readline()).endswith(b"200 OK\r\n")


async def test_a_session_over_one_verified_connection(ca):
    async with serving(ca) as server:
        connector = aiohttp.TCPConnector(ssl=ca.client())
        async with aiohttp.ClientSession(f"https://localhost:{server.port}", connector=connector) as client:
            async with client.post(
                "/oauth/token", headers=FORM, data=b"grant_type=client_credentials"
            ) as response:
                assert response.status == 200
                token = (await response.json())["access_token"]
            bearer = {"Authorization": f"Bearer {token}"}
            async with client.get("/iot/v1/devices/12345/commands", headers=bearer) as response:
                assert [c["pin_port"] for c in (await response.json())["commands"]] == ["6", "9"]
            async with client.post(
                "/iot/v1/devices/12345/feed-data", headers=bearer, json=reading()
            ) as response:
                assert response.status == 201
        assert (server.hellos, server.handshakes, server.requests) == (1, 1, 3)
        assert server.model.violations == []
        assert len(server.model.feed(12345)) == 1
        assert server.base_url == f"https://api.realer.test:{server.port}"


@pytest.mark.parametrize("kind", ["wrong_name", "expired", "not_yet_valid", "unknown_ca"])
async def test_a_verifying_client_refuses(ca, kind):
    async with serving(ca) as server:
        server.present(kind)
        with pytest.raises(ssl.SSLCertVerificationError):
            async with connected(server):
                pass
        assert (server.hellos, server.handshakes, server.requests) == (1, 0, 0)
        server.present("good")
        await serves(server)


async def test_no_tls_below_1_2_and_no_plain_http(ca):
    async with serving(ca) as server:
        old = server.certs.client()
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection("localhost", server.port, ssl=old)
        reader, writer = await asyncio.open_connection("localhost", server.port)
        writer.write(LOGIN)
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in await reader.read()
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        assert (server.handshakes, server.requests) == (0, 0)


async def test_no_listener_and_back_on_the_same_port(ca):
    async with serving(ca) as server:
        port = server.port
        async with connected(server) as (reader, _):
            await server.down()
            with contextlib.suppress(ConnectionError):
                assert await reader.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)
        await server.up()
        assert server.port == port
        await serves(server)


async def test_fault_bytes_arrive_unchanged_and_keep_alive_continues(ca):
    async with serving(ca, "token chunked extra_1xx=2 times=1", "token status=503 times=1") as server:
        async with connected(server) as (reader, writer):
            writer.write(LOGIN)
            data = await reader.readuntil(b"0;last\r\nX-Checked: yes\r\n\r\n")
            assert data.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n")
            writer.write(LOGIN)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
        assert (server.handshakes, server.requests) == (1, 2)


async def test_cut_and_drop_end_the_connection(ca):
    async with serving(ca, "token cut=30 times=1", "token drop times=1") as server:
        for length in (30, 0):
            async with connected(server) as (reader, writer):
                writer.write(LOGIN)
                assert len(await reader.read()) == length
        assert len(server.model.named("token_issued")) == 2  # the requests took effect all the same


async def test_a_hanging_request_ends_with_its_client(ca):
    async with serving(ca, "token hang times=1") as server:
        seen = asyncio.Event()
        server.model.listeners.append(lambda _: seen.set())
        async with connected(server) as (_, writer):
            writer.write(LOGIN)
            await seen.wait()
        await serves(server)


async def test_an_endless_body_streams_until_the_client_leaves(ca):
    async with serving(ca, "token endless times=1") as server:
        async with connected(server) as (reader, writer):
            writer.write(LOGIN)
            assert len(await reader.readexactly(200_000)) == 200_000
        await serves(server)


def test_the_ca_is_kept_and_exported_as_der(tmp_path: Path):
    first, second = TestCA(tmp_path), TestCA(tmp_path)
    assert first.certificate == second.certificate == first.der.read_bytes()
    certificate = x509.load_der_x509_certificate(first.certificate)
    assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert certificate.public_key().curve.name == "secp256r1"


def test_key_files_are_for_their_owner_only(tmp_path: Path):
    TestCA(tmp_path).leaf()
    assert {file.stat().st_mode & 0o77 for file in tmp_path.iterdir()} == {0}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["ca-with-key.pem", "ca.der", "ca.pem"]
