"""Each package of `lib` used alone: the program of its page, copied out, on the real MicroPython against real servers.

What a person has to fill in, the names in capitals at the top, is filled in here.
"""

import asyncio
import contextlib
import json
import os
import re
import ssl
import time
from pathlib import Path

import pytest

from tests_host.support import brokers
from tools.build import package
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import (
    THINGER_CREDENTIAL,
    THINGER_DEVICE,
    THINGER_HOST,
    THINGER_USER,
    demo_account,
)
from tools.cloud.dns import DnsServer
from tools.cloud.ntp import NtpServer
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_server import ThingerServer
from tools.repository import ROOT

pytestmark = pytest.mark.gate("64bit")

PAGES = {path.parent.name: path for path in sorted((ROOT / "lib").glob("*/README.md"))}
HOST = "api.realer.test"


def program(engine: str, **facts: object) -> str:
    """The one program of a page with `facts` in place of what stands there."""
    (text,) = re.findall(r"```python\n(.*?)```", PAGES[engine].read_text(), re.DOTALL)
    for name, value in facts.items():
        text, times = re.subn(
            rf"^{name} = .*$", lambda _, n=name, v=value: f"{n} = {v!r}", text, flags=re.MULTILINE
        )
        assert times == 1, name
    return text


class Board:
    """A MicroPython with what mip installs of one package, and nothing else."""

    def __init__(self, found, folder: Path) -> None:
        self.found, self.folder = found, folder
        self.process: asyncio.subprocess.Process | None = None

    async def start(self, engine: str, **facts: object) -> None:
        library = self.folder / "lib"
        for target, source in json.loads(package.lists()[ROOT / "lib" / f"{engine}.json"])["urls"]:
            (library / target).parent.mkdir(parents=True, exist_ok=True)
            (library / target).write_bytes((ROOT / "lib" / source).read_bytes())
        (self.folder / "main.py").write_text(program(engine, **facts))
        self.process = await asyncio.create_subprocess_exec(
            *self.found.argv, "main.py", cwd=self.folder, env=os.environ | {"MICROPYPATH": f".frozen:{library}:."},
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def line(self) -> str:
        async with asyncio.timeout(20):
            return (await self.process.stdout.readline()).decode().strip()

    async def end(self) -> list[str]:
        async with asyncio.timeout(30):
            output, _ = await self.process.communicate()
        assert self.process.returncode == 0, output.decode()
        return output.decode().splitlines()

    async def run(self, engine: str, **facts: object) -> list[str]:
        await self.start(engine, **facts)
        return await self.end()


@pytest.fixture
def board(any_interpreter, tmp_path):
    found = Board(any_interpreter, tmp_path)
    yield found
    if found.process and found.process.returncode is None:
        found.process.kill()


@pytest.fixture(scope="module")
def ca(tmp_path_factory):
    return TestCA(tmp_path_factory.mktemp("ca"))


@contextlib.asynccontextmanager
async def served(handle, context: ssl.SSLContext | None = None):
    """The port of a server."""

    async def handled(reader, writer):
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await handle(reader, writer)
        with contextlib.suppress(OSError):
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(handled, "127.0.0.1", 0, ssl=context)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


@contextlib.asynccontextmanager
async def name_server():
    """What knows all names, and the list of it."""
    server = DnsServer()
    await server.start()
    yield server, [f"127.0.0.1:{server.port}"]
    await server.stop()


def test_every_package_has_a_page_with_a_program():
    assert list(PAGES) == package.engines()
    for engine in PAGES:
        compile(program(engine), engine, "exec")


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "TLS"])
async def test_http1(board, ca, tls):
    async def web(reader, writer):
        while head := await reader.readuntil(b"\r\n\r\n"):
            assert head.startswith(b"GET /status HTTP/1.1\r\nHost: ")
            writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"open": 20}')

    files = (str(ca.der),) if tls else ()
    async with served(web, ca.leaf("good") if tls else None) as port, name_server() as (_, servers):
        lines = await board.run("http1", HOST=HOST, PORT=port, CA_FILES=files, NAME_SERVERS=servers)
    assert lines == ["200 {'open': 20}"] * 2 + ["connections: 1"]


@pytest.mark.parametrize("kind", ["unknown_ca", "wrong_name", "expired"])
async def test_a_certificate_that_does_not_fit_is_refused(board, ca, kind):
    async def silent(reader, writer):
        await reader.read()

    files = (str(ca.der),)
    async with served(silent, ca.leaf(kind)) as port, name_server() as (_, servers):
        (line,) = await board.run("http1", HOST=HOST, PORT=port, CA_FILES=files, NAME_SERVERS=servers)
    assert line.startswith("failed: tls: ")


async def test_netio(board):
    async def echo(reader, writer):
        writer.write((await reader.readline()).upper())

    async with served(echo) as port:
        assert await board.run("netio", HOST="127.0.0.1", PORT=port) == ["answered: b'HELLO\\n'"]
    (line,) = await board.run("netio", HOST="127.0.0.1", PORT=port)
    assert line.startswith("failed: connect ")


async def test_dnsstub(board):
    async with name_server() as (names, servers):
        assert await board.run("dnsstub", NAME=HOST, NAME_SERVERS=servers) == ["addresses: ['127.0.0.1']"]
        names.mode = "nxdomain"
        assert await board.run("dnsstub", NAME=HOST, NAME_SERVERS=servers) == ["failed: dns: NXDOMAIN"]


async def test_sntp(board):
    time_server = NtpServer()
    await time_server.start()
    server = f"127.0.0.1:{time_server.port}"
    (line,) = await board.run("sntp", SERVER=server, SET_CLOCK=False)
    assert abs(int(line.removeprefix("unix time: ")) - time.time()) < 30
    (line,) = await board.run("sntp", SERVER=server, SET_CLOCK=False, NOT_BEFORE=int(time.time()) + 1000)
    assert line == "failed: sntp: time before the build"
    (board.folder / "machine.py").write_text(
        "class RTC:\n    def datetime(self, *now):\n        print(now[0])\n"
    )
    line, reported = await board.run("sntp", SERVER=server, SET_CLOCK=True)
    there = time.gmtime(int(line.removeprefix("unix time: ")))
    assert reported == str((*there[:3], there.tm_wday, *there[3:6], 0))
    await time_server.stop()


async def test_mqtt5(board, ca, tmp_path):
    broker = brokers.Mosquitto(tmp_path, ca)
    facts = {"HOST": "mqtt.realer.test", "PORT": broker.port, "CA_FILES": (str(ca.der),)}
    try:
        async with name_server() as (_, servers):
            facts["NAME_SERVERS"] = servers
            lines = await board.run("mqtt5", PASSWORD=brokers.PASSWORD, **facts)
            assert lines == ["received: test/echo b'hello'"]
            (line,) = await board.run("mqtt5", PASSWORD="wrong-test-secret-not-real", **facts)
            assert line.startswith("failed: mqtt 0x87")
    finally:
        broker.stop()


async def test_iotmp(board, ca):
    server = ThingerServer(Thinger(), ca)
    demo_account(server.model)
    await server.start()
    try:
        async with name_server() as (_, servers):
            await board.start(
                "iotmp", HOST=THINGER_HOST, PORT=server.port, USER=THINGER_USER, DEVICE=THINGER_DEVICE,
                CREDENTIAL=THINGER_CREDENTIAL, CA_FILES=(str(ca.der),), NAME_SERVERS=servers,
            )  # fmt: skip
            assert await board.line() == "connected"
        port = server.model.devices[THINGER_USER, THINGER_DEVICE].port
        answers: asyncio.Queue = asyncio.Queue()

        async def ask(**fields):
            port.call(lambda *answer: answers.put_nowait(answer), "RUN", **fields)
            async with asyncio.timeout(10):
                kind, found = await answers.get()
            return kind, found.get("payload")

        seen = []
        port.stream("relay", seen.append)
        assert await ask(resource="temperature") == ("OK", 21.5)
        assert await ask(resource="relay", payload=True) == ("OK", None)
        assert await ask(resource="relay", payload="on") == ("ERROR", {"error": "true or false"})
        assert await ask(resource="temperature") == ("OK", 21.5)
        assert seen == [False, True, True]
        port.end(goodbye=True)
        assert await board.end() == ["ended: closed by the server"]
    finally:
        await server.stop()
    assert server.model.violations == []


async def test_journal(board):
    for run in (1, 2, 3):
        lines = await board.run("journal")
        assert lines == [f"events of earlier runs: {[b'started'] * (run - 1)}", f"runs: {run}"]


async def test_units(board):
    first, *rest = await board.run("units")
    assert re.fullmatch(r"sum 499500, took [0-9]{4,} bytes", first)
    assert rest == ["gone: True", "left over: True"]
