"""A DHT11, DHT22 or AM2302 at a pin: loaded only where there is one.

A reading takes up to 25 ms, of which MicroPython keeps the interrupts off for 5 ms, and everything waits for it.
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
        """The four bytes of humidity and temperature. A garbled frame now and then is normal: then again, after it has
        had its rest. DriverError."""
        try:
            return self.read()
        except DriverError:
            await clock.sleep_ms(rest_ms)
            return self.read()

    def read(self):
        """The same, once. DriverError without an answer, or with a garbled one."""
        data = bytearray(5)
        attempt(self.gpio, machine.dht_readinto, self.pin, data)
        if sum(data[:4]) & 0xFF != data[4]:
            raise DriverError("GPIO %d: garbled, the checksum does not fit" % self.gpio)
        return data
