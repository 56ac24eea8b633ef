"""A day in seconds, and the supervision of the loops themselves."""

import asyncio

import pytest

from firmware.runtime import cloud_loop, control_loop, network_loop
from tests_host.sim.conftest import pump_on
from tools.sim.sim_device import DEVICE_ID


def _no_button(config):
    """Without a button the control loop sleeps as long as it may."""
    config["buttons"] = []


@pytest.mark.thorough
@pytest.mark.config(edit=_no_button)
async def test_a_day_of_polling(device, monkeypatch):
    # What happens several times a second is no matter of a day.
    for module, name, ms in (
        (control_loop, "_TICK_MS", 1000),
        (cloud_loop, "_IDLE_MS", 2000),
        (network_loop, "_STEP_MS", 2000),
    ):
        monkeypatch.setattr(module, name, ms)
    device.physics_s = 5
    await device.until(lambda: device.online, 60)
    for hour in range(24):
        device.want("6", hour % 2)
        device.want("9", 18 + hour % 5)
        await asyncio.sleep(3600)
        assert device.on("pump") == bool(hour % 2)
    assert device.net.dials == 1
    assert device.app.controller.outbox.dropped == 0 and len(device.app.controller.outbox) < 5
    assert not device.model.named("unauthorized") and not device.model.named("cadence_exceeded")
    polls = len([e for e in device.model.named("catalog_read") if e.get("catalog", "commands") == "commands"])
    assert 8000 < polls < 9000
    heartbeats = [f for f in device.feed("sensor") if f["sensor_id"] == 1]
    assert len(heartbeats) >= 24 * 3600 // 300


async def test_a_crashed_loop_leads_to_safe_state_and_is_restarted(device):
    await pump_on(device)
    bugs = [ZeroDivisionError("a bug of our own")]

    def bug(up, data):
        if bugs:
            raise bugs.pop()

    device.net.on_bytes = bug
    await device.until(lambda: not device.on("pump"), 10)
    await device.until(lambda: device.on("pump") and device.online, 60)
    assert device.board.resets == 0


async def test_a_loop_that_keeps_crashing_ends_in_a_reset(device):
    await device.until(lambda: device.online, 60)

    def bug(up, data):
        raise ZeroDivisionError("a bug of our own")

    device.net.on_bytes = bug
    await device.until(lambda: device.board.resets, 600)
    assert not device.on("pump")


@pytest.mark.button
@pytest.mark.parametrize("part", ["button", "led"])
async def test_a_crashed_control_loop_leaves_the_outputs_safe(device, part):
    """Before the outputs are driven, and after that. The loop is restarted half a second later at the earliest."""
    await pump_on(device)

    def bug(used):
        if used == part:
            raise MemoryError("allocation failed")

    device.board.on_use = bug
    await device.until(lambda: not device.on("pump"), 0.4)


async def test_a_crash_without_memory_for_its_log_ends_in_a_reset_with_safe_outputs(device):
    await pump_on(device)

    def no_memory(what):
        raise MemoryError("allocation failed")

    device.board.on_use = device.on_line = no_memory
    await device.until(lambda: device.board.resets, 1)
    assert not device.on("pump")


@pytest.mark.gate
async def test_a_link_that_stays_short_of_memory_ends_in_a_reset(device):
    """An orderly one, not in the first ten minutes: the ladder's, see core.escalation."""
    await pump_on(device)
    switched = device.history.of("relay")
    failures = []

    def no_memory(up, data):
        if up:
            failures.append(device.history.of("relay"))
            raise MemoryError("allocation failed")

    device.net.on_bytes = no_memory
    await device.until(lambda: device.board.resets, 720)
    assert len(failures) >= 6 and device.app.network.clock.uptime_s() >= 600
    assert failures[5] == switched, "the first five failures concern the link, and switch nothing"
    assert not device.on("pump")


async def test_the_watchdog_times_out_when_a_loop_hangs(device):
    await device.until(lambda: device.online, 60)
    fed = len(device.board.fed)
    await asyncio.sleep(60)
    assert len(device.board.fed) >= fed + 50

    device.net.stuck = True
    await asyncio.sleep(330)
    fed = len(device.board.fed)
    await asyncio.sleep(60)
    assert len(device.board.fed) == fed
    assert device.model.reported(DEVICE_ID, "6")
