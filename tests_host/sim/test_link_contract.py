"""What every link promises its session (docs/ARCHITECTURE.md, "Link"): each row of `LINKS`, whatever the cloud does.

What only some clouds have is asked in test_realer_links.py, test_mqtt.py and test_thinger_link.py.
"""

import asyncio

import pytest

from firmware.app import LINKS
from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from netio.errors import NetError
from tests_host.support.checking import validate
from tests_host.support.linkbench import REST_S, ROWS, THINGER, bench_of, named
from tools.sim.sim_device import demo_config

pytestmark = [
    pytest.mark.thorough("realer-auto", "auto-", "bootstrap-mqtt"),
    pytest.mark.gate("bootstrap-https"),
]


@pytest.fixture(params=ROWS, ids=named)
def row(request):
    return request.param


@pytest.fixture
def make(virtual_loop, tmp_path, row):
    """A new Bench of this row."""
    return lambda **more: bench_of(row)(virtual_loop, tmp_path, row, **more)


@pytest.fixture
def bench(make):
    return make()


@pytest.mark.parametrize("api", ["auto", "bootstrap", "realer", "realino"])
@pytest.mark.parametrize("transport", ["auto", "https", "mqtt"])
def test_every_api_and_transport_has_a_link(api, transport):
    _, problems = validate(demo_config(api=api, transport=transport))
    assert ((api, transport) in LINKS) == (not [p for p in problems if p[0] == "error"])


def test_every_link_is_tested():
    links = {LINKS[row[:2]] for row in ROWS}
    assert links == set(LINKS.values())


async def test_open_returns_a_catalog_that_fits_the_configuration(bench):
    catalog = await bench.open()
    assert [(c.kind, c.pin_port) for c in catalog.commands] == [("relay", "6"), ("relay", "9")]
    assert [(s.kind, s.pin_port) for s in catalog.sensors] == [("thermistor", "14"), ("ldr_sensor", "15")]
    assert bench.controller.notes == [] and bench.link.lease.valid(bench.clock.ms())
    await bench.recovers()


def half(row, kind):
    """Each endpoint at one of its two moments, at the other one with the next kind, and with the next row, which shares
    most of its code. Thinger.io has no endpoints, and both."""
    moments = bench_of(row).moments(row)
    if row == THINGER:
        return moments
    shift = ROWS.index(row) + bench_of(row).kinds.index(kind)
    return [moment for at, moment in enumerate(moments) if (at // 2 + at + shift) % 2 == 0]


@pytest.mark.gate("realino-https")
@pytest.mark.thorough("realer-mqtt")
@pytest.mark.parametrize(
    ("row", "kind"),
    [(row, kind) for row in ROWS for kind in bench_of(row).kinds],
    indirect=["row"],
    ids=lambda value: named(value) if isinstance(value, tuple) else repr(value),
)
async def test_only_link_errors_escape_and_the_link_opens_again(make, row, kind):
    for moment in half(row, kind):
        bench = make()
        bench.spoil(kind, moment)
        error = await bench.work()
        await bench.work()
        assert bench.met(moment, error)
        await bench.recovers()


@pytest.mark.parametrize("kind", ["dns", "connect", "tls", "timeout", "closed"])
async def test_a_network_failure_is_a_link_error(bench, kind):
    bench.net.refuse = NetError(kind, "as told")
    error = await bench.work()
    assert isinstance(error, LinkError) and not isinstance(error, AuthError)
    await bench.recovers()


@pytest.mark.parametrize("mode", ["silent", "dns", "cut"])
async def test_a_closed_connection_is_dialed_again(bench, mode):
    await bench.open()
    bench.net.silent = mode == "silent"
    bench.net.dns_mode = "nxdomain" if mode == "dns" else ""
    bench.net.cut()
    error = await bench.work()
    assert (error is None) == (mode != "silent"), "its name is still known"
    await bench.recovers()


async def test_a_silent_cloud_is_a_link_error_and_no_auth_error(bench):
    await bench.open()
    bench.net.silent = True
    with pytest.raises(LinkError) as caught:
        await bench.listen()
    assert not isinstance(caught.value, AuthError) and bench.link.lease.held
    bench.close()
    await bench.recovers()


async def test_reports_are_acknowledged_only_when_the_cloud_has_them(bench):
    await bench.open()
    assert await bench.deliver([bench.report()])
    bench.net.silent = True
    report = bench.report()
    with pytest.raises(LinkError):
        await bench.deliver([report], limit_s=bench.verb_s)
    bench.close()
    bench.mend()
    await bench.open()
    assert await bench.deliver([report]) == [(report.message_id, outcomes.OK)]
    bench.close()
    bench.check()


async def test_close_may_be_called_at_any_time_and_repeatedly(bench):
    bench.close()
    await bench.open()
    bench.close()
    await bench.recovers()
    await bench.link.shutdown()
    bench.close()
    await bench.recovers()


async def test_an_idle_call_returns_in_time(make):
    bench = make(poll_s=3600)
    await bench.open()
    await bench.link.next_desired()
    for _ in range(10):
        assert not await bench.timed(bench.link.next_desired(), REST_S)
    bench.close()


async def test_a_refusal_ends_the_lease_and_the_error_has_the_remedy(bench):
    await bench.open()
    assert bench.link.lease.held
    bench.refuse()
    bench.close()
    with pytest.raises(AuthError):
        await bench.open()
    assert not bench.link.lease.held and "; check cloud." in bench.link.lease.reason
    bench.close()
    bench.forgive()
    await bench.recovers()


@pytest.mark.parametrize("jump_s", [-10_000_000, 10_000_000])
async def test_a_lease_survives_the_connection_and_clock_changes(bench, jump_s):
    bench.clock.set_utc(int(bench.wall()))
    asked = bench.loop.time()
    await bench.open()
    bench.clock.set_utc(int(bench.wall()) + jump_s)
    bench.close()
    await asyncio.sleep(asked + bench.lease_s - 1 - bench.loop.time())
    assert bench.link.lease.valid(bench.clock.ms())
    await asyncio.sleep(2)
    assert not bench.link.lease.valid(bench.clock.ms())
    await bench.recovers()


async def _open(bench):
    await bench.link.open()


async def _next_desired(bench):
    bench.many_desired()
    await bench.link.next_desired()


async def _send(bench):
    bench.much_to_tell()
    await bench.deliver([bench.report(), bench.report()])


async def _shutdown(bench):
    await bench.link.shutdown()


@pytest.mark.thorough("realer-mqtt", "bootstrap", "realino")
@pytest.mark.parametrize("verb", [_open, _next_desired, _send, _shutdown])
async def test_a_cancelled_call_leaves_a_link_that_opens_again(make, row, verb):
    done = False
    after_ms = 0
    while not done:
        bench = make(poll_s=2)
        if verb is not _open:
            await bench.open()
            await bench.link.next_desired()
        task = asyncio.ensure_future(verb(bench))
        await asyncio.sleep(after_ms / 1000)
        done = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.close()
        bench.calm()
        await bench.recovers()
        after_ms += max(15, after_ms // 8)  # the network answers every 30 ms
    instant = verb is _shutdown and row[0] == "realino"
    assert after_ms > (15 if row == THINGER else 45) or instant, "it was cancelled under way"


@pytest.mark.parametrize("mode", ["", "silent", "cut", "closed"])
async def test_shutdown_disconnects_or_gives_up_soon(bench, mode):
    await bench.open()
    bench.net.silent = mode == "silent"
    if mode == "cut":
        bench.net.cut()
    if mode == "closed":
        bench.close()
    await bench.timed(bench.link.shutdown(), 5.1)
    assert not bench.link.lease.held
    assert bench.farewell() or mode
    bench.check()
    await bench.recovers()
