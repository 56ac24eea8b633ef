"""When the next request may leave, so that the plan's rate limit holds and polling keeps its beat.

Polls stand on a grid of `poll_ms`; reports use the time in between. Any two requests are at least `gap_ms` apart, five seconds
or half a poll interval, whichever is less, counted from the end of one to the start of the next, so that the server never
sees them closer. A 429 doubles all intervals, up to 16 times; quiet time brings them back. Source: Realer API,
sections 9 and 14 rows 20 to 22; docs/decisions/0006.
"""

from micropython import const

from firmware.core.ticks import Deadline, Stopwatch

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
