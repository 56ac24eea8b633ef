"""The loop that measures: several conversions of each ADC, their median, the physical value, the fault.

A sensor that fails is told once and read on; its value is None until it is well again.
"""

from firmware.core.convert import reading
from firmware.core.errors import DriverError
from firmware.core.filters import middle_mean
from firmware.core.ticks import Deadline
from micropython import const

_REST_MS = const(5000)
_BETWEEN_MS = const(5)


class SamplingLoop:
    """`sensors`: list of (normalized item, ADC driver) in the order of the config."""

    def __init__(self, clock, sensors, controller, say):
        self._clock = clock
        self._sensors = sensors
        self._controller = controller
        self._say = say
        self._faults = [None] * len(sensors)
        self._due = [Deadline(clock.ms(), 0) for _ in sensors]

    async def run(self, beat):
        while True:
            beat()
            for index, (cfg, adc) in enumerate(self._sensors):
                if self._due[index].passed(self._clock.ms()):
                    self._due[index] = Deadline(self._clock.ms(), cfg["period_s"] * 1000)
                    await self._measure(index, cfg, adc)
            now = self._clock.ms()
            await self._clock.sleep_ms(min([due.left_ms(now) for due in self._due] + [_REST_MS]))

    async def _measure(self, index, cfg, adc):
        value = fault = None
        try:
            microvolts = []
            for _ in range(cfg["samples"]):
                microvolts.append(adc.read_uv())
                await self._clock.sleep_ms(_BETWEEN_MS)
            value = reading(cfg, middle_mean(microvolts))
        except DriverError as e:
            fault = str(e)
        if bool(fault) != bool(self._faults[index]):
            self._say("error" if fault else "info", "%s: %s" % (cfg["name"], fault or "well again"))
        self._faults[index] = fault
        self._controller.reading(index, value, self._clock.ms(), self._clock.utc())
