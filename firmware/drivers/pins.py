"""Digital pins: relay outputs that are read back, buttons, the LED.

Owns the translation between on/off and levels; only DriverError leaves it. On the ESP32 `Pin.OUT` keeps the input
buffer on, so `value()` is what the pad really is, short circuits and welded wiring included.
"""

import machine

from firmware.core.errors import DriverError


class Output:
    """One relay output. Building it drives `on` at once; a pin that is an output already does not flicker, because the
    level is set before the direction."""

    def __init__(self, gpio, active_high, on):
        self._gpio = gpio
        self._high = active_high
        self._pin = _pin(gpio, machine.Pin.OUT, value=int(bool(on) == active_high))
        self._check(on)

    def __repr__(self):
        return "Output(GPIO %d)" % self._gpio

    def set(self, on):
        """Drive, then read back: DriverError when the pin does not follow."""
        self._pin.value(int(bool(on) == self._high))
        self._check(on)

    def get(self):
        """Whether the output is on, as read from the pin."""
        return bool(self._pin.value()) == self._high

    def _check(self, on):
        if self.get() != bool(on):
            raise DriverError("GPIO %d does not go %s" % (self._gpio, "on" if on else "off"))


class Button:
    """A contact on `gpio`; `pull`: "up", "down" or "none"."""

    def __init__(self, gpio, active_low, pull):
        pulls = {"up": machine.Pin.PULL_UP, "down": machine.Pin.PULL_DOWN}
        self._pin = _pin(gpio, machine.Pin.IN, pulls.get(pull))
        self._low = active_low

    def active(self):
        """Whether the contact is closed now, bounces included."""
        return bool(self._pin.value()) != self._low


class Led:
    """The status LED, dark at first. Nothing depends on it, so it is not read back."""

    def __init__(self, gpio, active_high):
        self._high = active_high
        self._pin = _pin(gpio, machine.Pin.OUT, value=int(not active_high))

    def set(self, on):
        self._pin.value(int(bool(on) == self._high))


def _pin(gpio, mode, pull=None, **value):
    try:
        return machine.Pin(gpio, mode, pull, **value)
    except (OSError, ValueError) as e:
        raise DriverError("GPIO %d: %s" % (gpio, e))
