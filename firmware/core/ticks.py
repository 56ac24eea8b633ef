"""Wrap-safe arithmetic on the millisecond counter, and the two ways to remember a moment.

The counter runs 0..2**30-1 and wraps after 12.4 days, as `time.ticks_ms` does on 32-bit ports. Two moments can be
compared only when they are less than 6.2 days apart, so nothing outside this file keeps a bare counter value:
a `Stopwatch` saturates and a `Deadline` latches before that distance is reached. Both must be looked at at least
once a day, which every loop of the firmware does many times over.
"""

from micropython import const

_PERIOD = const(0x40000000)
_HALF = const(0x20000000)

CAP_MS = const(432000000)
"""Five days: the longest time a `Stopwatch` shows and a `Deadline` can lie ahead."""


def add(ticks, delta_ms):
    """The counter value `delta_ms` (-CAP_MS..CAP_MS) away from `ticks`."""
    return (ticks + delta_ms) & (_PERIOD - 1)


def diff(later, earlier):
    """Signed milliseconds from `earlier` to `later`, right while they are less than 6.2 days apart."""
    return ((later - earlier + _HALF) & (_PERIOD - 1)) - _HALF


class Stopwatch:
    """Milliseconds since it was started, at most CAP_MS."""

    def __init__(self, now):
        self._start = now

    def restart(self, now):
        self._start = now

    def ms(self, now):
        """Elapsed milliseconds, 0..CAP_MS. Once at CAP_MS it stays there."""
        elapsed = diff(now, self._start)
        if elapsed > CAP_MS:
            self._start = add(now, -CAP_MS)
            return CAP_MS
        return max(elapsed, 0)


class Deadline:
    """A moment ahead, at most CAP_MS away; once passed it stays passed."""

    def __init__(self, now, after_ms):
        self._at = add(now, min(max(after_ms, 0), CAP_MS))
        self._passed = False

    def left_ms(self, now):
        """Milliseconds until the moment, 0 when it has passed."""
        left = 0 if self._passed else diff(self._at, now)
        if left <= 0:
            self._passed = True
            return 0
        return left

    def passed(self, now):
        return self.left_ms(now) == 0
