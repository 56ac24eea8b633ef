"""The board: makes the parts behind the pins, and what the chip itself offers.

Owns nothing but the way to `machine`; decides nothing. Only DriverError leaves it.
"""

import gc
import machine
import os
from binascii import hexlify

from firmware.core.errors import DriverError
from firmware.core.nouns import iso
from firmware.drivers.analog import Analog
from firmware.drivers.pins import Button, Led, Output

_CAUSES = (
    ("PWRON_RESET", "power_on"),
    ("HARD_RESET", "hard"),
    ("WDT_RESET", "watchdog"),
    ("DEEPSLEEP_RESET", "deep_sleep"),
    ("SOFT_RESET", "soft"),
)


class Board:
    def output(self, gpio, active_high, on):
        return Output(gpio, active_high, on)

    def adc(self, gpio):
        return Analog(gpio)

    def button(self, gpio, active_low, pull):
        return Button(gpio, active_low, pull)

    def led(self, gpio, active_high):
        return Led(gpio, active_high)

    def wifi(self, hostname):
        from firmware.drivers.wifi import Wifi

        return Wifi(hostname)

    def watchdog(self, timeout_ms):
        """Start the watchdog: the chip resets unless `feed()` is called every `timeout_ms`. It cannot be stopped."""
        try:
            return machine.WDT(timeout=timeout_ms)
        except (OSError, ValueError) as e:
            raise DriverError("watchdog: %s" % e)

    def unique_id(self):
        """The chip's factory MAC address as hex text."""
        return hexlify(machine.unique_id()).decode()

    def heap(self):
        """(used, free) bytes of the Python heap after a collection."""
        gc.collect()
        return gc.mem_alloc(), gc.mem_free()

    def reset(self):
        machine.reset()

    def reset_cause(self):
        """power_on, hard, watchdog, deep_sleep, soft or unknown. A brownout counts as power_on on the ESP32."""
        cause = machine.reset_cause()
        for name, words in _CAUSES:
            if cause == getattr(machine, name):
                return words
        return "unknown"

    def rtc_get(self):
        """The chip's clock as unix seconds, whatever epoch the port has; the year 2000 after power-on."""
        year, month, day, _, hour, minute, second, _ = machine.RTC().datetime()
        # Days since 1970 in years that begin in March, so that the leap day comes last.
        year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
        days = year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469
        return ((days * 24 + hour) * 60 + minute) * 60 + second

    def rtc_set(self, unix_s):
        """Set the chip's clock to UTC, 1970..9999; it keeps running over resets, not over power-off."""
        t = iso(unix_s)
        weekday = (unix_s // 86400 + 3) % 7
        day, clock = (int(t[:4]), int(t[5:7]), int(t[8:10])), (int(t[11:13]), int(t[14:16]), int(t[17:19]))
        machine.RTC().datetime(day + (weekday,) + clock + (0,))

    def random32(self):
        """32 bits from the hardware's random generator."""
        return int.from_bytes(os.urandom(4), "little")
