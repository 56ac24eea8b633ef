"""Values of sensors go to their items; a sensor that fails has none, and is logged once."""

from firmware.core.errors import DriverError
from firmware.runtime.sampling_loop import SamplingLoop
from tests_host.support.scripted import FakeClock

WRONG = DriverError("no answer")


class Driver:
    """Reads what `values` says, each time the next: a list, or an error."""

    def __init__(self, *values):
        self.values = list(values)

    async def read(self):
        values = self.values.pop(0)
        if isinstance(values, Exception):
            raise values
        return values


class Over(Exception):
    pass


class Controller:
    def __init__(self, count):
        self.items = [{"name": "s%d" % i, "min": 0, "max": 100} for i in range(count)]
        self.seen = []

    def reading(self, item, value, now, utc):
        self.seen.append((item, value))


def made(*sensors):
    controller, lines = Controller(sum([count for _, _, count in sensors])), []
    loop = SamplingLoop(FakeClock(), lambda *line: lines.append(line[0]), controller, sensors)
    return loop, controller.seen, lines


async def test_each_value_goes_to_its_item():
    loop, seen, lines = made((Driver([1.234]), 1, 1), (Driver([0, 100]), 1, 2), (Driver([4, 5, 6]), 1, 3))
    try:
        await loop.run(lambda: None)
    except IndexError:  # all have been read
        pass
    assert seen == list(enumerate([1.23, 0, 100, 4, 5, 6])) and lines == []


async def test_a_sensor_with_one_wrong_value_has_none_until_it_recovers():
    good = [1, 2]
    for wrong in (WRONG, [1, -0.1], [100.1, 2]):
        loop, seen, lines = made((Driver([7]), 1, 1), (Driver(good, wrong, wrong, good), 1, 2))
        for _ in range(4):
            await loop.measure(1, loop.sensors[1][0], 1, 2)
        assert seen == [(1, 1), (2, 2)] + [(1, None), (2, None)] * 2 + [(1, 1), (2, 2)]
        assert lines == ["error", "info"]


async def two_minutes(periods):
    """[(period_s, second)] of what was read, and the ms at which the loop reported."""
    taken, fed = [], []

    class Timed:
        def __init__(self, period_s):
            self.period_s = period_s

        async def read(self):
            taken.append((self.period_s, loop.clock.waited_ms // 1000))
            return [1]

    def feed():
        fed.append(loop.clock.waited_ms)
        if fed[-1] > 120000:
            raise Over

    loop = made(*[(Timed(period_s), period_s, 1) for period_s in periods])[0]
    try:
        await loop.run(feed)
    except Over:
        return taken, fed


async def test_each_sensor_is_read_in_its_period_and_the_loop_reports_every_five_seconds():
    for periods in ((2, 60), (60,)):
        taken, fed = await two_minutes(periods)
        for period_s in periods:
            assert [second for who, second in taken if who == period_s] == list(range(0, 121, period_s))
        assert max([later - fed[i] for i, later in enumerate(fed[1:])]) <= 5000
