"""Sensors of every kind on the real MicroPython, read from the pins of the virtual board."""

import asyncio

from tools.fixture.system import SystemFixture

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


def _more(config):
    config["outputs"][1] = {"pin_port": "9", "name": "lamp", "gpio": 17, "mode": "pwm", "active": "low"}
    config["sensors"] = config["sensors"][:1] + SENSORS


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
