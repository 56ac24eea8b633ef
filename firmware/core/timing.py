"""Moments, waits and intervals on the wrapping millisecond counter.

The counter runs 0..2**30-1 and wraps after 12.4 days, as `time.ticks_ms` does on 32-bit ports. Two moments can be
compared only when they are less than 6.2 days apart, so nothing outside this file keeps a bare counter value for long:
a `Timer` saturates before that distance is reached. It must be looked at at least once a day, which every loop of the
firmware does many times over. Pure: time and random bits come in with each call.
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
    `start` to begin anew."""

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
        return not self.left_ms(now)


_MAX_SHIFT = const(16)


class Backoff:
    """Waits of `least_ms` up to a window that doubles from `base_ms` to `cap_ms` with every failure."""

    def __init__(self, base_ms, cap_ms, least_ms=1000):
        self.base_ms = base_ms
        self.cap_ms = cap_ms
        self.least_ms = least_ms
        self.failures = 0

    def reset(self):
        self.failures = 0

    def next_ms(self, bits):
        """The next wait for 32 random `bits`. Full jitter keeps a fleet from returning in step after an outage."""
        window = min(self.cap_ms, self.base_ms << min(self.failures, _MAX_SHIFT)) - self.least_ms
        self.failures += 1
        return self.least_ms + max(window, 0) * (bits >> 8) // 0xFFFFFF


_GAP_MS = const(5000)
_MAX_STRETCH = const(16)
_MOST = const(20)  # reports in one request (Realer API, section 14 rows 3 and 20)
_CALM_MS = const(600000)  # without a 429, before a stretched gap is halved and full batches are tried again
_JITTER_MS = const(150)  # how far a report may push a poll off the grid, beside its own round trip
_LONGEST_S = const(3600)


class Cadence:
    """Answers "how many ms from now" for a poll, a report, or any other request. `most`: reports in one request that
    the server takes, to be lowered when it does not."""

    def __init__(self, poll_ms, now):
        self.poll_ms = poll_ms
        self.plan_ms = 0
        self.stretch = 1
        self.most = _MOST
        self.round_trip = 0
        self.asked = self.owed = False  # a report found no room; it has the next turn
        self.poll = self.hold = Timer(now)
        self.calm = Timer(now, _CALM_MS)

    def gap_ms(self):
        """Least distance between two requests."""
        return max(min(self.poll_ms // 2, _GAP_MS), self.plan_ms) * self.stretch

    def beat_ms(self):
        """Between two polls, with room for a report. Rate limits are about distances: a storm of 429 must not make a
        device deaf that asks seldom anyway."""
        return max(self.poll_ms, 2 * self.gap_ms())

    def obey(self, now, plan_ms):
        """The answer that just came says how far apart the plan wants requests."""
        self.plan_ms = plan_ms
        self.hold = Timer(now, self.gap_ms())

    def wait_ms(self, now):
        """Until any request may leave."""
        return self.hold.left_ms(now)

    def poll_wait_ms(self, now):
        """Until the next poll is due."""
        return max(self.hold.left_ms(now), self.poll.left_ms(now))

    def report_wait_ms(self, now):
        """Until a report may leave without pushing the next poll off its beat. After one poll that went first it may
        push: round trips as long as the gap must not keep reports away for ever."""
        gap = self.gap_ms()
        wait = self.hold.left_ms(now)
        to_poll = self.poll.left_ms(now)
        slack = min(_JITTER_MS + self.round_trip, gap // 2)
        if self.owed or to_poll - wait >= gap - slack:
            return wait
        self.asked = True
        return max(to_poll, wait) + gap

    def started(self, now, is_poll):
        """A request leaves now."""
        self.hold = Timer(now, self.gap_ms())
        self.owed = is_poll and self.asked
        self.asked = False
        if is_poll:
            self.poll = Timer(now, self.beat_ms())

    def finished(self, now):
        """The request was answered, or given up. The gap to the next one begins here."""
        self.round_trip = self.hold.ms(now)
        if self.calm.passed(now):
            self.stretch = (self.stretch + 1) // 2
            self.most = _MOST
            self.calm.start = now
        self.hold.start = now

    def slow_down(self, now, retry_after_s):
        """The server said 429: double the gap, and wait at least as long as it asked, at most an hour."""
        self.stretch = min(self.stretch * 2, _MAX_STRETCH)
        self.calm.start = now
        self.hold = Timer(now, max(min(retry_after_s, _LONGEST_S) * 1000, self.gap_ms()))
        self.poll = Timer(now, self.beat_ms())
