"""The escalation ladder: what a device does that hears nobody, or lacks memory, and what it never does."""

import asyncio

import pytest

from firmware.core.errors import LinkError
from firmware.runtime import cloud_loop, control_loop
from tests_host.sim.conftest import pump
from tools.sim.sim_device import DEVICE_ID, WIFI_PASSWORD, SimDevice, demo_config
from tools.sim.sim_net import GATEWAY, LACKS


@pytest.fixture(autouse=True)
def _calm(request, monkeypatch):
    """Hours pass here, and nothing of them depends on tenths of a second."""
    if not request.node.get_closest_marker("button"):
        monkeypatch.setattr(control_loop, "_TICK_MS", 1000)
        monkeypatch.setattr(control_loop, "_SCAN_MS", 1000)
    monkeypatch.setattr(cloud_loop, "_IDLE_MS", 2000)


def _waits(device):
    """The reset that waits for outputs to be off, or None."""
    ladder = device.app.network.ladder
    return ladder and ladder.reset


async def _online(device, within_s=60):
    await device.until(lambda: device.online, within_s)


@pytest.mark.parametrize(("ends", "within_s"), [("join", 300), ("interface", 600)])
async def test_a_dead_association_is_joined_again_and_then_the_radio_is_restarted(device, ends, within_s):
    await _online(device)
    joins, restarts = len(device.radio.joins), device.radio.restarts
    device.radio.zombie = ends
    await device.until(lambda: device.net.carries() and device.online, within_s)
    assert len(device.radio.joins) > joins and device.board.resets == 0
    assert device.radio.restarts == restarts + (ends == "interface")


@pytest.mark.parametrize("most_tls", [1, 2])
async def test_a_dead_association_is_noticed_over_mqtt_too(virtual_loop, tmp_path, most_tls):
    """Where one connection fits, it is dialed before the code for it is loaded."""
    device = SimDevice(virtual_loop, tmp_path, demo_config(transport="mqtt"), mqtt=True, most_tls=most_tls)
    device.power_on()
    await _online(device)
    device.radio.zombie = "reset"
    await device.until(lambda: len(device.radio.joins) > 1, 600)
    await device.until(lambda: device.radio.restarts, 600)
    await device.until(lambda: device.board.resets, 1800)
    await device.power_off()


def _climbing(device):
    """What is done from now on, in order: (step, seconds since the last packet, what the pump does)."""
    loop, began = asyncio.get_running_loop(), asyncio.get_running_loop().time()
    climbed = []

    def noted(step="reset"):
        if device.radio.connected():  # a round of joining begins with both as well
            climbed.append((step, loop.time() - began, device.on("pump")))

    device.radio.on_remedy = device.board.on_reset = noted
    return climbed


@pytest.mark.config(edit=lambda config: config["safety"].update(silence_s=1800))
async def test_the_ladder_is_climbed_step_by_step(device):
    await _online(device)
    await pump(device, 1, 15)
    opened, dials = len(device.history.of("open")), device.net.dials
    device.net.cut()
    await asyncio.sleep(30)
    assert len(device.history.of("open")) == opened, "a kept connection that ended is dialed again, no more"
    assert device.net.dials == dials + 1 and device.online
    device.radio.zombie = "reset"
    climbed = _climbing(device)
    await device.until(lambda: not device.online, 60)
    await device.until(lambda: device.history.of("open")[opened:], 60)
    assert climbed == [], "first the link is opened again"
    asked = len(device.net.asked)
    await device.until(lambda: "reset" in [step for step, *_ in climbed], 3600)
    assert [step for step, *_ in climbed] == ["join", "interface", "join", "interface", "reset"]
    ages = [age for _, age, _ in climbed]
    # Two failures are the evidence, then 2 min, 3 min, and for a reset 10 min more; the next round waits twice as long.
    assert 120 < ages[0] < 240 and 180 < ages[1] - ages[0] < 240
    assert 600 + 240 < ages[2] - ages[1] < 900 + 60 and 360 < ages[3] - ages[2] < 420
    # The reset was due after the first round. It came when the safe state had switched the pump off.
    assert [on for *_, on in climbed] == [True] * 4 + [False]
    assert 1780 < ages[4] < 1800 + 40
    assert len(device.net.asked) == asked, "nothing was received meanwhile"


@pytest.mark.gate
async def test_queries_and_attempts_take_turns(device):
    """The heap of a stock image has no room for the code of both."""
    await _online(device)
    device.radio.zombie = "reset"
    net = device.net
    busy, seen = [], []

    def noting(name, act):
        async def noted(*args, **options):
            if args[0] == GATEWAY:  # part of a query
                return await act(*args, **options)
            busy.append(name)
            seen.append(" beside ".join(busy))
            try:
                return await act(*args, **options)
            finally:
                busy.remove(name)

        return noted

    net.keep_time, net.dial = noting("query", net.keep_time), noting("attempt", net.dial)
    await asyncio.sleep(2 * 3600)
    assert set(seen) == {"query", "attempt"}
    assert seen.count("query") > 100 and seen.count("attempt") > 20


async def test_a_radio_that_only_a_reset_recovers_gets_an_orderly_reset(device):
    await _online(device)
    await pump(device, 1, 15)
    device.radio.zombie = "reset"
    await device.until(lambda: device.board.resets, 1800)
    assert not device.on("pump") and device.radio.restarts
    await device.power_off()
    device.power_on()
    await _online(device)


async def _pressed_in_the_safe_state(device):
    await _online(device)
    device.radio.zombie = "reset"
    await device.until(lambda: device.app.controller.safety.safe, 600)
    device.press()


@pytest.mark.gate
@pytest.mark.button
async def test_a_reset_waits_while_an_output_is_on(device):
    await _pressed_in_the_safe_state(device)
    await device.until(lambda: device.on("pump"), 1)
    await asyncio.sleep(3600)
    assert device.on("pump") and not device.board.resets
    device.press()
    await device.until(lambda: device.board.resets, 60)


@pytest.mark.thorough
@pytest.mark.button
async def test_a_reset_waits_no_longer_than_its_bound(device):
    await _pressed_in_the_safe_state(device)
    await device.until(lambda: _waits(device), 1800)
    _waits(device).after_ms = 3600000
    await asyncio.sleep(3500)
    assert device.on("pump") and not device.board.resets
    await device.until(lambda: device.board.resets, 150)  # a query may have begun just before


@pytest.mark.thorough
@pytest.mark.button
async def test_a_pending_reset_is_withdrawn_after_an_answer(device):
    await _pressed_in_the_safe_state(device)
    await device.until(lambda: _waits(device), 1800)
    device.radio.zombie = ""
    await _online(device, 120)
    device.press()
    await device.until(lambda: not device.on("pump"), 1)
    await asyncio.sleep(3600)
    assert not device.board.resets and not _waits(device)


@pytest.mark.thorough
async def test_after_a_useless_reset_the_next_one_waits_for_hours(device):
    device.radio.zombie = "defect"
    await asyncio.sleep(5 * 3600)
    assert not device.board.resets and device.radio.restarts and len(device.radio.joins) > 3
    await device.until(lambda: device.board.resets, 20 * 3600)


def _away(device):
    device.net.away = True
    device.net.cut()


def _refuses(device):
    device.faults.add("any drop")


def _fails(device):
    device.faults.add("any status=503")


@pytest.mark.thorough
@pytest.mark.parametrize("down", [_away, _refuses, _fails])
async def test_an_outage_of_the_cloud_leads_to_no_step(device, down):
    await _online(device)
    joins = len(device.radio.joins)
    down(device)
    await asyncio.sleep(2 * 3600)
    assert not device.online
    assert (len(device.radio.joins), device.radio.restarts, device.board.resets) == (joins, 0, 0)
    assert not _waits(device)


@pytest.mark.gate("names", "time")
@pytest.mark.parametrize("answers", ["gateway", "names", "time"])
async def test_any_answer_keeps_the_ladder_unused(device, answers):
    await _online(device)
    joins = len(device.radio.joins)
    device.net.away = True
    device.net.cut()
    if answers != "gateway":
        device.net.gateway_answers = False
    if answers != "names":
        device.net.dns_mode = "silent"
    if answers != "time":
        device.net.ntp_mode = "silent"
    await asyncio.sleep(2 * 3600)
    assert (len(device.radio.joins), device.radio.restarts, device.board.resets) == (joins, 0, 0)


@pytest.mark.thorough
async def test_a_wifi_outage_of_half_a_day_leads_to_no_reset(device):
    await _online(device)
    device.radio.air.clear()
    await asyncio.sleep(12 * 3600)
    assert not device.board.resets and not _waits(device)
    device.radio.air["bench"] = WIFI_PASSWORD
    await _online(device, 90)


@pytest.mark.thorough
async def test_a_slow_poller_is_not_treated_as_without_network(device):
    await _online(device)
    device.app.link.account.cfg["poll_s"] = 3600
    joins = len(device.radio.joins)
    await asyncio.sleep(3 * 3600)
    assert (len(device.radio.joins), device.net.ladder_unit.loads) == (joins, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("lack", LACKS)
async def test_short_memory_climbs_the_ladder_to_radio_and_reset(device, lack):
    await _online(device)
    await asyncio.sleep(600)
    device.net.lacks = lack
    device.net.cut()
    # The HTTPS half makes room.
    await device.until(lambda: device.net.memory_failures == 1 and not device.app.link.http, 30)
    await device.until(lambda: device.radio.restarts == 1, 120)
    assert not device.board.resets
    await device.until(lambda: device.board.resets, 600)


async def test_the_radio_is_restarted_after_three_attempts_that_lacked_memory(device):
    await _online(device)
    await asyncio.sleep(600)
    opened = len(device.history.of("open"))
    device.net.lacks = LACKS[0]
    device.net.cut()
    await device.until(lambda: device.radio.restarts, 120)
    assert device.history.of("open")[opened:] == [LinkError] * 3, (
        "the end of a steady connection is no attempt"
    )


@pytest.mark.thorough
@pytest.mark.parametrize("lack", LACKS)
async def test_memory_that_recovers_ends_the_ladder(device, lack):
    await _online(device)
    await asyncio.sleep(600)
    device.net.lacks = lack
    device.net.cut()
    await device.until(lambda: device.radio.restarts == 1, 120)
    device.net.lacks = None
    await _online(device, 60)
    await asyncio.sleep(120)
    device.net.cut()
    await asyncio.sleep(3600)
    assert device.online and not device.board.resets and device.radio.restarts == 1
    assert not _waits(device)


async def test_a_reset_for_lack_of_memory_waits_for_an_output_that_is_on(device):
    await _online(device)
    await asyncio.sleep(600)
    await pump(device, 1, 15)
    device.net.lacks = LACKS[0]
    device.net.cut()
    await device.until(lambda: _waits(device), 280)
    await device.until(lambda: not device.on("pump"), 310)
    assert not device.board.resets, "the safe state came first"
    await device.until(lambda: device.board.resets, 5)


async def test_no_reset_for_lack_of_memory_in_the_first_ten_minutes(device):
    device.net.lacks = LACKS[1]
    await asyncio.sleep(590)
    assert not device.board.resets
    await device.until(lambda: device.board.resets, 120)


async def test_a_memory_error_in_the_ladder_does_not_stop_the_loop(device):
    await _online(device)
    device.net.ladder_unit.full = True
    device.radio.zombie = "join"
    await asyncio.sleep(3600)
    assert not device.app.controller.safety.faults and device.app.supervisor.silent is None
    device.net.ladder_unit.full = False
    await _online(device, 300)


async def test_a_fragmented_heap_ends_in_an_orderly_reset(device):
    await _online(device)
    await asyncio.sleep(600)

    def no_room(up, data):
        raise MemoryError("memory allocation failed")

    device.net.on_bytes = no_room
    await device.until(lambda: device.board.resets, 900)
    assert not device.app.controller.safety.faults
    assert device.model.reported(DEVICE_ID, "6") == "0.0"
