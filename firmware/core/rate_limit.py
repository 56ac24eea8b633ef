"""When the next request may be sent: polls at fixed intervals, reports between them, a gap after every response.
Pure."""

from micropython import const

from firmware.core.timing import Timer

_GAP_MS = const(5000)
_MAX_STRETCH = const(16)
_MOST = const(20)  # reports in one request (docs/protocol.md, assumption 3)
_CALM = const(4)  # gaps without a 429 before a stretched gap is halved, ...
_CALM_MOST = const(600)  # ... the most of them, of the shortest gap, ...
_CALM_MS = const(600000)  # ... and in any case the time for that
_FEW, _MANY = const(3), const(48)  # successful requests before a larger batch is tried again
_JITTER_MS = const(150)  # how much a report may delay a poll, in addition to its own round trip
_LONGEST_S = const(3600)


class RateLimiter:
    """Computes the wait in ms before a poll, a report, or any other request. `most`: how many reports the server
    accepts in one request. `saved`: `state()` of an earlier RateLimiter."""

    def __init__(self, poll_ms, now, saved=None):
        self.poll_ms = poll_ms
        self.plan_ms = 0
        self.stretch = 1
        self.most = _MOST
        self.left = self.again = _FEW  # requests until `most` is raised: from now, and after the next refusal
        self.patience = _CALM  # gaps without a 429 before the gap is halved
        self.lowered = False  # the gap has been halved, without a 429 since
        self.round_trip = 0
        self.asked = self.owed = False  # a report had to wait for a poll, and is next
        self.poll = self.hold = Timer(now)
        self.calm = Timer(now)
        if saved:
            self.plan_ms, self.stretch, self.most, self.left, self.again, self.hold = saved[:6]
            self.calm, self.patience, self.lowered = saved[6:]

    def state(self):
        """Return the state for a later RateLimiter."""
        batch = self.most, self.left, self.again
        return (self.plan_ms, self.stretch) + batch + (self.hold, self.calm, self.patience, self.lowered)

    def gap_ms(self):
        """Return the shortest time between two requests."""
        return max(min(self.poll_ms // 2, _GAP_MS), self.plan_ms) * self.stretch

    def poll_gap_ms(self):
        """Return the time between two polls, which leaves room for a report. Only the gap is stretched by 429, not
        `poll_ms`: many of them must not silence a device that polls rarely anyway."""
        return max(self.poll_ms, 2 * self.gap_ms())

    def obey(self, now, plan_ms):
        """Apply the shortest time between requests of the account's plan, from the last response."""
        self.plan_ms = plan_ms
        self.hold = Timer(now, self.gap_ms())

    def wait_ms(self, now):
        """Return the ms until any request may be sent."""
        return self.hold.left_ms(now)

    def poll_wait_ms(self, now):
        """Return the ms until the next poll is due."""
        return max(self.hold.left_ms(now), self.poll.left_ms(now))

    def report_wait_ms(self, now):
        """Return the ms until a report may be sent without delaying the next poll. After one poll that was given
        precedence, a report may delay the next: otherwise round trips as long as the gap would block reports for
        ever."""
        gap = self.gap_ms()
        wait = self.hold.left_ms(now)
        to_poll = self.poll.left_ms(now)
        slack = min(_JITTER_MS + self.round_trip, gap // 2)
        if self.owed or to_poll - wait >= gap - slack:
            return wait
        self.asked = True
        return max(to_poll, wait) + gap

    def started(self, now, is_poll):
        """Record that a request is sent now."""
        self.hold = Timer(now, self.gap_ms())
        self.owed = is_poll and self.asked
        self.asked = False
        if is_poll:
            self.poll = Timer(now, self.poll_gap_ms())

    def finished(self, now):
        """Record that the request was answered or has failed. The gap to the next one begins now."""
        self.round_trip = self.hold.ms(now)
        if self.calm.passed(now):
            self.lowered = self.stretch > 1
            if not self.lowered:
                self.patience = _CALM
            self.stretch = (self.stretch + 1) // 2
            self.calm = self.calm_timer(now)
        self.hold.start = now

    def calm_timer(self, now):
        """Return the Timer of how long no 429 has to come before the gap is halved."""
        return Timer(now, min(self.patience * self.gap_ms(), _CALM_MS))

    def batch(self, sent, most):
        """Record that the server accepts `most` of `sent` reports in one request. If that is fewer, it is the limit for
        the next three requests; their number doubles with each further refusal, up to 48."""
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
        """Handle a 429: double the gap, up to 16 times, and wait at least for `retry_after_s`, at most an hour. If the
        gap was halved too early, the next attempt is later."""
        if self.lowered:
            self.patience = min(2 * self.patience, _CALM_MOST)
            self.lowered = False
        self.stretch = min(self.stretch * 2, _MAX_STRETCH)
        self.calm = self.calm_timer(now)
        self.hold = Timer(now, max(min(retry_after_s, _LONGEST_S) * 1000, self.gap_ms()))
        self.poll = Timer(now, self.poll_gap_ms())
