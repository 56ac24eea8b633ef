"""The loop that never waits for anybody: buttons, outputs, status LED.

It runs whether or not there is a network, a clock or a cloud: local control and limits depend on nothing else.
"""

from firmware.core.blink import level
from firmware.core.debounce import Debounce
from firmware.core.errors import DriverError
from firmware.core.ticks import Deadline
from micropython import const

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
