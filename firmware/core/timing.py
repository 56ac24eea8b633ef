"""Timers and back-off on the wrapping millisecond counter.

The counter runs from 0 to 2**30-1 and wraps after 12.4 days, as `time.ticks_ms` does on 32-bit ports. Two values can be
compared only if they are less than 6.2 days apart, so nothing outside this file keeps a bare counter value for long: a
`Timer` saturates at five days. It must be read at least every eleven days; nearly all are read far more often. Pure:
time and random bits are arguments.
"""

from micropython import const

_PERIOD = const(0x40000000)
_HALF = const(0x20000000)
_CAP_MS = const(432000000)  # five days
_AHEAD_MS = const(0x4000000)  # 18 hours: by as much a `start` may be later than `now`


def diff(later, earlier):
    """Return the signed milliseconds from `earlier` to `later`, correct while they are less than 6.2 days apart."""
    return ((later - earlier + _HALF) & (_PERIOD - 1)) - _HALF


class Timer:
    """The time since `start`, and a deadline `after_ms` (at most five days) later, which stays passed once it has.
    Assign `start` to restart it."""

    def __init__(self, now, after_ms=0):
        self.start = now
        self.after_ms = min(after_ms, _CAP_MS)

    def ms(self, now):
        """Return the elapsed milliseconds, which saturate at five days."""
        elapsed = (now - self.start + _AHEAD_MS & (_PERIOD - 1)) - _AHEAD_MS
        if elapsed > _CAP_MS:
            elapsed = _CAP_MS
            self.start = (now - _CAP_MS) & (_PERIOD - 1)
        return max(elapsed, 0)

    def left_ms(self, now):
        """Return the milliseconds until the deadline, 0 once it has passed."""
        return max(self.after_ms - self.ms(now), 0)

    def passed(self, now):
        return self.ms(now) >= self.after_ms


_FIRST = const(4)
_LAST = const(28)


class Backoff:
    """Waits that double with every failure, from `base_ms` to sixteen times that. They stay there for the next 24
    failures, so that the device is back soon after a short outage, and then double again up to `cap_ms`.

    Defaults are class attributes, because two more attributes would take 16 bytes of each object."""

    least_ms = 1000
    failures = 0

    def __init__(self, base_ms, cap_ms, least_ms=None):
        self.base_ms = base_ms
        self.cap_ms = cap_ms
        if least_ms:
            self.least_ms = least_ms

    def reset(self):
        self.failures = 0

    def next_ms(self, bits):
        """Return the next wait in ms, chosen by 32 random `bits` from the upper quarter of the window. That keeps a
        fleet from reconnecting at the same moment after an outage, and a device from waiting much longer than it
        lasted."""
        failures = self.failures
        self.failures += 1
        shift = min(failures, _FIRST) if failures < _LAST else min(failures, 2 * _LAST) - _LAST + _FIRST + 1
        window = min(self.cap_ms, self.base_ms << shift)
        least = max(self.least_ms, window - window // 4)
        return least + max(window - least, 0) * (bits >> 8) // 0xFFFFFF
