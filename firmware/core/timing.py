"""Moments, waits and intervals on the wrapping millisecond counter.

The counter runs 0..2**30-1 and wraps after 12.4 days, as `time.ticks_ms` does on 32-bit ports. Two moments can be
compared only when they are less than 6.2 days apart, so nothing outside this file keeps a bare counter value:
a `Stopwatch` saturates and a `Deadline` latches before that distance is reached. Both must be looked at at least
once a day, which every loop of the firmware does many times over. Pure: time and random bits come in with each call.
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


_MAX_SHIFT = const(16)


class Backoff:
    """Waits of `least_ms` up to a window that doubles from `base_ms` to `cap_ms` with every failure."""

    def __init__(self, base_ms, cap_ms, least_ms=1000):
        self._base = base_ms
        self._cap = cap_ms
        self._least = least_ms
        self.failures = 0

    def reset(self):
        self.failures = 0

    def next_ms(self, bits):
        """The next wait for 32 random `bits`. Full jitter keeps a fleet from returning in step after an outage."""
        window = min(self._cap, self._base << min(self.failures, _MAX_SHIFT))
        self.failures += 1
        return self._least + max(window - self._least, 0) * (bits >> 8) // 0xFFFFFF


_GAP_MS = const(5000)
_MAX_STRETCH = const(16)
_CALM = const(20)  # answered requests in a row before a stretched interval is halved again
_JITTER_MS = const(150)  # how far a report may push a poll off the grid, beside its own round trip
_LONGEST_S = const(3600)


class Cadence:
    """Answers "how many ms from now" for a poll, a report, or any other request."""

    def __init__(self, poll_ms, now):
        self._poll = poll_ms
        self._stretch = 1
        self._calm = 0
        self._round_trip = 0
        self._since = None  # Stopwatch from the last request: its start while under way, then its end
        self._asked = self._owed = False  # a report found no room; it has the next turn
        self._next_poll = Deadline(now, 0)
        self._hold = Deadline(now, 0)

    def gap_ms(self):
        """Least distance between two requests."""
        return min(self._poll // 2, _GAP_MS) * self._stretch

    def wait_ms(self, now):
        """Until any request may leave."""
        gap = self.gap_ms() - self._since.ms(now) if self._since else 0
        return max(gap, self._hold.left_ms(now), 0)

    def poll_wait_ms(self, now):
        """Until the next poll is due."""
        return max(self.wait_ms(now), self._next_poll.left_ms(now))

    def report_wait_ms(self, now):
        """Until a report may leave without pushing the next poll off its beat. After one poll that went first it may
        push: round trips as long as the gap must not keep reports away for ever."""
        wait = self.wait_ms(now)
        to_poll = self._next_poll.left_ms(now)
        slack = min(_JITTER_MS + self._round_trip, self.gap_ms() // 2)
        if self._owed or to_poll - wait >= self.gap_ms() - slack:
            return wait
        self._asked = True
        return max(to_poll, wait) + self.gap_ms()

    def started(self, now, is_poll=False):
        """A request leaves now."""
        self._since = Stopwatch(now)
        self._owed = is_poll and self._asked
        self._asked = False
        if is_poll:
            self._next_poll = Deadline(now, self._poll * self._stretch)

    def finished(self, now):
        """The request was answered, or given up."""
        self._round_trip = self._since.ms(now)
        self._since.restart(now)
        self._calm += 1
        if self._calm >= _CALM and self._stretch > 1:
            self._stretch //= 2
            self._calm = 0

    def slow_down(self, now, retry_after_s):
        """The server said 429: lengthen the interval, and wait at least as long as it asked, at most an hour."""
        self._stretch = min(self._stretch * 2, _MAX_STRETCH)
        self._calm = 0
        self._hold = Deadline(now, max(min(retry_after_s, _LONGEST_S) * 1000, self.gap_ms()))
        self._next_poll = Deadline(now, self._poll * self._stretch)
