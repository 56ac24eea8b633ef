"""The loop of buttons, outputs and status LED.

It does not depend on network, time of day or cloud, so local control and limits always work.
"""

from micropython import const

from firmware.core.status_led import level
from firmware.core.timing import Timer

_SCAN_MS = const(20)  # debouncing has to sample contacts this often
_TICK_MS = const(100)


class Relays:
    """The drivers of the outputs, in the order of the configuration."""

    def __init__(self):
        self.drivers = []

    def drive(self, index, on):
        self.drivers[index].set(on)


class ControlLoop:
    """`buttons`: (driver, Debounce, index of its output) each. `led`: its driver or None. `state()`: see
    Device.state."""

    def __init__(self, clock, controller, lease, buttons, led, state):
        self.clock = clock
        self.controller = controller
        self.lease = lease
        self.led = led
        self.state = state
        self.buttons = buttons

    async def run(self, feed):
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
                feed()
            await clock.sleep_ms(_SCAN_MS if self.buttons else _TICK_MS)
