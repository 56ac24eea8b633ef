"""A board whose serial port belongs to the chip: it vanishes at each reset, and the commands wait until it is back."""

import asyncio

import pytest

from tests_host.e2e.test_deploy import bring_home
from tests_host.support.commands import command, end_of, start
from tools.fixture.system import SystemFixture

pytestmark = pytest.mark.gate

AWAY_S = 0.7


async def test_a_deploy_goes_on_where_the_port_comes_back(smallest, tmp_path):
    async with SystemFixture(smallest, powered=False) as fixture:
        config = bring_home(fixture, tmp_path)
        await fixture.board.power_on()
        url = await fixture.board.console.open(away_s=AWAY_S)
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "online: firmware" in output, output
        assert f"{url} is gone; waiting" in output and "it is back" in output
        status, output = await command("doctor", "--port", url)
        assert "problem" in output.splitlines()[-1] and fixture.board.boots >= 3, output
        await fixture.online(60)


async def _said(process, words):
    async with asyncio.timeout(60):
        while words not in (line := await process.stdout.readline()):
            assert line, "it ended"


async def test_status_and_log_outlive_a_reset(smallest):
    async with SystemFixture(smallest) as fixture:
        await fixture.online()
        url = await fixture.board.console.open(away_s=AWAY_S)
        watching = await start("monitor", "--port", url)
        await fixture.until("it watches", lambda: fixture.board.console.in_use, 10)
        fixture.want("6", 1)
        await _said(watching, b"pump")
        await fixture.board.reset()
        await _said(watching, b"it is back")
        await _said(watching, b"I online")
        watching.terminate()
        await end_of(watching)
        await fixture.until("nobody is there any more", lambda: not fixture.board.console.in_use, 10)
        asking = asyncio.create_task(command("status", "--port", url, "--within", "40"))
        await fixture.until("it asks", lambda: fixture.board.console.in_use, 10)
        await asyncio.sleep(0.5)  # longer than it looks whether somebody else uses the port
        await fixture.board.reset()
        status, output = await asking
        assert '"' not in output and "firmware" in output, output
        assert status in (0, 1) and fixture.board.boots == 3
