"""The two loops that depend on nobody: buttons, outputs and LED; and the sensors.

They run whether or not there is a network, a clock or a cloud: local control and limits depend on nothing else. A sensor
that fails is told once and read on; its value is None until it is well again.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.measure import middle_mean, reading
from firmware.core.panel import Debounce, level
from firmware.core.timing import Deadline

_SCAN_MS = const(20)  # bouncing contacts have to be looked at this often
_TICK_MS = const(100)


class ControlLoop:
    """`buttons`: list of (driver, debounce_ms, index of the output it toggles); `led`: driver or None; `state()`: the
    word for the LED."""

    def __init__(self, clock, controller, lease, buttons, led, state, say):
        self._clock = clock
        self._controller = controller
        self._lease = lease
        self._buttons = [(driver, Debounce(ms), index) for driver, ms, index in buttons]
        self._led = led
        self._state = state
        self._say = say
        self._broken = None

    async def run(self, beat):
        step_ms = _SCAN_MS if self._buttons else _TICK_MS
        due = Deadline(self._clock.ms(), 0)
        while True:
            now = self._clock.ms()
            if self._scan(now) or due.passed(now):
                due = Deadline(now, _TICK_MS)
                self._controller.tick(self._lease, now, self._clock.utc())
                self._blink(now)
                beat()
            await self._clock.sleep_ms(step_ms)

    def _scan(self, now):
        pressed = False
        for driver, debounce, index in self._buttons:
            try:
                event = debounce.step(driver.active(), now)
            except DriverError as e:
                self._complain(str(e))
                continue
            if event == "pressed":
                self._controller.press(index, now)
                pressed = True
        return pressed

    def _blink(self, now):
        if self._led:
            try:
                self._led.set(level(self._state(), now))
            except DriverError as e:
                self._complain(str(e))

    def _complain(self, text):
        if text != self._broken:
            self._broken = text
            self._say("error", text)


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
