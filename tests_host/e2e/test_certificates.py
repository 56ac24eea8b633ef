"""A server that cannot prove who it is gets nothing: not one byte of a request, so no secret either."""

import pytest

from tools.cloud.demo_device import CLIENT_SECRET
from tools.fixture.system import WIFI_PASSWORD, Stage

BAD = ["wrong_name", "expired", "not_yet_valid", "unknown_ca"]


@pytest.mark.parametrize("kind", BAD)
async def test_a_bad_certificate_is_refused_told_and_outlived(smallest, kind):
    async with Stage(smallest, powered=False) as stage:
        server = stage.site.server
        server.present(kind)
        await stage.board.power_on()
        await stage.until("two attempts", lambda: server.hellos >= 2, 20)
        assert (server.handshakes, server.requests) == (0, 0)
        assert not stage.on("pump") and not stage.on("heater")
        # "tls" is the kind of the error; which of its reasons mbedTLS gives is its own business.
        assert [line for line in stage.lines if "tls: " in line]
        server.present("good")
        await stage.online(30)
    assert CLIENT_SECRET not in "\n".join(stage.lines)
    assert WIFI_PASSWORD not in "\n".join(stage.lines)
    assert stage.model.violations == []


async def test_a_certificate_that_turns_bad_keeps_the_next_connection_from_being_used(smallest):
    async with Stage(smallest) as stage:
        await stage.online()
        server = stage.site.server
        server.present("expired")
        requests, hellos = server.requests, server.hellos
        server.cut()
        await stage.until("another attempt", lambda: server.hellos > hellos + 1, 20)
        assert server.requests == requests


async def test_each_reason_is_told_apart(smallest):
    """Whoever reads the log has to know what to mend."""
    told = set()
    for kind in BAD:
        async with Stage(smallest, powered=False) as stage:
            stage.site.server.present(kind)
            await stage.board.power_on()
            found = lambda stage=stage: [line for line in stage.lines if "tls: " in line]  # noqa: E731
            await stage.until("the refusal is told", found, 20)
            told.add(found()[0].partition("tls: ")[2].partition("; next try")[0])
    assert len(told) == len(BAD)
