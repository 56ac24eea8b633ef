"""Wi-Fi goes off at the virtual board: nothing passes, on no connection, until it is back."""

import asyncio
import os
import pty

import pytest

from tests_host.e2e.test_demo import Demo
from tools.cloud import admin_client
from tools.fixture.system import Stage


@pytest.mark.parametrize("transport", ["https", "mqtt"])
async def test_no_wish_and_no_report_passes_without_wifi(any_interpreter, transport):
    async with Stage(any_interpreter, transport=transport) as stage:
        await stage.online()
        stage.board.wifi_down()
        await asyncio.sleep(0.5)  # the program hears of it at its next use of the hardware
        requests, stored = stage.site.server.requests, len(stage.model.named("feed_stored"))
        stage.want("6", 1)
        stage.board.press_button(600)
        await stage.until("the button works without a network", lambda: stage.on("pump"), 5)
        await asyncio.sleep(1.5)  # it is let go
        stage.board.press_button(600)
        await stage.until("and again", lambda: not stage.on("pump"), 5)
        await asyncio.sleep(4)
        assert not stage.on("pump")
        assert stage.site.server.requests == requests
        assert len(stage.model.named("feed_stored")) == stored
        # The peer hears nothing of it: as over the air, it finds out by its own clock.
        assert bool(stage.model.sessions) == (transport == "mqtt")
        stage.board.wifi_up()
        await stage.until(
            "what happened meanwhile is told", lambda: len(stage.model.named("feed_stored")) > stored, 60
        )
        assert stage.board.boots == 1


async def test_a_socket_finds_no_way_without_wifi(smallest):
    """No name server hears anything either."""
    async with Stage(smallest) as stage:
        await stage.online()
        stage.board.wifi_down()
        await asyncio.sleep(0.5)  # the program hears of it at its next use of the hardware
        queries = stage.site.dns.queries, stage.site.ntp.queries
        stage.site.server.requests = 0
        await asyncio.sleep(6)
        assert (stage.site.dns.queries, stage.site.ntp.queries) == queries
        assert stage.site.server.requests == 0


async def test_the_demos_key_cuts_it(tmp_path):
    terminal, stdin = pty.openpty()
    async with Demo(tmp_path / "admin.json", stdin) as demo:
        await demo.says("stored command 1")
        os.write(terminal, b"w")
        await demo.says("access point off")
        await asyncio.sleep(0.5)
        await asyncio.to_thread(admin_client.call, "set", demo.connection, port="6", value="1")
        await demo.says("wants 1.0 on port 6")
        await asyncio.sleep(4)
        os.write(terminal, b"w")
        await demo.says("access point on")
        assert "relay pump on" not in demo.said
        await demo.says("relay pump on")
        os.write(terminal, b"q")
        assert await demo.ends() == 0
    os.close(terminal)
    os.close(stdin)
