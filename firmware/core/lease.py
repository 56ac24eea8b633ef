"""Authorization as a deadline on the monotonic clock.

A lease is granted by a token, can be doubted (the cloud answered 401), and ends by expiry or refusal. It never asks what
time of day it is, so a clock that jumps cannot lengthen it. It does not fetch tokens: links do.
"""

from firmware.core.ticks import CAP_MS, Deadline


class Lease:
    """Authorized until a moment; `reason` says in words why not, when not.

    A token alone proves little: a cloud may hand one out and still refuse everything asked with it, as it does when the
    subscription has ended. So a lease that was not held begins with `confirm`, the first answer to a request under the token.
    """

    def __init__(self, now):
        self._end = Deadline(now, 0)
        self._renew = Deadline(now, 0)
        self.held = False
        self.reason = "not authorized yet"

    def __repr__(self):
        return "Lease(held)" if self.held else "Lease(%s)" % self.reason

    def grant(self, asked_at, expires_s, renew_s):
        """A token for `expires_s` seconds, counted from the moment it was asked for, which is the careful end of the
        interval (Realer API, section 14 row 17). A `renew_s` outside 1..expires_s becomes 75 % of it."""
        if not 0 < renew_s < expires_s:
            renew_s = expires_s * 3 // 4
        self._end = Deadline(asked_at, min(expires_s, CAP_MS // 1000) * 1000)
        self._renew = Deadline(asked_at, min(renew_s, CAP_MS // 1000) * 1000)

    def confirm(self):
        """The cloud accepted a request under the token."""
        self.held = True
        self.reason = ""

    def postpone_renewal(self, now, wait_ms):
        """Renewal failed while the lease still holds: try again after `wait_ms`."""
        self._renew = Deadline(now, wait_ms)

    def end(self, reason):
        """The cloud withdrew the authorization, or it cannot be relied on any more."""
        self.held = False
        self.reason = reason

    def valid(self, now):
        if self.held and self._end.passed(now):
            self.end("authorization expired")
        return self.held

    def expired(self, now):
        """Whether the token itself has run out."""
        return self._end.passed(now)

    def renewal_due(self, now):
        return self._renew.passed(now)

    def left_ms(self, now):
        return self._end.left_ms(now) if self.held else 0
