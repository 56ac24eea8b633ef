"""From power-up to the first report, with and without obstacles."""

import asyncio

import pytest

from firmware.core.models import iso
from netio.errors import NetError
from tools.cloud import dns
from tools.sim.sim_board import Point
from tools.sim.sim_device import DEVICE_ID, POWER_UP_UTC, WIFI_PASSWORD


async def test_powers_up_applies_and_reports(device):
    assert not device.on("pump")
    await device.until(lambda: device.online, 20)
    device.want("6", 1)
    assert await device.until(lambda: device.on("pump"), 15) <= 10.25
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 15)
    await device.until(lambda: {f["sensor_id"] for f in device.feed("sensor")} == {1, 2}, 15)
    assert device.net.dials == 1


@pytest.mark.thorough
async def test_regulates_while_reporting(device):
    device.want("9", 19.0)
    await device.until(lambda: device.on("heater"), 60)
    await device.until(lambda: not device.on("heater"), 4 * 3600)
    assert 18.5 < device.plant.room_c < 20.5
    await asyncio.sleep(3 * 3600)
    assert 18 < device.plant.room_c < 20.5
    reported = [float(f["value"]) for f in device.feed("sensor") if f["sensor_id"] == 1]
    assert reported and all(15 < value < 22 for value in reported)


@pytest.mark.button
async def test_readings_before_the_clock_wait_for_it(device):
    device.net.ntp_mode = "silent"
    await asyncio.sleep(120)
    assert device.net.dials == 0, "no TLS before the clock is set"
    device.press()
    device.app.controller.outbox.post("sensor", 1, 17.0)
    await asyncio.sleep(30)
    assert device.feed() == []
    device.net.ntp_mode = ""
    await device.until(lambda: device.feed("sensor"), 120)
    times = [f["value_received_at"] for f in device.feed("sensor")]
    assert iso(POWER_UP_UTC + 119) <= min(times) <= iso(POWER_UP_UTC + 121), (
        "stamped with the time it was measured"
    )


@pytest.mark.parametrize(
    ("mode", "offset_s"),
    [
        *((mode, 0) for mode in ("kiss", "stratum0", "unsynchronized", "wrong_origin", "short")),
        ("", -10 * 365 * 86400),  # before the build
    ],
)
async def test_an_invalid_time_is_rejected(device, mode, offset_s):
    device.net.ntp_mode, device.net.ntp_offset_s = mode, offset_s
    await asyncio.sleep(60)
    assert device.app.state() == "no_time"
    device.net.ntp_mode, device.net.ntp_offset_s = "", 0.0
    await device.until(lambda: device.online, 120)


@pytest.mark.parametrize("mode", dns.FAILING)
async def test_the_start_waits_for_dns(device, mode):
    device.net.dns_mode = mode
    await asyncio.sleep(120)
    assert not device.online
    device.net.dns_mode = ""
    await device.until(lambda: device.online, 120)


@pytest.mark.parametrize("mode", dns.ODD)
async def test_dns_records_in_any_order_are_understood(device, mode):
    device.net.dns_mode = mode
    await device.until(lambda: device.online, 30)


@pytest.mark.gate
async def test_late_wifi_is_joined_without_a_reset(device):
    device.radio.air.clear()
    await asyncio.sleep(3 * 3600)
    assert device.board.resets == 0
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 400)


def _two_networks(config):
    config["wifi"]["networks"].insert(0, {"ssid": "cellar", "password": WIFI_PASSWORD})


@pytest.mark.config(edit=_two_networks)
async def test_the_second_known_network_is_tried_too(device):
    device.radio.points.append(Point("cellar", "another-password-not-real"))
    await device.until(lambda: device.online, 90)
    assert device.radio.joins[:2] == ["cellar", "bench"]


@pytest.mark.gate
@pytest.mark.parametrize("kind", ["tls", "connect", "closed", "timeout"])
async def test_a_connection_that_fails_is_tried_again_with_growing_waits(device, kind):
    device.net.refuse = NetError(kind, "no")
    await asyncio.sleep(3600)
    assert device.net.dials == 0 and not device.feed()
    attempts = device.history.of("open")
    assert 8 < len(attempts) < 60 and None not in attempts
    device.net.refuse = None
    await device.until(lambda: device.online, 320)
    await device.until(lambda: device.feed("sensor"), 30)


async def test_message_ids_differ_after_a_power_cut(device):
    await device.until(lambda: len(device.feed()) >= 4, 60)
    await device.power_off()
    before = len(device.feed())
    device.power_on()
    await device.until(lambda: len(device.feed()) >= before + 4, 60)
