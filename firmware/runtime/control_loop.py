"""The loop of buttons, outputs and status LED.

It runs whether or not there is a network, a clock or a cloud: local control and limits depend on nothing else.
"""

from micropython import const

from firmware.core.debounce import Debounce
from firmware.core.status_led import level
from firmware.core.timing import Timer

_SCAN_MS = const(20)  # bouncing contacts have to be looked at this often
_TICK_MS = const(100)


class Relays:
    """The drivers of the outputs, in the order of the config."""

    def __init__(self):
        self.drivers = []

    def drive(self, index, on):
        self.drivers[index].set(on)


class ControlLoop:
    """`buttons`: normalized items of the config; `led`: driver or None; `state()`: the word for the LED."""

    def __init__(self, clock, board, controller, lease, buttons, led, state):
        ports = [output.pin_port for output in controller.outputs]
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
