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
@pytest.mark.parametrize("method", ["tick", "press"])
async def test_a_crashed_control_loop_leaves_the_outputs_safe(device, method):
    await pump_on(device)

    def bug(*arguments):
        raise MemoryError("allocation failed")

    setattr(device.app.controller, method, bug)
    device.press()
    await device.until(lambda: not device.on("pump"), 1)


async def test_a_crash_without_memory_for_its_log_ends_in_a_reset_with_safe_outputs(device):
    await pump_on(device)

    def no_memory(*arguments):
        raise MemoryError("allocation failed")

    device.app.supervisor.log = device.app.controller.tick = no_memory
    await device.until(lambda: device.board.resets, 1)
    assert not device.on("pump")


@pytest.mark.gate
async def test_a_link_that_stays_short_of_memory_ends_in_a_reset(device):
    """An orderly one, not in the first ten minutes: the ladder's, see core.escalation."""
    await device.until(lambda: device.online, 60)

    failures, forced = [], []
    force_safe = device.app.controller.force_safe

    async def in_pieces():
        failures.append(1)
        raise MemoryError("allocation failed")

    def noted():
        forced.append(len(failures))
        force_safe()

    device.app.link.next_desired, device.app.controller.force_safe = in_pieces, noted
    await device.until(lambda: device.board.resets, 720)
    assert len(failures) >= 6 and device.app.network.clock.uptime_s() >= 600
    assert min(forced, default=6) >= 6, "the first five were the link's, and no reason to switch anything"
    assert not device.on("pump")


async def test_the_watchdog_times_out_when_a_loop_hangs(device):
    await device.until(lambda: device.online, 60)
    fed = len(device.board.fed)
    await asyncio.sleep(60)
    assert len(device.board.fed) >= fed + 50

    async def hang(*arguments):
        await asyncio.Event().wait()

    device.app.link.next_desired = hang
    await asyncio.sleep(330)
    fed = len(device.board.fed)
    await asyncio.sleep(60)
    assert len(device.board.fed) == fed
    assert device.model.reported(DEVICE_ID, "6")
