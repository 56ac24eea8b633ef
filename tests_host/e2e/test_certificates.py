"""A server that cannot prove who it is gets nothing: not one byte of a request, so no secret either."""

import pytest

from tools.cloud.demo_device import CLIENT_SECRET
from tools.fixture.system import WIFI_PASSWORD, SystemFixture

pytestmark = pytest.mark.gate

BAD = ["wrong_name", "expired", "not_yet_valid", "unknown_ca"]


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_certificate_is_refused_and_the_device_recovers(smallest, kind):
    async with SystemFixture(smallest, powered=False) as fixture:
        server = fixture.site.server
        server.present(kind)
        await fixture.board.power_on()
        await fixture.until("two attempts", lambda: server.hellos >= 2, 20)
        assert (server.handshakes, server.requests) == (0, 0)
        assert not fixture.on("pump") and not fixture.on("heater")
        server.present("good")
        await fixture.online(30)
    assert CLIENT_SECRET not in "\n".join(fixture.lines)
    assert WIFI_PASSWORD not in "\n".join(fixture.lines)
    assert fixture.model.violations == []


async def test_a_certificate_that_turns_bad_keeps_the_next_connection_from_being_used(smallest):
    async with SystemFixture(smallest) as fixture:
        await fixture.online()
        server = fixture.site.server
        server.present("expired")
        requests, hellos = server.requests, server.hellos
        server.cut()
        await fixture.until("another attempt", lambda: server.hellos > hellos + 1, 20)
        assert server.requests == requests


async def test_each_reason_for_a_refused_certificate_is_distinguished(smallest):
    """Whoever reads the log has to know what to mend."""
    reported = set()
    for kind in BAD:
        async with SystemFixture(smallest, powered=False) as fixture:
            fixture.site.server.present(kind)
            await fixture.board.power_on()
            await fixture.until("two attempts", lambda server=fixture.site.server: server.hellos >= 2, 20)
            error = (await fixture.status())["errors"][0]
            assert "tls: " in error, error
            reported.add(error.partition("tls: ")[2].partition("; next try")[0])
    assert len(reported) == len(BAD)
