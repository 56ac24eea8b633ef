"""The board: the parts behind its pins, and what the chip itself offers.

It translates between on/off and levels, and imports `machine`; it decides nothing. Only DriverError leaves it.
On the ESP32 `Pin.OUT` keeps the input buffer on, so `value()` is what the pad really is, short circuits and welded
wiring included.
"""

import gc
import machine
import os
from micropython import const

from firmware.core.errors import DriverError
from firmware.core.models import iso

_NOTES = const(250)


def attempt(what, call, *args, **options):
    """What `call` returns; what it raises becomes a DriverError about `what`: text, or the number of a GPIO."""
    # RuntimeError is what the port raises for error codes it has no text for.
    try:
        return call(*args, **options)
    except (OSError, RuntimeError, ValueError) as e:
        raise DriverError("%s: %s" % (what if isinstance(what, str) else "GPIO %d" % what, e))


def _idf_heap():
    """(free, largest free piece) of the memory outside of the Python heap, (None, 0) on a port that has none."""
    try:
        import esp32
    except ImportError:
        return None, 0
    regions = esp32.idf_heap_info(esp32.HEAP_DATA)  # (total, free, largest free, least free ever) each
    return sum([region[1] for region in regions]), max([region[2] for region in regions])


class Led:
    """The status LED, or anything else that is driven. Nothing depends on it, so it is not read back.

    Building it drives `on` at once; a pin that is an output already does not flicker, because the level is set before
    the direction.
    """

    def __init__(self, gpio, active_high, on=False):
        self.gpio = gpio
        self._high = active_high
        self.pin = attempt(gpio, machine.Pin, gpio, machine.Pin.OUT, value=(not on) != active_high)

    def set(self, on):
        self.pin.value((not on) != self._high)


class Output(Led):
    """One relay output, read back whenever it is set: DriverError when the pin does not follow. One that does not from
    the start must not keep the others from working."""

    def set(self, on):
        super().set(on)
        if self.get() == (not on):
            raise DriverError("GPIO %d does not go %s" % (self.gpio, "on" if on else "off"))

    def get(self):
        """Whether the output is on, as read from the pin."""
        return self.pin.value() == self._high


class Button:
    """A contact on `gpio`; `pull`: "up", "down" or "none"."""

    def __init__(self, gpio, active_low, pull):
        # There is no PULL_NONE.
        pull = getattr(machine.Pin, "PULL_" + pull.upper(), None)
        self.pin = attempt(gpio, machine.Pin, gpio, machine.Pin.IN, pull)
        self._low = active_low

    def active(self):
        """Whether the contact is closed now, bounces included."""
        return self.pin.value() != self._low


class Analog:
    """The ADC input `gpio` at 11 dB attenuation, the widest range there is."""

    def __init__(self, gpio):
        self.gpio = gpio
        pin = attempt(gpio, machine.Pin, gpio)
        self.adc = attempt(gpio, machine.ADC, pin, atten=machine.ADC.ATTN_11DB)

    def read_uv(self):
        """One sample in microvolts, calibrated by the chip's own fuses: about 142,000 to 3,130,000."""
        # OSError on ADC2 while Wi-Fi is on: timed out.
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
        """What only some sensors speak, loaded for them: the file in `firmware/drivers` of that name."""
        return __import__("firmware.drivers." + name, None, None, (name,)).driver(*args)

    def watchdog(self, timeout_ms):
        """Start the watchdog: the chip resets unless `feed()` is called every `timeout_ms`. It cannot be stopped."""
        return attempt("watchdog", machine.WDT, 0, timeout_ms)

    def heap(self):
        """(used, free) bytes of the Python heap after a collection. `gc.mem_free` also counts the piece by which the
        heap could still grow (py/gc.c, gc_get_max_new_split): TLS needs that one, so it is not free here."""
        gc.collect()
        _, largest = _idf_heap()
        return gc.mem_alloc(), max(gc.mem_free() - largest, 0)

    def idf_free(self):
        """Free bytes outside of the Python heap, out of which TLS, sockets and Wi-Fi live; None where the port has no
        such figure."""
        return _idf_heap()[0]

    def reset(self):
        machine.reset()

    def reset_cause(self):
        from firmware.drivers.reset_cause import reset_cause

        return reset_cause()

    def rtc_get(self):
        """The chip's clock as unix seconds, whatever epoch the port has; the year 2000 after power-on."""
        year, month, day, _, hour, minute, second, _ = machine.RTC().datetime()
        # Days since 1970 in years that begin in March, so that the leap day comes last.
        year, month = (year, month - 3) if month > 2 else (year - 1, month + 9)
        days = year * 365 + year // 4 - year // 100 + year // 400 + (153 * month + 2) // 5 + day - 719469
        return ((days * 24 + hour) * 60 + minute) * 60 + second

    def rtc_set(self, unix_s):
        """Set the chip's clock to UTC, 1970..9999; it keeps running over resets, not over power-off."""
        fields = list(map(int, iso(unix_s)[:-1].replace("T", "-").replace(":", "-").split("-")))
        fields.insert(3, (unix_s // 86400 + 3) % 7)  # Monday is 0
        machine.RTC().datetime(tuple(fields + [0]))

    def noted(self):
        """The latest lines that were noted before a reset, oldest first; nothing after power-on."""
        try:
            notes = machine.RTC().memory().partition(b"\n")[2].decode()
        except UnicodeError:
            notes = ""
        return notes.split("\n") if notes else ()

    def note(self, line):
        """Keep a line of text over resets, together with as many before it as there is room for."""
        rtc = machine.RTC()
        rtc.memory((rtc.memory() + b"\n" + line.encode())[-_NOTES:])

    def random32(self):
        """32 bits from the hardware's random generator."""
        return int.from_bytes(os.urandom(4), "little")
