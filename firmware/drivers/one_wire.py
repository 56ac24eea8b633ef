"""A 1-Wire bus. Loaded only if a sensor uses one. The pin needs a pull-up of 4.7 kOhm to 3.3 V.

A byte takes 0.5 ms. Interrupts are disabled for about 70 us during each bit.
"""

import machine

import onewire

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt


def driver(gpio):
    return OneWire(gpio)


class OneWire:
    """The bus on `gpio`; equal to any other object on the same pin. `converted`: Timer since the last Convert T, None
    if there was none or a sensor has failed since."""

    __hash__ = None

    def __init__(self, gpio):
        self.gpio = gpio
        self.converted = None
        self.wire = attempt(gpio, onewire.OneWire, attempt(gpio, machine.Pin, gpio))

    def __eq__(self, other):
        return getattr(other, "gpio", None) == self.gpio

    def send(self, data):
        """Reset the bus and write `data` (bytes). DriverError if no presence pulse answers the reset."""
        if not self.wire.reset():
            raise DriverError("GPIO %d: nothing answers on the bus" % self.gpio)
        self.wire.write(data)

    def receive(self, count):
        """Return the next `count` bytes, each 0xFF if nothing sends."""
        data = bytearray(count)
        self.wire.readinto(data)
        return data
