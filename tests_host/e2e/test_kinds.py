"""Sensors and outputs of every kind on the real MicroPython, at the pins of the virtual board."""

import asyncio

import pytest

from tools.fixture.system import SystemFixture

pytestmark = pytest.mark.gate

SENSORS = [
    {"kind": "digital", "gpio": 13, "pin_port": "70", "name": "door"},
    {
        "kind": "analog",
        "gpio": 32,
        "pin_port": "71",
        "name": "tank",
        "deadband": 1,
        "points": [[0.5, 0], [2.5, 100]],
    },
    {"kind": "ds18b20", "gpio": 4, "pin_port": "72", "name": "attic", "address": "28ff000000000002"},
    {"kind": "ds18b20", "gpio": 4, "pin_port": "73", "name": "cellar", "address": "28ff000000000003"},
    {
        "kind": "dht22",
        "gpio": 18,
        "pin_port": "74",
        "name": "bath",
        "humidity": {"pin_port": "75", "name": "damp"},
    },
    {"kind": "counter", "gpio": 21, "pin_port": "77", "name": "meter", "per_unit": 2, "period_s": 1},
    {"kind": "dht11", "gpio": 19, "pin_port": "76", "name": "hall"},
]
ON_I2C = [
    {
        "kind": "sht3x", "sda": 25, "scl": 26, "pin_port": "80", "name": "loft",
        "humidity": {"pin_port": "81", "name": "haze"},
    },
    {
        "kind": "bme280", "sda": 25, "scl": 26, "pin_port": "82", "name": "shed",
        "humidity": {"pin_port": "83", "name": "mist"}, "pressure": {"pin_port": "84", "name": "weather"},
    },
]  # fmt: skip


def _more(config):
    config["outputs"][1] = {"pin_port": "9", "name": "lamp", "gpio": 17, "mode": "pwm", "active": "low"}
    config["sensors"] = config["sensors"][:1] + SENSORS


async def test_sensors_on_one_i2c_bus_read_and_fail_each_for_itself(smallest):
    def edit(config):
        config["sensors"] = config["sensors"][:1] + ON_I2C

    async with SystemFixture(smallest, edit=edit) as fixture:
        await fixture.online()

        async def read():
            return dict(map(tuple, (await fixture.status())["readings"]))

        readings = await read()
        for name in ("room", "loft", "shed"):
            assert abs(readings[name] - fixture.plant.sensor_c) < 3, (name, readings)
        for name, expected in (("haze", 45), ("mist", 45), ("weather", 1013.25)):
            assert abs(readings[name] - expected) < 0.1, (name, readings)
        fixture.plant.break_sensor("loft", "open")
        async with asyncio.timeout(30):
            while readings["loft"] is not None:
                await asyncio.sleep(0.5)
                readings = await read()
        assert readings["haze"] is None and abs(readings["weather"] - 1013.25) < 0.1
        fixture.plant.break_sensor("shed", "short")  # the data line is held low for both
        fixture.plant.break_sensor("loft", None)
        async with asyncio.timeout(30):
            while readings["shed"] is not None:
                await asyncio.sleep(0.5)
                readings = await read()
        assert [readings[name] for name in ("loft", "haze", "mist", "weather")] == [None] * 4
        fixture.plant.break_sensor("shed", None)
        async with asyncio.timeout(30):
            while None in readings.values():
                await asyncio.sleep(0.5)
                readings = await read()


async def test_every_kind_reads_what_is_at_its_pin(smallest):
    async with SystemFixture(smallest, edit=_more, powered=False) as fixture:
        fixture.plant.stick(13, 0)
        fixture.plant.volts[32] = 2.0
        await fixture.board.power_on()
        await fixture.online()
        readings = dict(map(tuple, (await fixture.status())["readings"]))
        assert readings["door"] == 1 and abs(readings["tank"] - 75) < 2, readings
        for name in ("room", "attic", "cellar", "bath", "hall"):
            assert abs(readings[name] - fixture.plant.sensor_c) < 3, (name, readings)
        assert readings["damp"] == 45
        assert readings["meter"] == 0
        fixture.want("9", 30)
        await fixture.until("the lamp is dimmed", lambda: 69 < fixture.plant.duties[17] < 71, 10)
        for _ in range(5):
            fixture.plant.pulse(21, 2)
        fixture.plant.stick(13, 1)
        fixture.plant.break_sensor("tank", "open")

        async with asyncio.timeout(30):
            while (readings["door"], readings["tank"], readings["meter"]) != (0, None, 5):
                await asyncio.sleep(0.2)
                readings = dict(map(tuple, (await fixture.status())["readings"]))


def _outputs(config):
    config["time"]["zone"] = "CET-1CEST,M3.5.0,M10.5.0/3"
    config["outputs"] = [
        {"pin_port": "6", "name": "strike", "gpio": 16, "mode": "pulse", "pulse_ms": 1000},
        {"pin_port": "9", "name": "blind", "gpio": 22, "mode": "cover", "open_s": 4, "safe": 0, "active": "low",
         "close": {"gpio": 23}, "overrun_s": 1, "schedule": [{"hour": 0, "value": 0}]},
    ]  # fmt: skip


async def test_a_cover_and_a_pulse_do_as_they_should(smallest):
    async with SystemFixture(smallest, edit=_outputs) as fixture:
        await fixture.online()
        blind = fixture.plant.loads["blind"]
        fixture.want("9", 30)
        await fixture.until("the blind is there", lambda: fixture.reported("9") == "30.0", 30)
        assert abs(blind.position - 30) < 5
        fixture.want("6", 1)
        driven = lambda: [level for gpio, level, _ in fixture.pins if gpio == 16]  # noqa: E731
        await fixture.until("the strike lets go, and holds again", lambda: driven()[-2:] == [1, 0], 10)
        assert not blind.clashed and blind.shortest_rest_ms >= 450
    assert fixture.model.violations == []
