"""When the next request may leave: polls on a grid, reports between them, a gap after every answer. Pure."""

from micropython import const

from firmware.core.timing import Timer

_GAP_MS = const(5000)
_MAX_STRETCH = const(16)
_MOST = const(20)  # reports in one request (docs/protocol.md, assumption 3)
_CALM_MS = const(600000)  # without a 429, before a stretched gap is halved
_FEW, _MANY = const(3), const(48)  # requests that go well, before a larger batch is tried again
_JITTER_MS = const(150)  # how far a report may push a poll off the grid, beside its own round trip
_LONGEST_S = const(3600)


class RateLimiter:
    """Answers "how many ms from now" for a poll, a report, or any other request. `most`: reports in one request that
    the server takes. `saved`: `state()` of an earlier one."""

    def __init__(self, poll_ms, now, saved=None):
        self.poll_ms = poll_ms
        self.plan_ms = 0
        self.stretch = 1
        self.most = _MOST
        self.left = self.again = _FEW  # requests before `most` grows: now, and after the next refusal
        self.round_trip = 0
        self.asked = self.owed = False  # a report found no room; it has the next turn
        self.poll = self.hold = Timer(now)
        self.calm = Timer(now, _CALM_MS)
        if saved:
            self.plan_ms, self.stretch, self.most, self.left, self.again, self.hold, self.calm = saved

    def state(self):
        """What a later one has to go on with."""
        return self.plan_ms, self.stretch, self.most, self.left, self.again, self.hold, self.calm

    def gap_ms(self):
        """Least distance between two requests."""
        return max(min(self.poll_ms // 2, _GAP_MS), self.plan_ms) * self.stretch

    def poll_gap_ms(self):
        """Between two polls, with room for a report. Rate limits are about distances: a storm of 429 must not silence a
        device that asks seldom anyway."""
        return max(self.poll_ms, 2 * self.gap_ms())

    def obey(self, now, plan_ms):
        """The latest answer has the least distance between requests of the plan."""
        self.plan_ms = plan_ms
        self.hold = Timer(now, self.gap_ms())

    def wait_ms(self, now):
        """Until any request may leave."""
        return self.hold.left_ms(now)

    def poll_wait_ms(self, now):
        """Until the next poll is due."""
        return max(self.hold.left_ms(now), self.poll.left_ms(now))

    def report_wait_ms(self, now):
        """Until a report may leave without pushing the next poll off its grid. After one poll that went first it may
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
            self.poll = Timer(now, self.poll_gap_ms())

    def finished(self, now):
        """The request was answered, or given up. The gap to the next one begins here."""
        self.round_trip = self.hold.ms(now)
        if self.calm.passed(now):
            self.stretch = (self.stretch + 1) // 2
            self.calm.start = now
        self.hold.start = now

    def batch(self, sent, most):
        """Of `sent` reports in one request the server takes `most`: if fewer, so many at once until a few requests went
        well, after each further refusal twice as many."""
        self.left -= 1
        if most < sent:
            self.most = most
            self.left = self.again
            self.again = min(2 * self.again, _MANY)
        elif not self.left:
            self.most = _MOST
        elif self.left < 0 and sent > 1:
            self.again = _FEW

    def slow_down(self, now, retry_after_s):
        """The server answered 429: double the gap, and wait at least as long as it asked, at most an hour."""
        self.stretch = min(self.stretch * 2, _MAX_STRETCH)
        self.calm.start = now
        self.hold = Timer(now, max(min(retry_after_s, _LONGEST_S) * 1000, self.gap_ms()))
        self.poll = Timer(now, self.poll_gap_ms())
