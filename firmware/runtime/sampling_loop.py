"""The loop that reads the sensors.

It runs whether or not there is a network, a clock or a cloud. A sensor that fails is logged once and read again; its
value is None until it has recovered.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.sensor_conversion import middle_mean, reading
from firmware.core.timing import Timer

_BETWEEN_MS = const(5)
_REST_MS = const(5000)


class SamplingLoop:
    """`sensors`: list of (item, ADC driver) in the order of the config. An item has `name`, `period_s`, `samples`, and
    in `conversion` what `sensor_conversion.reading` takes."""

    def __init__(self, clock, log, controller, sensors):
        self.clock = clock
        self.log = log
        self.controller = controller
        self.sensors = sensors
        self.faults = [None] * len(sensors)

    async def run(self, feed):
        clock = self.clock
        due = [Timer(clock.ms()) for _ in self.sensors]
        while True:
            feed()
            for i, (cfg, adc) in enumerate(self.sensors):
                if due[i].passed(clock.ms()):
                    due[i] = Timer(clock.ms(), cfg["period_s"] * 1000)
                    await self.measure(i, cfg, adc)
            now = clock.ms()
            await clock.sleep_ms(min([d.left_ms(now) for d in due] + [_REST_MS]))

    async def measure(self, index, cfg, adc):
        value = fault = None
        try:
            microvolts = []
            for _ in range(cfg["samples"]):
                microvolts.append(adc.read_uv())
                await self.clock.sleep_ms(_BETWEEN_MS)
            value = round(reading(cfg["conversion"], middle_mean(microvolts)), 2)
        except DriverError as e:
            fault = str(e)
        if (fault is None) != (self.faults[index] is None):
            self.log("error" if fault else "info", "%s: %s" % (cfg["name"], fault or "recovered"))
        self.faults[index] = fault
        self.controller.reading(index, value, self.clock.ms(), self.clock.utc())
