"""Sensors that the cloud's catalog has under another kind, or not at all, in a whole device."""

import asyncio

import pytest

TANK = {
    "kind": "analog",
    "gpio": 32,
    "pin_port": "70",
    "name": "tank",
    "deadband": 1,
    "points": [[0.5, 0], [2.5, 100]],
}


def _door_and_tank(config):
    config["sensors"][1] = {
        "kind": "digital",
        "cloud_kind": "ldr_sensor",
        "gpio": 13,
        "pin_port": "15",
        "name": "door",
    }
    config["sensors"].append(TANK)


@pytest.mark.config(edit=_door_and_tank)
async def test_what_the_catalog_has_is_reported_and_the_rest_stays_local(device):
    device.plant.wiring = {**device.plant.wiring, "tank": TANK}
    device.plant.volts[32] = 1.5
    device.plant.stick(13, 1)
    await device.until(lambda: device.online, 60)

    def doors():
        return [f["value"] for f in device.feed("sensor") if f["sensor_id"] == 2]

    await device.until(lambda: doors() == ["0.0"], 60)
    device.plant.stick(13, 0)
    await device.until(lambda: doors() == ["0.0", "1.0"], 60)
    device.plant.volts[32] = 2.0
    await asyncio.sleep(60)
    assert abs(device.app.controller.readings["70"] - 75) < 1
    assert {f["sensor_id"] for f in device.feed("sensor")} == {1, 2}


def _by_tank(config):
    _door_and_tank(config)
    config["outputs"][1] |= {"sensor": "70", "min": 0, "max": 100, "action": "heat"}


@pytest.mark.config(edit=_by_tank)
async def test_an_output_regulates_by_a_sensor_that_the_cloud_does_not_know(device):
    device.plant.wiring = {**device.plant.wiring, "tank": TANK}
    device.plant.volts[32] = 0.6
    await device.until(lambda: device.online, 60)
    device.want("9", 30)
    await device.until(lambda: device.on("heater"), 60)
    device.plant.volts[32] = 2.0
    await device.until(lambda: not device.on("heater"), 60)
    device.plant.break_sensor("tank", "open")
    await device.until(lambda: device.app.controller.readings["70"] is None, 60)
    assert not device.on("heater")


BUS = [
    {
        "kind": "ds18b20", "gpio": 4, "pin_port": "14", "name": "room", "address": "28ff000000000001",
        "cloud_kind": "thermistor",
    },
    {"kind": "ds18b20", "gpio": 4, "pin_port": "71", "name": "attic", "address": "28ff000000000002"},
]  # fmt: skip
CELLAR = {
    "kind": "dht22", "gpio": 13, "pin_port": "72", "name": "cellar",
    "humidity": {"pin_port": "15", "name": "damp", "cloud_kind": "ldr_sensor"},
}  # fmt: skip


def _buses(config):
    config["sensors"] = [*BUS, CELLAR]


@pytest.mark.config(edit=_buses)
async def test_each_value_of_a_bus_has_its_port_and_faults_end_with_their_cause(device):
    plant = device.plant
    plant.wiring = {**plant.wiring, **{item["name"]: item for item in [*BUS, CELLAR]}}
    plant.set_room(21.5)
    await device.until(lambda: device.online, 60)
    readings = device.app.controller.readings
    await device.until(lambda: None not in [readings.get(port) for port in ("14", "71", "72", "15")], 60)
    assert abs(readings["14"] - 21.5) < 0.5 and readings["14"] == readings["71"]
    assert abs(readings["72"] - 21.5) < 0.5 and readings["15"] == 45
    await device.until(lambda: {f["sensor_id"] for f in device.feed("sensor")} == {1, 2}, 60)
    plant.break_sensor("attic", "open")
    plant.break_sensor("cellar", "short")
    await device.until(lambda: [readings[port] for port in ("71", "72", "15")] == [None] * 3, 60)
    assert readings["14"] is not None
    plant.break_sensor("attic", None)
    plant.break_sensor("cellar", None)
    await device.until(lambda: None not in [readings[port] for port in ("71", "72", "15")], 60)


METER = {
    "kind": "counter", "gpio": 13, "pin_port": "15", "name": "meter", "cloud_kind": "ldr_sensor", "per_unit": 10,
    "save_s": 60,
}  # fmt: skip


def _meter(config):
    config["sensors"][1] = METER


@pytest.mark.config(edit=_meter)
async def test_a_total_goes_on_after_a_power_cut(device):
    await device.until(lambda: device.online, 60)
    device.plant.pulse(13, 40)
    await device.until(lambda: device.app.controller.readings.get("15") == 4, 30)
    await asyncio.sleep(90)
    device.plant.pulse(13, 10)
    await device.power_off()
    device.power_on()
    await device.until(
        lambda: device.app.controller.readings.get("15") == 4, 60
    )  # the last ten were not written
    device.plant.pulse(13, 20)
    await device.until(
        lambda: [f["value"] for f in device.feed("sensor") if f["sensor_id"] == 2][-1] == "6.0", 120
    )
