"""Moments, waits and intervals on the wrapping millisecond counter.

The counter runs 0..2**30-1 and wraps after 12.4 days, as `time.ticks_ms` does on 32-bit ports. Two moments can be
compared only when they are less than 6.2 days apart, so nothing outside this file keeps a bare counter value for long:
a `Timer` saturates before that distance is reached. It must be read at least once a day; every loop of the firmware
does so far more often. Pure: time and random bits come in with each call.
"""

from micropython import const

_PERIOD = const(0x40000000)
_HALF = const(0x20000000)
_CAP_MS = const(432000000)  # five days


def diff(later, earlier):
    """Signed milliseconds from `earlier` to `later`, right while they are less than 6.2 days apart."""
    return ((later - earlier + _HALF) & (_PERIOD - 1)) - _HALF


class Timer:
    """Time since `start`, and a moment `after_ms` (at most five days) behind it that stays passed once it has. Assign
    `start` to begin again."""

    def __init__(self, now, after_ms=0):
        self.start = now
        self.after_ms = min(after_ms, _CAP_MS)

    def ms(self, now):
        """Elapsed milliseconds, 0 to five days. Once there it stays there."""
        elapsed = diff(now, self.start)
        if elapsed > _CAP_MS:
            elapsed = _CAP_MS
            self.start = (now - _CAP_MS) & (_PERIOD - 1)
        return max(elapsed, 0)

    def left_ms(self, now):
        """Milliseconds until the moment, 0 when it has passed."""
        return max(self.after_ms - self.ms(now), 0)

    def passed(self, now):
        return self.ms(now) >= self.after_ms


_FIRST = const(4)
_LAST = const(28)


class Backoff:
    """Waits that double with every failure, from `base_ms` to sixteen times as much. That lasts for twenty-four more
    failures, so that a short outage is over within one short wait; then they double again up to `cap_ms`.

    What most have alike is held by the class: two more attributes would take 16 bytes of each object."""

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
        """The next wait for 32 random `bits`: three quarters of the window or more, never more than all of it. That
        keeps a fleet from returning in step after an outage, and no device waits much longer than it was down."""
        failures = self.failures
        self.failures += 1
        shift = min(failures, _FIRST) if failures < _LAST else min(failures, 2 * _LAST) - _LAST + _FIRST + 1
        window = min(self.cap_ms, self.base_ms << shift)
        least = max(self.least_ms, window - window // 4)
        return least + max(window - least, 0) * (bits >> 8) // 0xFFFFFF
