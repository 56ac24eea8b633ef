"""Questions at the console of a working device: it answers, goes on, and survives noise on the line."""

import asyncio
import json
import signal
import sys

import pytest

from tests_host.e2e.conftest import working
from tests_host.support.commands import command, start
from tools.checks.terminal import Terminal
from tools.fixture.system import SystemFixture
from tools.repository import ROOT


@pytest.mark.thorough("64bit")
async def test_status_of_a_working_device(any_interpreter):
    async with working(any_interpreter) as (fixture, url):
        fixture.want("6", 1)
        await fixture.until("the pump runs", lambda: fixture.on("pump"), 8)
        status, output = await command("status", "--port", url, "--json")
        assert status == 0, output
        reported = json.loads(output)
        assert reported["state"] == "online" and reported["safe"] == [] and reported["lease_s"] > 0
        assert ["pump", True, 1.0, None] in reported["outputs"]
        rooms = dict(map(tuple, reported["readings"]))
        assert abs(rooms["room"] - fixture.plant.sensor_c) < 3
        assert reported["boots"] == 1 and reported["reset"] == "power_on" and reported["slot"] == "root"
        secrets = fixture.config["cloud"]["client_secret"], fixture.config["wifi"]["networks"][0]["password"]
        assert not any(secret in output for secret in secrets)

        fixture.subscription(False)
        await fixture.until("safe state", lambda: not fixture.on("pump"), 8)
        status, output = await command("status", "--port", url)
        assert status == 1 and "not authorized" in output, output
        assert "\x1b" not in output
        assert fixture.board.boots == 1


@pytest.mark.gate
async def test_status_stays_on_the_screen_and_follows_the_device(smallest):
    async with working(smallest) as (fixture, url):

        def watched():
            with Terminal(
                [sys.executable, "-m", "tools", "status", "--watch", "--port", url], cwd=ROOT
            ) as terminal:
                terminal.expects("pump: off")
                fixture.want("6", 1)
                terminal.expects("pump: on")
                terminal.interrupts()
                return terminal.ends()

        assert await asyncio.to_thread(watched) == 130
        assert fixture.board.boots == 1
    status, output = await command("status", "--watch", "--port", "socket://127.0.0.1:9")
    assert status == 1 and "Traceback" not in output


@pytest.mark.gate
@pytest.mark.long
async def test_noise_at_the_console_is_ignored(smallest):
    async with working(smallest) as (fixture, url):
        fixture.board.type(
            b"\xc3" + bytes(range(4, 256)) * 20 + b"import machine\r machine.reset()\r\x04\x01\x02\xe2\x82"
        )
        at = fixture.want("6", 1)
        await fixture.until("the pump runs", lambda: fixture.on("pump"), 8)
        assert fixture.switched("pump", True, at)
        status, _ = await command("status", "--port", url, "--within", "30")
        assert status == 0 and fixture.board.boots == 1


async def test_monitor_shows_the_log_and_leaves_the_board_running(smallest):
    async with SystemFixture(smallest, powered=False) as fixture:
        url = await fixture.board.console.open()
        watch = await start("monitor", "--port", url)
        await asyncio.sleep(1)
        await fixture.board.power_on()
        printed = b""
        async with asyncio.timeout(30):
            while b"online" not in printed:
                printed += await watch.stdout.readline()
        watch.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):  # it would wait for ever where it was begun without that signal
            assert await watch.wait() == 130
        assert b"\x1b" not in printed
        await fixture.online()
        assert fixture.board.boots == 1 and not fixture.board.chip.at_repl


@pytest.mark.gate
async def test_below_the_log_on_a_terminal_the_state_stays(smallest):
    async with working(smallest) as (fixture, url):

        def watched():
            argv = [sys.executable, "-m", "tools", "monitor", "--port", url]
            with Terminal(argv, cwd=ROOT) as terminal:
                terminal.expects("pump off")
                fixture.subscription(False)
                terminal.expects("not authorized by the cloud")
                *log, state = terminal.shows()
                assert "pump off" in state and len(log) >= 2
                assert [line for line in log if "pump off" in line or "status {" in line] == []
                terminal.interrupts()
                return terminal.ends()

        assert await asyncio.to_thread(watched) == 130
        assert fixture.board.boots == 1 and not fixture.board.chip.at_repl


@pytest.mark.thorough
async def test_the_doctor_says_on_a_terminal_what_it_is_at_and_leaves_the_checklist(smallest):
    async with working(smallest) as (_, url):

        def watched():
            with Terminal([sys.executable, "-m", "tools", "doctor", "--port", url], cwd=ROOT) as terminal:
                for what in ("1 of 4: board", "4 of 4: names"):
                    terminal.expects(what)
                status = terminal.ends()
                return status, terminal.shows()

        status, shown = await asyncio.to_thread(watched)
        assert status == 0 and len(shown) > 10
        assert [line for line in shown if " of 4: " in line] == []


@pytest.mark.gate("monitor", "deploy", "doctor")
@pytest.mark.parametrize("tool", ["status", "monitor", "deploy", "doctor"])
async def test_a_busy_port_is_distinguished_from_a_missing_cable(smallest, tool):
    async with working(smallest) as (fixture, url):
        _, watching = await asyncio.open_connection(*url.removeprefix("socket://").split(":"))
        try:
            code = ["--code-only"] if tool == "deploy" else []
            status, output = await command(tool, "--port", url, *code)
        finally:
            watching.close()
        assert status == 1 and f"another program uses {url}" in output, output
        assert not fixture.board.chip.at_repl


async def test_a_stopped_board_is_reported_as_not_answering(smallest):
    async with SystemFixture(smallest) as fixture:
        await fixture.online()
        await fixture.ctrl_c()
        url = await fixture.board.console.open()
        status, output = await command("status", "--port", url, "--within", "3")
        assert status == 1 and "no answer" in output
