"""What the link to Thinger.io promises beyond the contract of all links (test_link_contract.py): answers to whoever
wrote, and a connection that is lost only once.
"""

import asyncio
import itertools

import pytest

from firmware.core.errors import AuthError, LinkError
from firmware.core.models import Desired
from tests_host.support.linkbench import REST_S, ThingerBench, misbehave
from tools.cloud.demo_device import THINGER_HOST


@pytest.fixture
def bench(virtual_loop, tmp_path):
    return ThingerBench(virtual_loop, tmp_path)


async def test_the_catalog_is_the_configuration(bench):
    catalog = await bench.open()
    assert [(c.id, c.low, c.high, c.step) for c in catalog.commands] == [
        ("pump", 0, 1, 1),
        ("heater", 5.0, 35.0, 0.5),
    ]
    assert [s.id for s in catalog.sensors] == ["room", "daylight"]
    bench.close()


@pytest.mark.parametrize("mode", ["cut", "gone", "silent"])
async def test_calls_after_the_end_do_not_dial_again(bench, mode):
    await bench.open()
    bench.net.cut() if mode == "cut" else misbehave(mode, bench.port)
    with pytest.raises(LinkError):
        await bench.listen()
    with pytest.raises(LinkError):
        await bench.timed(bench.link.send([bench.report()]), REST_S)
    assert bench.net.dials == 1
    bench.close()
    await bench.recovers()


async def test_a_refused_login_has_a_long_retry_after(bench):
    bench.refuse()
    with pytest.raises(AuthError) as caught:
        await bench.open()
    assert caught.value.retry_after_s == 300
    bench.close()


async def test_keep_alives_renew_the_lease_with_a_quiet_cloud(bench):
    await bench.open()
    signs = [bench.loop.time()]
    while bench.loop.time() < 600:
        desired = await bench.timed(bench.link.next_desired(), REST_S)
        assert desired in (None, [])
        if desired == []:
            signs.append(bench.loop.time())
    gaps = [later - earlier for earlier, later in itertools.pairwise(signs)]
    assert len(gaps) >= 10 and max(gaps) < 51
    bench.close()


async def test_a_short_silence_s_sends_keep_alives_more_often(virtual_loop, tmp_path):
    for silence_s, keep_alive_ms in ((300, 50000), (0, 50000), (20, 10000), (1, 1000)):
        bench = ThingerBench(virtual_loop, tmp_path, silence_s=silence_s)
        assert bench.link.client.session.keep_alive_ms == keep_alive_ms


async def test_written_values_have_a_window_and_unique_ids(bench):
    await bench.open()
    first, second = bench.desire(True), bench.desire("off")
    desired = await bench.receive() + await bench.receive()
    assert [(d.command_id, d.value, d.valid_s) for d in desired] == [("pump", 1.0, 8), ("pump", 0.0, 8)]
    assert isinstance(desired[0], Desired) and desired[0].desired_id != desired[1].desired_id
    reports = [bench.report("command", desired=d.desired_id, status=status) for d, status in
               zip(desired, ("stale", "rejected"), strict=True)]  # fmt: skip
    await bench.link.send(reports)
    assert [(kind, fields["parameters"]) for kind, fields in first + second] == [
        ("ERROR", 409),
        ("ERROR", 400),
    ]
    bench.close()


async def test_a_request_without_an_outcome_is_refused(bench):
    await bench.open()
    answers = bench.desire()
    listening = asyncio.ensure_future(bench.listen())
    await asyncio.sleep(9)
    assert answers == []
    await asyncio.sleep(3)
    assert answers[0][1]["parameters"] == 504
    listening.cancel()
    bench.close()


async def test_in_safe_state_a_write_is_refused(bench):
    await bench.open()
    bench.controller.safety.faults.add("control")
    bench.controller.check(bench.link.lease, bench.clock.ms())
    answers = bench.desire()
    while not answers:
        assert not await bench.timed(bench.link.next_desired(), REST_S)
    assert answers[0][1]["parameters"] == 503
    bench.close()


async def test_another_port_may_be_named(virtual_loop, tmp_path):
    for host, port in ((THINGER_HOST, 25206), (f"{THINGER_HOST}:7000", 7000)):
        assert ThingerBench(virtual_loop, tmp_path, host=host).link.client.port == port
