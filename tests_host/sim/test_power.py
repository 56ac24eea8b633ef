"""The plug is pulled: what the cloud learns afterwards, and in which state the outputs come back."""

import asyncio
import calendar
import itertools
import time

import pytest

from tests_host.sim.conftest import pump
from tools.sim.sim_device import DEVICE_ID, WIFI_PASSWORD


async def _power_cut(device, seconds=5):
    await device.power_off()
    await asyncio.sleep(seconds)
    device.power_on()


@pytest.mark.button
async def test_events_of_an_outage_survive_a_power_cut_unchanged(device):
    await device.until(lambda: device.online, 60)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "0.0", 60)
    device.radio.air.clear()
    await asyncio.sleep(5)
    device.press()
    await device.until(lambda: device.on("pump"), 1)
    await asyncio.sleep(1)
    outbox = device.app.controller.outbox
    (event,) = [outbox.complete(r) for r in outbox.reports if r.source == "command"]
    await _power_cut(device)
    assert not device.on("pump")
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 90)
    await device.until(lambda: not len(device.app.controller.outbox), 60)
    (printed,) = [f for f in device.feed("command") if f["message_id"] == event.message_id]
    assert printed["value"] == "1.0"
    assert device.model.reported(DEVICE_ID, "6") == "0.0", "the relay fell with the power"


@pytest.mark.button
async def test_a_lost_acknowledgement_makes_no_second_event(device):
    await device.until(lambda: device.online, 60)
    await asyncio.sleep(30)
    device.faults.add("feed-data drop")
    device.faults.add("batches drop")
    device.press()
    await device.until(lambda: len(device.model.named("fault")) > 0, 30)
    await _power_cut(device)
    device.faults.clear()
    await device.until(lambda: device.online, 90)
    await device.until(lambda: not len(device.app.controller.outbox), 60)
    presses = [f for f in device.feed("command") if f["value"] == "1.0"]
    assert len(presses) == 1
    assert device.model.named("feed_replayed") and not device.model.named("feed_conflict")


@pytest.mark.button
@pytest.mark.parametrize("cut", [False, True])
async def test_every_press_before_the_first_contact_is_an_event_with_its_own_time(device, cut):
    device.net.ntp_mode = "silent" if cut else ""
    if not cut:
        device.faults.add("token status=503")
    for on in (True, False, True, False):
        await asyncio.sleep(20)
        device.press()
        await device.until(lambda on=on: device.on("pump") == on, 1)
    await asyncio.sleep(2)
    assert not device.feed()
    if cut:
        await _power_cut(device)
        device.net.ntp_mode = ""
    device.faults.clear()
    await device.until(lambda: device.online, 400)
    await device.until(lambda: not len(device.app.controller.outbox), 60)
    reports = [f for f in device.feed("command") if f["command_id"] == 1]
    assert [f["value"] for f in reports] == ["1.0", "0.0", "1.0", "0.0", "0.0"]
    if not cut:
        seconds = [iso_seconds(f["value_received_at"]) for f in reports[:4]]
        gaps = [b - a for a, b in itertools.pairwise(seconds)]
        assert all(19 <= gap <= 22 for gap in gaps), gaps


def iso_seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def _hold(config):
    config["outputs"][0] |= {"safe": "hold", "min_off_s": 20}


@pytest.mark.button
@pytest.mark.config(edit=_hold)
async def test_an_output_on_hold_is_restored_without_a_cloud(device):
    await device.until(lambda: device.online, 60)
    await pump(device, 1, 40)
    await asyncio.sleep(2)
    device.radio.air.clear()
    await _power_cut(device)
    await asyncio.sleep(15)
    assert not device.on("pump"), "limits hold first"
    await device.until(lambda: device.on("pump"), 10)
    device.press()
    await device.until(lambda: not device.on("pump"), 1)
    await asyncio.sleep(2)
    await _power_cut(device)
    await asyncio.sleep(60)
    assert not device.on("pump")


def _safe_is_on(config):
    pump = config["outputs"][0]
    pump |= {"safe": "on", "boot": "off", "min_off_s": 60}


@pytest.mark.config(edit=_safe_is_on)
async def test_min_off_s_counts_from_the_start_with_a_safe_state_of_on(device):
    device.want("6", 1)
    for _ in range(2):
        assert not device.on("pump")
        took = await device.until(lambda: device.on("pump"), 70)
        assert 59 <= took <= 62
        await device.power_off()
        device.power_on()


def _safe_and_boot_are_on(config):
    config["outputs"][0] |= {"safe": "on", "boot": "on", "min_off_s": 60}


@pytest.mark.config(edit=_safe_and_boot_are_on)
async def test_an_output_with_boot_on_stays_on(device):
    device.want("6", 1)
    await asyncio.sleep(70)
    assert device.history.of("relay", "pump") == [True]
