"""Pulses of a meter or a flow sensor: their total, which survives a power cut, and where configured their rate.

The total is written to flash at most every `save_s` seconds, so a reset loses at most the pulses of that time. The rate
is the mean between the last two readings that found new pulses. While no pulse arrives it falls: it is never more than
one pulse in the time since the last one.
"""

import binascii
from micropython import const

from firmware.core.timing import Timer

RULES = """

counter
gpio $inputs
pull up|down|none
edge falling|rising
debounce_ms 0..10000 =0
per_unit 0.001..1e6 =1
start 0..1000000000 =0
save_s 60..86400 =600
period_s 1..3600 =10
deadband 0.0..1e6 =1
rate object =null

rate
item
cloud_kind text 1..32 =none
per s|min|h
deadband 0.0..1e6 =0.1
min 0.0..1e6 =0
max 0.0..1e6 =1000000

"""

_SECOND_MS = const(1000)
_MINUTE_MS = const(60000)
_HOUR_MS = const(3600000)


def driver(cfg, board, clock, store):
    return Counter(cfg, board, clock, store)


class Counter:
    """`start`: pulses counted before this start of the device. `store`: see `firmware/runtime/store.py`; None: the
    total is not written."""

    def __init__(self, cfg, board, clock, store):
        self.clock = clock
        self.store = store
        self.name = "count-%08x.json" % (binascii.crc32(cfg["pin_port"].encode()) & 0xFFFFFFFF)
        self.per_unit = cfg["per_unit"]
        found = store.load(self.name).get("pulses") if store else None
        good = isinstance(found, int) and found >= 0
        self.start = found if good else int(cfg["start"] * self.per_unit)
        self.saved = 0
        self.save = Timer(clock.ms(), cfg["save_s"] * 1000)
        rate = cfg.get("rate")
        self.per_ms = rate and {"s": _SECOND_MS, "min": _MINUTE_MS, "h": _HOUR_MS}[rate["per"]]
        self.count, self.since_pulse, self.rate = 0, None, 0.0  # `since_pulse`: a Timer
        rising = cfg["edge"] == "rising"
        self.pulses = board.bus("pulses", cfg["gpio"], cfg["pull"], rising, cfg["debounce_ms"], clock.ms)

    async def read(self):
        """Return (total, rate), or (total,) if no rate is configured. The total is in units, of `per_unit` pulses each,
        the rate in units per second, minute or hour."""
        now = self.clock.ms()
        count, last = self.pulses.count, self.pulses.last
        if self.per_ms:
            self.follow(count, last, now)
        if count != self.saved and self.store and self.save.passed(now):
            self.save.start = now
            if self.store.save(self.name, {"pulses": self.start + count}):
                self.saved = count
        total = (self.start + count) / self.per_unit
        return (total, self.rate * self.per_ms / self.per_unit) if self.per_ms else (total,)

    def follow(self, count, last, now):
        """Update `rate`, in pulses per millisecond. `count`, `last`: of the Pulses, at the time `now`."""
        if count == self.count:
            if self.since_pulse:
                self.rate = min(self.rate, 1 / max(self.since_pulse.ms(now), 1))
            return
        if self.since_pulse:
            self.rate = (count - self.count) / max(self.since_pulse.ms(last), 1)
        self.count, self.since_pulse = count, Timer(last)
