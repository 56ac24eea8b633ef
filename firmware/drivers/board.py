"""The board: drivers for its pins, and functions of the chip.

The drivers translate between on/off and levels and make no decisions. They raise only DriverError. On the ESP32
`Pin.OUT` keeps the input buffer enabled, so `value()` reads the actual level of the pad, even when it is shorted.
"""

import gc
import machine
import os
from micropython import const

from firmware.core.errors import DriverError
from firmware.core.models import iso

_NOTES = const(250)


def attempt(what, call, *args, **options):
    """Return `call(*args, **options)`. An OSError, RuntimeError or ValueError becomes a DriverError that names `what`:
    a text, or the number of a GPIO."""
    # The port raises RuntimeError for error codes that it has no text for.
    try:
        return call(*args, **options)
    except (OSError, RuntimeError, ValueError) as e:
        raise DriverError("%s: %s" % (what if isinstance(what, str) else "GPIO %d" % what, e))


def _idf_heap():
    """Return (free bytes, bytes of the largest free block) of ESP-IDF's heap, (None, 0) on a port without one."""
    try:
        import esp32
    except ImportError:
        return None, 0
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)  # (total, free, largest free, least free ever) each
    return sum([region[1] for region in regions]), max([region[2] for region in regions])


class Led:
    """The status LED, or another digital output that is not read back.

    The constructor drives the level of `on` at once. A pin that is an output already does not glitch, because the level
    is set before the direction.
    """

    def __init__(self, gpio, active_high, on=False):
        self.gpio = gpio
        self._high = active_high
        self.pin = attempt(gpio, machine.Pin, gpio, machine.Pin.OUT, value=(not on) != active_high)

    def set(self, on):
        self.pin.value((not on) != self._high)


class Output(Led):
    """A relay output. `set` reads the pin back: DriverError if it does not follow. The constructor does not, so that
    one faulty pin does not prevent the start."""

    def set(self, on):
        super().set(on)
        if self.get() == (not on):
            raise DriverError("GPIO %d does not go %s" % (self.gpio, "on" if on else "off"))

    def get(self):
        """Return whether the output is on, as read from the pin."""
        return self.pin.value() == self._high


class Button:
    """A contact on `gpio`. `pull`: "up", "down" or "none"."""

    def __init__(self, gpio, active_low, pull):
        # There is no PULL_NONE.
        pull = getattr(machine.Pin, "PULL_" + pull.upper(), None)
        self.pin = attempt(gpio, machine.Pin, gpio, machine.Pin.IN, pull)
        self._low = active_low

    def active(self):
        """Return whether the contact is closed now, without debouncing."""
        return self.pin.value() != self._low


class Analog:
    """The ADC input `gpio` at 11 dB attenuation, the widest range."""

    def __init__(self, gpio):
        self.gpio = gpio
        pin = attempt(gpio, machine.Pin, gpio)
        self.adc = attempt(gpio, machine.ADC, pin, atten=machine.ADC.ATTN_11DB)

    def read_uv(self):
        """Return one sample in microvolts, calibrated by the chip's eFuses; on an ESP32 about 142,000 to 3,130,000.
        DriverError."""
        # On ADC2 this raises OSError (timeout) while Wi-Fi is on.
        return attempt(self.gpio, self.adc.read_uv)


class Board:
    output = Output
    adc = Analog
    button = Button
    led = Led

    def interface(self, what, *settings):
        from firmware.drivers.interface import Interface

        return Interface(what, *settings)

    def bus(self, name, *args):
        """Load the module `firmware/drivers/<name>.py` and return `driver(*args)` of it. Only what is configured is
        loaded."""
        return __import__("firmware.drivers." + name, None, None, (name,)).driver(*args)

    def watchdog(self, timeout_ms):
        """Start the watchdog and return its driver: the chip resets unless `feed()` is called every `timeout_ms`. It
        cannot be stopped."""
        return attempt("watchdog", machine.WDT, 0, timeout_ms)

    def heap(self):
        """Return (used, free) bytes of the Python heap after a collection. `gc.mem_free` includes the block by which
        the heap could still grow (py/gc.c, gc_get_max_new_split), but TLS needs that, so it is subtracted."""
        gc.collect()
        _, largest = _idf_heap()
        return gc.mem_alloc(), max(gc.mem_free() - largest, 0)

    def idf_free(self):
        """Return the free bytes of ESP-IDF's heap, which TLS, sockets and Wi-Fi use; None if the port has none."""
        return _idf_heap()[0]

    def reset(self):
        machine.reset()

    def reset_cause(self):
        from firmware.drivers.reset_cause import reset_cause

        return reset_cause()

    def rtc_get(self):
        """Return the chip's clock in Unix seconds, independent of the port's epoch. After power-on it is in the year
        2000."""
        year, month, day, _, hour, minute, second, _ = machine.RTC().datetime()
        # Days since 1970, with years that begin in March, so that the leap day is the last.
        year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
        days = year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469
        return ((days * 24 + hour) * 60 + minute) * 60 + second

    def rtc_set(self, unix_s):
        """Set the chip's clock to UTC, in the years 1970 to 9999. It runs on through resets, but not through
        power-off."""
        fields = list(map(int, iso(unix_s)[:-1].replace("T", "-").replace(":", "-").split("-")))
        fields.insert(3, (unix_s // 86400 + 3) % 7)  # Monday is 0
        machine.RTC().datetime(tuple(fields + [0]))

    def noted(self):
        """Return the lines that `note` stored, oldest first, without the first one, which may be cut; empty after
        power-on."""
        try:
            notes = machine.RTC().memory().partition(b"\n")[2].decode()
        except UnicodeError:
            notes = ""
        return notes.split("\n") if notes else ()

    def note(self, line):
        """Store a line of text in RTC memory, which survives resets, and keep as many earlier lines as fit into 250
        bytes."""
        rtc = machine.RTC()
        rtc.memory((rtc.memory() + b"\n" + line.encode())[-_NOTES:])

    def random32(self):
        """Return 32 bits from the hardware's random number generator."""
        return int.from_bytes(os.urandom(4), "little")
