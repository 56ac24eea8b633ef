"""A voltage at a pin of ADC1, converted by a table of points: pressure, level, 4 to 20 mA across a resistor.

Values are interpolated linearly between the points, and extrapolated beyond the first and the last one. A voltage that
the ADC cannot distinguish from ground or from the supply is a fault, unless the table extends that far: then the value
of the first or last point is returned.
"""

from micropython import const

from firmware.core.divider import middle_mean
from firmware.core.errors import DriverError

RULES = """

analog
gpio $analog
points list 2..16 list 2 -1000000.0..1e6
samples 1..15 =5
period_s 1..3600 =5
deadband 0.0..1e6
min -1000000.0..1e6 =-1000000
max -1000000.0..1e6 =1000000

"""

_LOW_UV = const(150000)
_BETWEEN_MS = const(5)


def driver(cfg, board, clock, store):
    return Analog(cfg, board, clock)


class Analog:
    def __init__(self, cfg, board, clock):
        self.adc = board.adc(cfg["gpio"])
        self.clock = clock
        self.samples = cfg["samples"]
        self.points = cfg["points"]
        self.high_uv = cfg["high_uv"]

    async def read(self):
        """Return a tuple with the value in the unit of the table: the mean of the middle third of `samples` readings, 5
        ms apart. DriverError: the voltage is at an end of the ADC's range that the table does not include."""
        samples = []
        for _ in range(self.samples):
            samples.append(self.adc.read_uv())
            await self.clock.sleep_ms(_BETWEEN_MS)
        uv = middle_mean(samples)
        first, last = self.points[0], self.points[-1]
        if uv <= _LOW_UV:
            if first[0] * 1e6 <= _LOW_UV:
                return (first[1],)
            raise DriverError("%d mV: nothing connected, or a short circuit" % (uv // 1000))
        if uv >= self.high_uv:
            if last[0] * 1e6 >= self.high_uv:
                return (last[1],)
            raise DriverError("%d mV: the supply voltage, or above the ADC range" % (uv // 1000))
        return (self.value(uv / 1e6),)

    def value(self, volts):
        """Return the value for the voltage at the pin."""
        points = self.points
        i = 1
        while i < len(points) - 1 and volts > points[i][0]:
            i += 1
        (low, value), (high, other) = points[i - 1], points[i]
        return value + (volts - low) * (other - value) / (high - low)
