"""The streams of `lib` on real sockets: MicroPython against TLS, TCP and UDP servers in this process."""

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tools.checks import portable
from tools.cloud.certs import TestCA
from tools.cloud.dns import DnsServer
from tools.cloud.ntp import NtpServer
from tools.env import interpreter

PROBE = portable.ROOT / "tests_host" / "support" / "net_probe.py"
HOST = "api.realer.test"
STALL_MS = 200
"""More than a busy machine makes of nothing, less than any of the deadlines below: the loop never waited inside."""
find = cache(interpreter.find)

Script = Callable[[socket.socket], None]


class Peer:
    """A TCP server that plays `script` on each connection, in a thread; over TLS when it has a `context`."""

    def __init__(self, script: Script, context: ssl.SSLContext | None = None) -> None:
        self._script, self._context = script, context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.accepted = 0
        self.received = bytearray()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.accepted += 1
                threading.Thread(target=self._play, args=(connection,), daemon=True).start()

    def _play(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        with connection, contextlib.suppress(OSError):
            if self._context is None:
                self._script(connection)
                return
            with self._context.wrap_socket(connection, server_side=True) as secured:
                self._script(secured)

    def close(self) -> None:
        self._listener.close()

    def receive(self, connection: socket.socket) -> tuple[bytes, bytes]:
        """One request: its head and what came of its body so far. ConnectionError at the end of the stream."""
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(4096)
            if not piece:
                raise ConnectionError
            data += piece
            self.received += piece
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body


def answer(body: bytes) -> bytes:
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> TestCA:
    return TestCA(tmp_path_factory.mktemp("ca"))


@pytest.fixture
def peers() -> Iterator[Callable[..., Peer]]:
    """Makes peers, and closes them in the end. `script` gets the peer and the connection."""
    made: list[Peer] = []

    def make(script: Callable[[Peer, Any], None], context: ssl.SSLContext | None = None) -> Peer:
        made.append(Peer(lambda connection: script(peer, connection), context))
        peer = made[-1]
        return peer

    yield make
    for peer in made:
        peer.close()


class Device:
    """Starts a MicroPython that does one job and returns what it saw."""

    def __init__(self, python: interpreter.Interpreter, folder: Path, ca: TestCA) -> None:
        self._python, self._folder, self._ca = python, folder, ca

    def __call__(self, do: str, port: int = 0, **job: Any) -> dict[str, Any]:
        file = self._folder / "job.json"
        defaults = {"do": do, "port": port, "host": HOST, "ca": str(self._ca.der)}
        file.write_text(json.dumps(defaults | job))
        argv = [*self._python.argv, str(PROBE), str(portable.ROOT), str(file)]
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "not-real" not in done.stdout + done.stderr
        seen = json.loads(done.stdout)
        assert seen["leaked"] == 0, seen
        return seen


@pytest.fixture(params=portable.word_sizes(), ids=lambda bits: f"{bits}-bit")
def device(request: pytest.FixtureRequest, tmp_path: Path, ca: TestCA) -> Device:
    return Device(find(request.param), tmp_path, ca)


def serve_forever(peer: Peer, connection: socket.socket) -> None:
    while True:
        peer.receive(connection)
        connection.sendall(answer(b"hello"))


def test_verified_connection_is_used_again(device: Device, peers: Callable[..., Peer], ca: TestCA):
    peer = peers(serve_forever, ca.leaf("good"))
    seen = device("get", peer.port, times=5)
    assert seen["result"] == {"answers": [[5, zlib.crc32(b"hello")]] * 5, "dials": 1}
    assert peer.accepted == 1


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("unknown_ca", "not correctly signed by the trusted CA"),
        ("wrong_name", "does not match with the expected CN"),
        ("expired", "validity has expired"),
        ("not_yet_valid", "validity starts in the future"),
    ],
)
def test_wrong_certificate(device: Device, peers: Callable[..., Peer], ca: TestCA, kind: str, words: str):
    peer = peers(serve_forever, ca.leaf(kind))
    seen = device("get", peer.port)
    assert seen["kind"] == "tls"
    assert words in seen["detail"]
    assert "\n" not in seen["detail"]
    assert peer.accepted == 1
    assert not peer.received


def test_verification_cannot_be_turned_off(device: Device, peers: Callable[..., Peer], ca: TestCA):
    peer = peers(serve_forever, ca.leaf("unknown_ca"))
    seen = device("unverified", peer.port)
    assert (seen["kind"], seen["detail"]) == ("tls", "no verifying context")
    assert not peer.received


def test_no_context_without_a_ca(device: Device):
    assert device("bad_ca")["result"]["said"] == ["invalid cert", "invalid cert"]
    assert device("get", 1, ca=None)["kind"] == "connect"  # nothing listens there, and that comes first


def test_plain_connection(device: Device, peers: Callable[..., Peer]):
    peer = peers(lambda peer, connection: connection.sendall(connection.recv(100).upper()))
    assert device("plain", peer.port)["result"] == {"sizes": [5, 0], "text": "PING\n", "undelayed": 1}


def test_dialer_without_context_makes_no_tls(device: Device, peers: Callable[..., Peer]):
    peer = peers(serve_forever)
    assert device("get", peer.port, ca=None)["kind"] == "tls"
    assert not peer.received


def test_refused(device: Device):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    seen = device("get", port)
    assert (seen["kind"], seen["detail"]) == ("connect", "ECONNREFUSED")
    assert seen["took_ms"] < 5000


@pytest.mark.parametrize("rotates", [False, True], ids=["", "rotated"])
def test_next_dial_tries_the_next_address(
    device: Device, peers: Callable[..., Peer], ca: TestCA, rotates: bool
):
    """Also where the name server rotates the addresses, so that their order is in step with the tries."""
    port = peers(serve_forever, ca.leaf("good")).port
    for addresses in (["127.0.0.2", "127.0.0.1"], ["127.0.0.1", "127.0.0.2"]):
        seen = device("second_address", port, addresses=addresses, rotates=rotates)["result"]
        assert len(seen["kinds"]) < 2, addresses
        assert seen["forgotten"] == [HOST] * len(seen["kinds"]) and set(seen["kinds"]) <= {"connect"}


def test_a_peer_without_tls_is_a_tls_error(device: Device, peers: Callable[..., Peer]):
    peer = peers(lambda peer, connection: connection.sendall(b"SSH-2.0-something\r\n" * 10))
    assert device("get", peer.port)["kind"] == "tls"


@pytest.mark.parametrize("size", [16, 4096], ids=["with a reset", "in order"])
def test_peer_that_closes_in_the_handshake(device: Device, peers: Callable[..., Peer], size: int):
    peer = peers(lambda peer, connection: connection.recv(size))
    assert device("get", peer.port)["kind"] == "closed"


def test_peer_that_is_silent_in_the_handshake(device: Device, peers: Callable[..., Peer]):
    peer = peers(lambda peer, connection: time.sleep(5))
    seen = device("get", peer.port, hurry={"20000": 300})
    assert (seen["kind"], seen["detail"]) == ("timeout", "send")
    assert seen["stall_ms"] <= STALL_MS


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_response_of_many_records(
    device: Device, peers: Callable[..., Peer], ca: TestCA, version: ssl.TLSVersion
):
    body = bytes(range(256)) * 400
    context = ca.leaf("good")
    context.minimum_version = context.maximum_version = version
    context.options &= ~ssl.OP_NO_TICKET  # records without data for the client to wake up for
    context.num_tickets = 2

    def script(peer: Peer, connection: socket.socket) -> None:
        while True:
            peer.receive(connection)
            time.sleep(0.03)
            connection.sendall(answer(body))

    seen = device("get", peers(script, context).port, times=3)
    assert seen["result"] == {"answers": [[len(body), zlib.crc32(body)]] * 3, "dials": 1}


def test_request_of_many_records(device: Device, peers: Callable[..., Peer], ca: TestCA):
    size = 65536

    def script(peer: Peer, connection: socket.socket) -> None:
        _, body = peer.receive(connection)
        while len(body) < size:
            time.sleep(0.001)
            body += connection.recv(2000)
        connection.sendall(answer(b"%d" % zlib.crc32(body)))

    seen = device("post", peers(script, ca.leaf("good")).port, size=size)
    assert seen["result"]["body"] == str(zlib.crc32(bytes(range(256)) * (size // 256)))


def test_dribble_beyond_the_deadline(device: Device, peers: Callable[..., Peer], ca: TestCA):
    def script(peer: Peer, connection: socket.socket) -> None:
        peer.receive(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            connection.sendall(b"x")
            time.sleep(0.02)

    seen = device("get", peers(script, ca.leaf("good")).port, hurry={"15000": 400})
    assert (seen["kind"], seen["detail"]) == ("timeout", "body")
    assert 400 <= seen["took_ms"] < 5000


def test_idle_connection_closed_by_the_peer_is_replaced(
    device: Device, peers: Callable[..., Peer], ca: TestCA
):
    def script(peer: Peer, connection: socket.socket) -> None:
        peer.receive(connection)
        connection.sendall(answer(b"hello"))

    peer = peers(script, ca.leaf("good"))
    seen = device("get", peer.port, times=3)
    assert seen["result"] == {"answers": [[5, zlib.crc32(b"hello")]] * 3, "dials": 3}
    assert peer.accepted == 3


def test_reset_by_the_peer(device: Device, peers: Callable[..., Peer], ca: TestCA):
    def script(peer: Peer, connection: socket.socket) -> None:
        peer.receive(connection)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    assert device("get", peers(script, ca.leaf("good")).port)["kind"] == "closed"


@pytest.mark.parametrize("fails", [False, True])
def test_closing_a_stream_closes_both_layers(device: Device, fails: bool):
    assert device("closing", fails=fails)["result"] == [2, 2]


@pytest.fixture
def black_hole() -> Iterator[int]:
    """Port of a listener whose queue is full: the kernel ignores whoever wants to connect."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _ in range(4):
            filler = stack.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        time.sleep(0.05)
        yield listener.getsockname()[1]


def test_peer_that_never_answers(device: Device, black_hole: int):
    seen = device("get", black_hole, hurry={"20000": 300})
    assert (seen["kind"], seen["detail"]) == ("timeout", "connect")
    assert 300 <= seen["took_ms"] < 5000
    assert seen["stall_ms"] <= STALL_MS


def test_cancelled_connects_leave_nothing_open(device: Device, black_hole: int):
    seen = device("cancel", black_hole, times=10, after_ms=20)
    assert seen["result"] == {"open": False, "requests": 10, "dials": 10, "forgotten": 10}


@pytest.mark.parametrize("after_ms", [1, 3, 8, 20])
def test_cancelled_requests_leave_nothing_open(
    device: Device, peers: Callable[..., Peer], ca: TestCA, after_ms: int
):
    def script(peer: Peer, connection: socket.socket) -> None:
        peer.receive(connection)
        time.sleep(5)

    seen = device("cancel", peers(script, ca.leaf("good")).port, times=10, after_ms=after_ms)
    assert seen["result"]["open"] is False


def test_udp_answer(device: Device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            data, client = server.recvfrom(100)
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
                stranger.sendto(b"forged", client)
            server.sendto(data[::-1], client)

        threading.Thread(target=serve, daemon=True).start()
        assert device("udp", server.getsockname()[1])["result"] == {"data": "gnip"}


def test_udp_silence_and_refusal(device: Device):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1]
        seen = device("udp", port)
        assert (seen["kind"], seen["stall_ms"] <= STALL_MS) == ("timeout", True)
    seen = device("udp", port)
    assert (seen["kind"], seen["detail"]) == ("closed", "ECONNREFUSED")


async def test_names_and_time_from_the_simulated_servers(device: Device):
    dns, ntp = DnsServer(), NtpServer()
    await dns.start()
    await ntp.start()
    try:
        servers = [f"127.0.0.1:{dns.port}"]
        seen = await asyncio.to_thread(device, "resolve", servers=servers)
        assert seen["result"] == ["127.0.0.1"]
        seen = await asyncio.to_thread(device, "resolve", servers=servers, host="other.test")
        assert (seen["kind"], seen["detail"]) == ("dns", "NXDOMAIN")
        seen = await asyncio.to_thread(device, "sntp", ntp.port, floor_s=1767225600)
        assert abs(seen["result"] - time.time()) < 30
        seen = await asyncio.to_thread(device, "sntp", ntp.port, floor_s=int(time.time()) + 1000)
        assert (seen["kind"], seen["detail"]) == ("sntp", "time before the build")
    finally:
        await dns.stop()
        await ntp.stop()
