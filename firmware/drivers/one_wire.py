"""A 1-Wire bus: loaded only where a sensor is on one. The pin needs a resistor of 4.7 k to 3.3 V.

A byte takes half a millisecond, and interrupts are off for 70 microseconds of each of its bits.
"""

import machine

import onewire

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt


def driver(gpio):
    return OneWire(gpio)


class OneWire:
    """The bus at `gpio`. `converted`: Timer since its sensors began to measure, None: unknown."""

    __hash__ = None

    def __init__(self, gpio):
        self.gpio = gpio
        self.converted = None
        self.wire = attempt(gpio, onewire.OneWire, attempt(gpio, machine.Pin, gpio))

    def __eq__(self, other):
        return getattr(other, "gpio", None) == self.gpio

    def send(self, data):
        """Reset the bus and write bytes. DriverError where nothing answers the reset."""
        if not self.wire.reset():
            raise DriverError("GPIO %d: nothing answers on the bus" % self.gpio)
        self.wire.write(data)

    def receive(self, count):
        """The next bytes; 0xFF each where nothing sends."""
        data = bytearray(count)
        self.wire.readinto(data)
        return data
