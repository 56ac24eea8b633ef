"""Whether the device may apply desired values at all: the lease, and the reasons for safe state.

A lease is granted by a token and ends by expiry or refusal; it never asks what time of day it is, so a clock that jumps
cannot lengthen it. Safe state holds while any reason for it stands. Nothing here fetches tokens (links do) or
switches a relay (`controller` asks each output for its own safe state).
"""

from firmware.core.timing import Timer


class Lease:
    """Authorized until a moment: `held`, or the `reason` why not, as a text. `token` and `renewal`: Timers that have
    passed when the token has run out, and when a new one should be asked for. Where a session is held with
    credentials of its own, the shorter of both lives counts.

    A token does not prove authorization: a cloud may issue one and still refuse everything asked with it, as it does
    when the subscription has ended. So a lease that was not held begins with `confirm`, the first answer to a request
    under it.
    """

    def __init__(self, now):
        self.token = self.renewal = Timer(now)
        self.session = None  # Timer: when a held session ends, at the latest
        self.held = False
        self.reason = "not authorized yet"

    def grant(self, asked_at, expires_s, renew_s, bits=0):
        """A token for `expires_s` seconds, counted from the moment it was asked for, which is the careful end of the
        interval (docs/protocol.md, assumption 17). A `renew_s` outside 1..expires_s becomes 75 % of it. Renewal is due
        up to an eighth sooner, by 32 random `bits`: devices that got their tokens together renew them apart."""
        if not 0 < renew_s < expires_s:
            renew_s = expires_s * 3 // 4
        renew_s -= renew_s * (bits >> 20) >> 15
        self.token = Timer(asked_at, expires_s * 1000)
        self.renewal = Timer(asked_at, renew_s * 1000)

    def confirm(self):
        """The cloud accepted a request under the token."""
        self.held = True

    def end(self, reason):
        """The cloud withdrew the authorization, or it cannot be relied on any more."""
        self.held = False
        self.reason = reason

    def valid(self, now):
        if self.held and (self.token.passed(now) or (self.session and self.session.passed(now))):
            self.end("authorization expired")
        return self.held


class Safety:
    """`silence_s`: longest time without an answer from the cloud, 0 when only the lease counts. `silence`: Timer since
    the last answer. `faults`: names of the loops that failed, until they run again."""

    def __init__(self, silence_s, now):
        self.silence_s = silence_s
        self.silence = Timer(now, silence_s * 1000)
        self.faults = set()
        self.reasons = ()
        self.safe = True

    def contact(self, now):
        """The cloud answered."""
        self.silence.start = now

    def update(self, lease, now):
        """Look at everything; True when safe state was entered or left by it."""
        reasons = ["task %s failed" % name for name in self.faults]
        if not lease.valid(now):
            reasons.append(lease.reason)
        if self.silence_s and self.silence.passed(now):
            reasons.append("no answer from the cloud for %d s" % self.silence_s)
        self.reasons = reasons
        before = self.safe
        self.safe = bool(reasons)
        return self.safe != before
