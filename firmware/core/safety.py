"""Whether the device may act on the cloud's wishes at all: the lease, and the reasons for safe state.

A lease is granted by a token and ends by expiry or refusal; it never asks what time of day it is, so a clock that jumps
cannot lengthen it. Safe state holds while any reason for it stands. Nothing here fetches tokens (links do) or
switches a relay (`controller` asks each output for its own safe state).
"""

from firmware.core.timing import CAP_MS, Deadline, Stopwatch


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


class Safety:
    """`silence_s`: longest time without an answer from the cloud, 0 when only the lease counts."""

    def __init__(self, silence_s, now):
        self._silence_ms = silence_s * 1000
        self._contact = Stopwatch(now)
        self._faults = []
        self.reasons = ("not authorized yet",)

    @property
    def safe(self):
        return bool(self.reasons)

    def contact(self, now):
        """The cloud answered."""
        self._contact.restart(now)

    def fault(self, name):
        """A part of the firmware died: safe until `mended`."""
        if name not in self._faults:
            self._faults.append(name)

    def mended(self, name):
        if name in self._faults:
            self._faults.remove(name)

    def update(self, lease, now):
        """Look at everything; True when safe state was entered or left by it."""
        before = self.safe
        reasons = ["task %s failed" % name for name in self._faults]
        if not lease.valid(now):
            reasons.append(lease.reason)
        if self._silence_ms and self._contact.ms(now) >= self._silence_ms:
            reasons.append("no answer from the cloud for %d s" % (self._silence_ms // 1000))
        self.reasons = tuple(reasons)
        return self.safe != before
