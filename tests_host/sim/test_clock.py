"""Time servers that lie, and certificates whose dates do not fit the clock."""

import asyncio

import pytest

from firmware.runtime import control_loop

FALSE_SERVER, HONEST = "ntp.realer.test", "ntp2.realer.test"
FUTURE_S = 10 * 365 * 86400
PAST_S = -410 * 86400


@pytest.fixture(autouse=True)
def _calm(monkeypatch):
    monkeypatch.setattr(control_loop, "_TICK_MS", 1000)
    monkeypatch.setattr(control_loop, "_SCAN_MS", 1000)


def _off_s(device):
    return abs(device.app.network.clock.utc() - device.wall())


@pytest.mark.parametrize("error_s", [FUTURE_S, PAST_S])
async def test_a_wrong_first_time_is_detected_by_the_certificate(device, error_s):
    device.net.checks_dates, device.net.floor_s = True, 0
    device.net.liars[FALSE_SERVER] = error_s
    assert await device.until(lambda: device.online, 120) < 60
    assert _off_s(device) < 60 and device.net.asked[:2] == [FALSE_SERVER, HONEST]


@pytest.mark.thorough
@pytest.mark.parametrize("error_s", [FUTURE_S, PAST_S])
async def test_a_wrong_time_beside_a_valid_clock_is_rejected(device, error_s):
    device.net.checks_dates, device.net.floor_s = True, 0
    await device.until(lambda: device.online, 60)
    device.net.liars[FALSE_SERVER] = error_s
    for _ in range(13):
        await asyncio.sleep(3600)
        assert _off_s(device) < 60
    assert device.online and device.net.asked.count(FALSE_SERVER) > 1


@pytest.mark.thorough
async def test_a_clock_that_is_wrong_is_set_when_servers_agree(device):
    await device.until(lambda: device.online, 60)
    device.app.network.clock.set_utc(int(device.wall()) + 86400)
    await device.until(lambda: _off_s(device) < 60, 6.1 * 3600)


@pytest.mark.thorough
async def test_a_single_time_server_cannot_move_a_valid_clock(device):
    device.net.checks_dates, device.net.floor_s = True, 0
    await device.until(lambda: device.online, 60)
    device.net.liars = {FALSE_SERVER: FUTURE_S, HONEST: PAST_S}
    await asyncio.sleep(7 * 3600)
    assert _off_s(device) < 60 and device.online


async def test_an_expired_certificate_causes_few_time_queries(device):
    await device.until(lambda: device.online, 60)
    device.net.expired = True
    device.net.cut()
    before = len(device.net.asked)
    await asyncio.sleep(3600)
    assert not device.online and 2 <= len(device.net.asked) - before < 3600 / 30 * 3
    device.net.expired = False
    await device.until(lambda: device.online, 330)


async def test_the_link_is_opened_at_once_when_the_clock_is_set(device):
    device.net.checks_dates = True
    await device.until(lambda: device.online, 60)
    device.net.ntp_mode = "silent"
    device.app.network.clock.set_utc(int(device.wall()) + FUTURE_S)
    device.net.cut()
    await asyncio.sleep(400)
    assert not device.online
    device.net.ntp_mode = ""
    assert await device.until(lambda: device.online, 120) < 75


async def test_a_clock_that_is_set_runs_on_while_there_is_no_room_to_ask_for_the_time(device):
    await device.until(lambda: device.online, 60)
    before, device.net.free_heap = len(device.net.asked), 12000
    await asyncio.sleep(6.5 * 3600)
    looks = device.net.heap_looks  # each of them collects garbage; polling has some, too
    await asyncio.sleep(1.5 * 3600)
    assert device.online and len(device.net.asked) == before and device.net.heap_looks - looks < 3000
    device.net.free_heap = 65536
    await device.until(lambda: len(device.net.asked) > before, 60)


async def test_a_clock_that_was_never_set_asks_for_the_time_with_little_room(device):
    device.net.free_heap = 12000
    await device.until(lambda: device.online, 120)


async def test_a_clock_that_is_set_waits_for_a_change_of_the_transport(device):
    await device.until(lambda: device.online, 60)
    before = len(device.net.asked)
    device.net.changing_transport = True
    await asyncio.sleep(8 * 3600)
    assert len(device.net.asked) == before
    device.net.changing_transport = False
    await device.until(lambda: len(device.net.asked) > before, 60)
