"""A DHT11, DHT22 or AM2302 on a pin. Loaded only if one is configured.

A reading blocks the event loop for up to 25 ms, and MicroPython disables interrupts for 5 ms of that.
"""

import machine

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt


def driver(gpio):
    return Dht(gpio)


class Dht:
    def __init__(self, gpio):
        self.gpio = gpio
        self.pin = attempt(gpio, machine.Pin, gpio)

    async def measured(self, clock, rest_ms):
        """Return the frame: two bytes of humidity, two of temperature, the checksum. An occasional garbled frame is
        normal, so a failed reading is repeated once after `rest_ms`. DriverError: both failed."""
        try:
            return self.read()
        except DriverError:
            await clock.sleep_ms(rest_ms)
            return self.read()

    def read(self):
        """Return the frame of one reading. DriverError: no answer, or a wrong checksum."""
        data = bytearray(5)
        attempt(self.gpio, machine.dht_readinto, self.pin, data)
        if sum(data[:4]) & 0xFF != data[4]:
            raise DriverError("GPIO %d: garbled: wrong checksum" % self.gpio)
        return data
