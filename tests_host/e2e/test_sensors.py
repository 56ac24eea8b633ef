"""Sensors of every kind on the real MicroPython, read from the pins of the virtual board."""

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
]


def _more(config):
    config["sensors"] = config["sensors"][:1] + SENSORS


async def test_every_kind_reads_what_is_at_its_pin(smallest):
    async with SystemFixture(smallest, edit=_more, powered=False) as fixture:
        fixture.plant.stick(13, 0)
        fixture.plant.volts[32] = 2.0
        await fixture.board.power_on()
        await fixture.online()
        readings = dict(map(tuple, (await fixture.status())["readings"]))
        assert readings["door"] == 1 and abs(readings["tank"] - 75) < 2, readings
        assert abs(readings["room"] - fixture.plant.sensor_c) < 3
        fixture.plant.stick(13, 1)
        fixture.plant.break_sensor("tank", "open")

        async def changed():
            return dict(map(tuple, (await fixture.status())["readings"]))

        for _ in range(10):
            readings = await changed()
            if readings["door"] == 0 and readings["tank"] is None:
                break
        assert readings["door"] == 0 and readings["tank"] is None, readings
