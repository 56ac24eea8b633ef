"""The loop that reads the sensors.

It does not depend on network, time of day or cloud. A failure is logged once, and the sensor is read again; its values
are None until it has recovered.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.timing import Timer

_REST_MS = const(5000)


class SamplingLoop:
    """`sensors`: (driver of `firmware.sensors`, period in s, number of values) each. The controller has an item with
    `name`, `min` and `max` for each value, in the same order."""

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
            first = 0
            for i, (driver, period_s, count) in enumerate(self.sensors):
                if due[i].passed(clock.ms()):
                    due[i] = Timer(clock.ms(), period_s * 1000)
                    await self.measure(i, driver, first, count)
                first += count
            now = clock.ms()
            await clock.sleep_ms(min([d.left_ms(now) for d in due] + [_REST_MS]))

    async def measure(self, i, driver, first, count):
        """Read sensor `i`. Its `count` values belong to the controller's items from index `first`."""
        controller, clock = self.controller, self.clock
        fault = None
        try:
            values = await driver.read()
            for k in range(count):
                item = controller.items[first + k]
                if not item["min"] <= values[k] <= item["max"]:
                    raise DriverError("%.1f is outside %g..%g" % (values[k], item["min"], item["max"]))
        except DriverError as e:
            fault = str(e)
        if (fault is None) != (self.faults[i] is None):
            text = "%s: %s" % (controller.items[first]["name"], fault or "recovered")
            self.log("error" if fault else "info", text)
        self.faults[i] = fault
        for k in range(count):
            value = None if fault else round(values[k], 2)
            controller.reading(first + k, value, clock.ms(), clock.utc())
