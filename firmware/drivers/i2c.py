"""An I2C bus on two pins. Loaded only if a sensor uses one. Both pins need a pull-up to 3.3 V; most modules have them.

It is implemented in software (100 kHz, so a byte takes 0.1 ms), which works on any pins, for any number of buses, and
alike on all chips.
"""

import machine
from micropython import const

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt

_HERTZ = const(100000)
_ENODEV = const(19)
_ETIMEDOUT = const(116)


def driver(sda, scl):
    return I2c(sda, scl)


class I2c:
    """The bus on the GPIOs `sda` and `scl`; equal to any other object on the same two. `address`: 7 bits."""

    __hash__ = None

    def __init__(self, sda, scl):
        self.gpios = sda, scl
        pins = {"sda": attempt(sda, machine.Pin, sda), "scl": attempt(scl, machine.Pin, scl)}
        self.bus = attempt(sda, machine.SoftI2C, freq=_HERTZ, **pins)

    def __eq__(self, other):
        return getattr(other, "gpios", None) == self.gpios

    def write(self, address, data):
        """Write `data` (bytes). DriverError unless every byte is acknowledged."""
        if self.transfer(self.bus.writeto, address, data) != len(data):
            raise DriverError("I2C 0x%02x: write not acknowledged" % address)

    def read(self, address, count):
        """Read and return `count` bytes. DriverError: nothing answers, or the bus is held low."""
        return self.transfer(self.bus.readfrom, address, count)

    def transfer(self, call, address, argument):
        try:
            return call(address, argument)
        except OSError as e:
            why = {_ENODEV: "nothing answers", _ETIMEDOUT: "the bus is held low"}.get(e.args[0], e)
            raise DriverError("I2C 0x%02x: %s" % (address, why))
