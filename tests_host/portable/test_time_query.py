"""Whom the device believes the time: one server where it fits the clock, two that agree where it does not."""

from firmware.core.errors import LinkError
from firmware.links import time_query
from netio.errors import NetError
from sntp.client import request
from tests_host.portable.test_net import CONFIG, made
from tests_host.support.scripted import FakeClock

UTC = 1800000000
MOST = 600


def servers(*times):
    """A Net whose time servers have these times, None for one that is silent, and the exchange with them; `asked` are
    their addresses, in order."""
    names = ["10.0.0.%d" % n for n in range(len(times))]
    net = made({"wifi": None, "lan": None, "time": {"servers": names}, "cloud": CONFIG["cloud"]})
    asked = []

    async def exchange(ip, port, payload, clock, timeout_ms):
        asked.append(ip)
        unix_s = times[int(ip[-1])]
        if unix_s is None:
            raise NetError("timeout", "no answer")
        nonce = net.rng()
        return (
            b"\x24\1"
            + bytes(22)
            + request(nonce)[40:]
            + bytes(8)
            + (unix_s + 2208988800).to_bytes(4, "big")
            + bytes(4)
        )

    return net, exchange, asked


async def result(net, exchange):
    try:
        return await time_query.ask(net, exchange)
    except LinkError as e:
        return str(e)


async def test_which_time_is_taken():
    far = UTC + 5000
    for known, dates_failed, times, expected, count in (
        (None, False, (far, UTC, UTC), far, 1),  # nothing to compare it with
        (None, False, (None, UTC), "timeout: no answer", 1),
        (UTC, False, (UTC + MOST, far, far), UTC + MOST, 1),
        (UTC, False, (UTC - MOST, far, far), UTC - MOST, 1),
        (UTC, False, (UTC + MOST + 1, UTC - 5), UTC - 5, 2),
        (UTC, False, (far, far + MOST, UTC), far + MOST, 2),
        (UTC, False, (far, far + MOST + 1, far + 1), far + 1, 3),
        (UTC, False, (far, far + 2000, far + 4000, UTC), "servers do not agree", 3),
        (UTC, False, (far,), far, 2),  # the only one there is, asked again
        (UTC, False, (None, far, far), far, 3),
        (UTC, False, (None, None, None, UTC), "timeout: no answer", 3),
        (UTC, True, (UTC + 5, far, UTC), far, 2),  # the clock is what is doubted
        (UTC, True, (UTC + 5, UTC + 6, UTC), UTC + 6, 2),
        (UTC, True, (UTC + 5, None, None), UTC + 5, 3),
        (UTC, True, (None, None), "timeout: no answer", 2),
    ):
        net, exchange, asked = servers(*times)
        net.clock, net.dates_failed = FakeClock(utc=known), dates_failed
        assert (await result(net, exchange), len(asked)) == (expected, count), (known, dates_failed, times)


async def test_the_next_query_begins_with_another_server():
    net, exchange, asked = servers(UTC, UTC, UTC)
    net.clock = FakeClock(utc=UTC)
    for _ in range(4):
        await result(net, exchange)
    assert [ip[-1] for ip in asked] == ["0", "1", "2", "0"]


async def test_silence_counts_and_any_answer_ends_it():
    net, exchange, _ = servers(None, None)
    net.clock = FakeClock(utc=UTC)
    await result(net, exchange)
    assert (net.unanswered, net.known) == (2, False)
    net, exchange, _ = servers(
        None, 1
    )  # before the build: refused, but the answer counts as evidence of a network
    net.clock, net.unanswered = FakeClock(utc=UTC), 5
    assert await result(net, exchange) == "timeout: no answer"
    assert (net.unanswered, net.known) == (0, True)


async def test_a_wrong_floor_rejects_the_time_for_a_day_at_most():
    net, exchange, _ = servers(UTC)
    net.clock = FakeClock(utc=None)
    net.floor_s = UTC + 1
    assert "before" in await result(net, exchange)
    await net.clock.sleep_ms(86400000)
    assert await result(net, exchange) == UTC
