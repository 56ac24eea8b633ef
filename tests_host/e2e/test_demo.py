"""The demo as a person meets it: it shows, obeys keys and the second terminal, and leaves nothing behind."""

import asyncio
import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from tools.checks.terminal import Terminal
from tools.cloud import admin_client
from tools.repository import ROOT

pytestmark = pytest.mark.gate

TIMEOUT_S = 60


class Demo:
    """A running demo; `output` is what it printed so far."""

    def __init__(self, connection, stdin, transport="auto", more=()):
        self.connection, self._stdin, self.output = connection, stdin, ""
        self._more = ["--transport", transport, *more]

    async def __aenter__(self):
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-u", "-m", "tools", "demo", "--connection", str(self.connection),
            *self._more,
            cwd=ROOT, stdin=self._stdin, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        return self

    @property
    def pid(self):
        return self._process.pid

    async def __aexit__(self, *_):
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def expects(self, words):
        """Wait for a line with these words, after the line that was waited for last."""
        line = ""
        async with asyncio.timeout(TIMEOUT_S):
            while words not in line:
                line = (await self._process.stdout.readline()).decode()
                assert line, self.output
                self.output += line

    def signal(self, number):
        self._process.send_signal(number)

    async def ends(self):
        """Its exit status. None of its children outlives it."""
        children = children_of(self.pid)
        async with asyncio.timeout(TIMEOUT_S):
            self.output += (await self._process.stdout.read()).decode()
            status = await self._process.wait()
        for child in children:
            with pytest.raises(ProcessLookupError):
                os.kill(child, 0)
        return status


def children_of(pid):
    """Process ids of the children, from Linux's list of all."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            # The parent stands two words behind the name, and the name ends with a bracket.
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


@pytest.mark.thorough("https")
@pytest.mark.parametrize("transport", ["auto", "https"])
async def test_keys_and_a_second_terminal_play_cloud(tmp_path, transport):
    terminal, stdin = pty.openpty()
    before = termios.tcgetattr(stdin)
    async with Demo(tmp_path / "admin.json", stdin, transport) as demo:
        await demo.expects("stored command 1")
        os.write(terminal, b"1")
        await demo.expects("relay pump on")
        await asyncio.to_thread(admin_client.call, "set", demo.connection, port="6", value="0")
        await demo.expects("wants 0.0 on port 6")
        await demo.expects("stored command 1: 0.0")
        os.write(terminal, b"q")
        assert await demo.ends() == 0
    assert "revoked by the device" in demo.output
    assert termios.tcgetattr(stdin) == before
    assert not demo.connection.exists()
    os.close(terminal)
    os.close(stdin)


async def test_the_board_is_deployed_to_and_asked_over_its_cable(tmp_path):
    async with Demo(tmp_path / "admin.json", subprocess.DEVNULL, "https") as demo:
        await demo.expects("board boot 1")
        await demo.expects("you   deployed ")
        port = demo.output.split()[-1]
        await demo.expects("stored command 1")
        status = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tools", "status", "--port", port, cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        output, _ = await status.communicate()
        assert status.returncode == 0 and b"pump" in output
        demo.signal(signal.SIGINT)
        assert await demo.ends() == 0


@pytest.fixture
def browsed(tmp_path, monkeypatch):
    """The file in which the browser of this desktop notes what it was started with."""
    program, noted = tmp_path / "browser", tmp_path / "noted"
    program.write_text(f'#!/bin/sh\necho "$1" >> {noted}\n')
    program.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{program} %s")
    monkeypatch.setenv("DISPLAY", ":0")
    return noted


@pytest.mark.parametrize("more", [[], pytest.param(["--no-open"], marks=pytest.mark.thorough)])
def test_the_page_is_opened_where_a_person_sits_and_wants_it(tmp_path, browsed, more):
    demo = [sys.executable, "-m", "tools", "demo", "--connection", str(tmp_path / "admin.json"), *more]
    with Terminal(demo, cwd=ROOT) as terminal:
        terminal.expects("in a browser:")
        terminal.expects("safe state left")
        terminal.types("q")
        assert terminal.ends() == 0
    (address,) = re.findall(r"http://127\.0\.0\.1:\d+/[\w-]{32}/", terminal.output)
    assert (browsed.read_text() if browsed.exists() else "") == ("" if more else f"{address}\n")


@pytest.mark.thorough
async def test_several_devices_run_and_end(tmp_path, browsed):
    async with Demo(tmp_path / "admin.json", subprocess.DEVNULL, more=["--devices", "4"]) as demo:
        for number in (2, 3, 4, 1):
            await demo.expects(f"relay {number} heater on")
        demo.signal(signal.SIGINT)
        assert await demo.ends() == 0
    assert all(re.search(rf"cloud {number} .*revoked by the device", demo.output) for number in (1, 2, 3)), (
        "Realino knows no revoking"
    )
    assert not browsed.exists(), "there was no terminal"


@pytest.mark.thorough
async def test_mqtt_is_shown_and_its_keys_obeyed(tmp_path):
    terminal, stdin = pty.openpty()
    async with Demo(tmp_path / "admin.json", stdin) as demo:
        await demo.expects("the device is at the broker, with credentials v1")
        await demo.expects("stored command 1")
        os.write(terminal, b"1")
        await demo.expects("published; delivered")
        await demo.expects("applied: 1.0")
        os.write(terminal, b"n")
        await demo.expects("the session with credentials v1 is over")
        await demo.expects("the device is at the broker, with credentials v1")
        os.write(terminal, b"m")
        await demo.expects("broker down")
        os.write(terminal, b"m")
        await demo.expects("broker up")
        os.write(terminal, b"q")
        assert await demo.ends() == 0
    os.close(terminal)
    os.close(stdin)


@pytest.mark.thorough("15")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_signal_ends_it_in_order_without_a_terminal(tmp_path, number):
    async with Demo(tmp_path / "admin.json", subprocess.DEVNULL) as demo:
        await demo.expects("relay heater on")
        assert len(children_of(demo.pid)) == 2, "the board's and the broker's"
        demo.signal(number)
        assert await demo.ends() == 0
    assert "revoked by the device" in demo.output
    assert not demo.connection.exists()
