"""The network goes away and comes back: what the outputs do meanwhile, and what the cloud learns afterwards."""

import asyncio

import pytest

from tests_host.sim.conftest import pump, pump_on
from tools.sim.sim_device import DEVICE_ID, WIFI_PASSWORD


async def test_a_wifi_outage_leads_to_safe_state_and_reconciliation(device):
    await pump_on(device)
    device.radio.air.clear()
    safe_after = await device.until(lambda: not device.on("pump"), 400)
    assert 280 <= safe_after <= 311, "silence_s is 300, counted from the last answer"
    assert device.app.controller.safety.safe
    await asyncio.sleep(3600)
    assert not device.on("pump")
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.on("pump"), 400)
    assert not device.app.controller.safety.safe
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 60)
    values = [f["value"] for f in device.feed("command") if f["command_id"] == 1]
    assert values == ["0.0", "1.0", "0.0", "1.0"], (
        "the fall into the safe state is reported too, with its own time"
    )


async def test_a_short_outage_toggles_nothing(device):
    await pump_on(device)
    device.radio.air.clear()
    for _ in range(240):
        await asyncio.sleep(0.5)
        assert device.on("pump")
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 200)
    assert device.on("pump")
    assert device.history.of("safe") == [True, False]
    assert device.history.of("relay", "pump") == [False, True]


@pytest.mark.parametrize("silent", [True, False])
async def test_a_dead_connection_is_detected_and_replaced(device, silent):
    await pump_on(device)
    device.net.silent = silent
    device.net.cut()
    await asyncio.sleep(60)
    device.net.silent = False
    await device.until(lambda: device.net.dials == 2 and device.online, 60)
    await pump(device, 0, 15)


@pytest.mark.button
async def test_the_button_works_without_any_network(device):
    device.radio.air.clear()
    await asyncio.sleep(2)
    device.press()
    assert await device.until(lambda: device.on("pump"), 1) <= 0.3
    await asyncio.sleep(1)
    device.press()
    await device.until(lambda: not device.on("pump"), 1)


@pytest.mark.button
async def test_a_button_held_toggles_once(device):
    await asyncio.sleep(2)
    device.press(20_000)
    await device.until(lambda: device.on("pump"), 1)
    for _ in range(100):
        await asyncio.sleep(0.2)
        assert device.on("pump")


@pytest.mark.button
async def test_a_local_change_is_reported_as_one(device):
    await device.until(lambda: device.online, 60)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "0.0", 60)
    device.press()
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 30)
    printed = [f for f in device.feed("command") if f["command_id"] == 1][-1]
    assert "desired_id" not in printed and "report_status" not in printed
    await asyncio.sleep(120)
    assert device.on("pump"), "an unchanged desired value is not a new one"


@pytest.mark.button
async def test_a_manual_override_is_newer_than_an_unchanged_desired_value(device):
    await pump_on(device)
    device.radio.air.clear()
    await device.until(lambda: not device.on("pump"), 400)
    device.press()
    await device.until(lambda: device.on("pump"), 1)
    await asyncio.sleep(1)
    device.press()
    await device.until(lambda: not device.on("pump"), 1)
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 400)
    await asyncio.sleep(60)
    assert not device.on("pump")
    device.want("6", 0)
    await asyncio.sleep(30)
    await pump(device, 1, 30)


def _wait_for_new_desired_value(config):
    config["outputs"][0]["after_lapse"] = "wait"


@pytest.mark.config(edit=_wait_for_new_desired_value)
async def test_after_lapse_wait_stays_safe_until_the_desired_value_changes(device):
    device.want("6", 1)
    await device.until(lambda: device.online, 60)
    await asyncio.sleep(60)
    assert not device.on("pump"), "a polled value from before power-up is not applied by itself"
    device.want("6", 0)
    await asyncio.sleep(30)
    await pump(device, 1, 30)
    device.radio.air.clear()
    await device.until(lambda: not device.on("pump"), 400)
    device.radio.air["bench"] = WIFI_PASSWORD
    await device.until(lambda: device.online, 400)
    await asyncio.sleep(120)
    assert not device.on("pump")


def _fallback(config):
    config["outputs"][1]["safe"] = 12.0


@pytest.mark.config(edit=_fallback)
async def test_a_fallback_setpoint_is_regulated_without_a_cloud(device):
    device.radio.air.clear()
    device.plant.set_room(10.0)
    await device.until(lambda: device.on("heater"), 30)
    await device.until(lambda: not device.on("heater"), 4 * 3600)
    assert 11.5 < device.plant.room_c < 13.5


@pytest.mark.parametrize("fault", ["open", "short"])
async def test_a_sensor_fault_makes_only_its_regulator_safe(device, fault):
    await pump_on(device)
    device.want("9", 30)
    await device.until(lambda: device.on("heater"), 30)
    device.plant.break_sensor("ntc", fault)
    assert await device.until(lambda: not device.on("heater"), 15) <= 6
    count = len([f for f in device.feed("sensor") if f["sensor_id"] == 1])
    await asyncio.sleep(900)
    assert device.on("pump") and not device.on("heater")
    assert len([f for f in device.feed("sensor") if f["sensor_id"] == 1]) <= count + 1
    device.plant.break_sensor("ntc", None)
    await device.until(lambda: device.on("heater"), 15)


async def test_a_pin_that_does_not_follow_is_reported_as_it_is(device):
    await device.until(lambda: device.online, 60)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "0.0", 60)
    device.plant.stick(16, 0)
    device.want("6", 1)
    await asyncio.sleep(60)
    assert device.model.reported(DEVICE_ID, "6") == "0.0"
    assert device.app.controller.outputs[0].fault
    device.plant.stick(16, None)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 30)


async def test_a_pin_that_recovers_after_its_desired_state_expired_stays_off(device):
    """Found by the simulation: the driven level stayed on, and the relay pulled when the pin could follow again."""
    await device.until(lambda: device.online, 60)
    device.plant.stick(16, 0)
    device.want("6", 1)
    await device.until(lambda: device.app.controller.outputs[0].fault, 30)
    device.want("6", 0)
    await asyncio.sleep(30)
    device.plant.stick(16, None)
    assert not device.on("pump")
    await asyncio.sleep(30)
    assert not device.on("pump") and not device.app.controller.outputs[0].fault
