"""Wi-Fi goes off at the virtual board, or the cable is out: nothing passes, on no connection, until it is back."""

import asyncio
import os
import pty

import pytest

from tests_host.e2e.test_demo import Demo
from tools.cloud import admin_client
from tools.fixture.system import SystemFixture


@pytest.mark.gate
@pytest.mark.thorough("64bit")
@pytest.mark.parametrize(
    ("transport", "board"), [("https", "esp32"), ("mqtt", "esp32"), ("https", "olimex-esp32-poe")]
)
async def test_no_desired_state_and_no_report_passes_without_a_network(any_interpreter, transport, board):
    async with SystemFixture(any_interpreter, transport=transport, board=board) as fixture:
        await fixture.online()
        fixture.board.network_down()
        await asyncio.sleep(0.5)  # the program hears of it at its next use of the hardware
        requests, stored = fixture.site.server.requests, len(fixture.model.named("feed_stored"))
        fixture.want("6", 1)
        fixture.board.press_button(600)
        await fixture.until("the button works without a network", lambda: fixture.on("pump"), 5)
        await asyncio.sleep(1.5)  # it is let go
        fixture.board.press_button(600)
        await fixture.until("and again", lambda: not fixture.on("pump"), 5)
        await asyncio.sleep(4)
        assert not fixture.on("pump")
        assert fixture.site.server.requests == requests
        assert len(fixture.model.named("feed_stored")) == stored
        # The peer hears nothing of it: as over the air, it finds out by its own clock.
        assert bool(fixture.model.sessions) == (transport == "mqtt")
        fixture.board.network_up()
        await fixture.until(
            "what happened meanwhile is reported",
            lambda: len(fixture.model.named("feed_stored")) > stored,
            60,
        )
        assert fixture.board.boots == 1


async def test_a_socket_finds_no_way_without_wifi(smallest):
    """No name server hears anything either."""
    async with SystemFixture(smallest) as fixture:
        await fixture.online()
        fixture.board.network_down()
        await asyncio.sleep(0.5)  # the program hears of it at its next use of the hardware
        queries = fixture.site.dns.queries, fixture.site.ntp.queries
        fixture.site.server.requests = 0
        await asyncio.sleep(6)
        assert (fixture.site.dns.queries, fixture.site.ntp.queries) == queries
        assert fixture.site.server.requests == 0


@pytest.mark.gate
async def test_the_demos_key_cuts_it(tmp_path):
    terminal, stdin = pty.openpty()
    async with Demo(tmp_path / "admin.json", stdin) as demo:
        await demo.expects("stored command 1")
        os.write(terminal, b"w")
        await demo.expects("access point off")
        await asyncio.sleep(0.5)
        await asyncio.to_thread(admin_client.call, "set", demo.connection, port="6", value="1")
        await demo.expects("wants 1.0 on port 6")
        await asyncio.sleep(4)
        os.write(terminal, b"w")
        await demo.expects("relay pump on")
        assert demo.output.index("access point on") < demo.output.index("relay pump on")
        os.write(terminal, b"q")
        assert await demo.ends() == 0
    os.close(terminal)
    os.close(stdin)
