"""The two loops that depend on nobody: buttons, outputs and LED; and the sensors.

They run whether or not there is a network, a clock or a cloud: local control and limits depend on nothing else. A
sensor that fails is told once and read on; its value is None until it is well again.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.panel import Debounce, level
from firmware.core.sensor_conversion import middle_mean, reading
from firmware.core.timing import Timer

_SCAN_MS = const(20)  # bouncing contacts have to be looked at this often
_TICK_MS = const(100)
_BETWEEN_MS = const(5)
_REST_MS = const(5000)


class Relays:
    """The drivers of the outputs, in the order of the config."""

    def __init__(self):
        self.drivers = []

    def drive(self, index, on):
        self.drivers[index].set(on)


class ControlLoop:
    """`buttons`: normalized items of the config; `led`: driver or None; `state()`: the word for the LED."""

    def __init__(self, clock, board, controller, lease, buttons, led, state):
        ports = [output.cfg["pin_port"] for output in controller.outputs]
        self.clock = clock
        self.controller = controller
        self.lease = lease
        self.led = led
        self.state = state
        self.buttons = [
            (
                board.button(b["gpio"], b["active"] == "low", b["pull"]),
                Debounce(b["debounce_ms"]),
                ports.index(b["toggles"]),
            )
            for b in buttons
        ]

    async def run(self, beat):
        clock = self.clock
        due = Timer(clock.ms())
        while True:
            now = clock.ms()
            pressed = False
            for driver, debounce, index in self.buttons:
                if debounce.pressed(driver.active(), now):
                    self.controller.press(index, now)
                    pressed = True
            if pressed or due.passed(now):
                due = Timer(now, _TICK_MS)
                self.controller.tick(self.lease, now, clock.utc())
                self.controller.outbox.keep()
                if self.led:
                    self.led.set(level(self.state(), now))
                beat()
            await clock.sleep_ms(_SCAN_MS if self.buttons else _TICK_MS)


class SamplingLoop:
    """`sensors`: list of (item, ADC driver) in the order of the config. An item has `name`, `period_s`, `samples`, and
    in `conversion` what `measure.reading` takes."""

    def __init__(self, clock, say, controller, sensors):
        self.clock = clock
        self.say = say
        self.controller = controller
        self.sensors = sensors
        self.faults = [None] * len(sensors)

    async def run(self, beat):
        clock = self.clock
        due = [Timer(clock.ms()) for _ in self.sensors]
        while True:
            beat()
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
            self.say("error" if fault else "info", "%s: %s" % (cfg["name"], fault or "well again"))
        self.faults[index] = fault
        self.controller.reading(index, value, self.clock.ms(), self.clock.utc())
