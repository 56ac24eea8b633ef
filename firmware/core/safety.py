"""Whether the device may apply desired values: the lease, and the reasons for safe state.

A token grants a lease, which ends by expiry or refusal. It does not use the time of day, so a clock that is set wrong
cannot prolong it. The device is in safe state while there is any reason for it. Links fetch the tokens; `controller`
switches each output to its own safe state.
"""

from firmware.core.timing import Timer


class Lease:
    """The device's authorization. `held`: it is authorized; otherwise `reason` says why not. `token` and `renewal`:
    Timers that have passed once the token has expired, and once a new one should be requested. If a session has
    credentials of its own, the lease ends with whichever expires first.

    A token does not prove authorization: a cloud may issue one and still refuse every request, for instance when the
    subscription has ended. So a lease begins only with `confirm`, after the first successful request with the token.
    """

    def __init__(self, now):
        self.token = self.renewal = Timer(now)
        self.session = None  # Timer until the credentials of the session expire
        self.held = False
        self.reason = "not authorized yet"

    def grant(self, asked_at, expires_s, renew_s, bits=0):
        """Store the times of a token that is valid for `expires_s` seconds from `asked_at`, the time of its request,
        which is the safe assumption (docs/protocol.md, assumption 17). A `renew_s` outside 1..expires_s becomes 75 % of
        it. Renewal is due up to an eighth earlier, by 32 random `bits`, so that devices that got their tokens at the
        same time do not renew them at the same time."""
        if not 0 < renew_s < expires_s:
            renew_s = expires_s * 3 // 4
        renew_s -= renew_s * (bits >> 20) >> 15
        self.token = Timer(asked_at, expires_s * 1000)
        self.renewal = Timer(asked_at, renew_s * 1000)

    def confirm(self):
        """Begin the lease: the cloud has accepted a request with the token."""
        self.held = True

    def end(self, reason):
        """End the lease: the cloud withdrew the authorization, or it is no longer certain."""
        self.held = False
        self.reason = reason

    def valid(self, now):
        if self.held and (self.token.passed(now) or (self.session and self.session.passed(now))):
            self.end("authorization expired")
        return self.held


class Safety:
    """`silence_s`: longest time without an answer from the cloud in seconds, 0: no limit. `silence`: Timer since the
    last answer. `faults`: names of the loops that have failed and do not run again yet."""

    def __init__(self, silence_s, now):
        self.silence_s = silence_s
        self.silence = Timer(now, silence_s * 1000)
        self.faults = set()
        self.reasons = ()
        self.safe = True

    def contact(self, now):
        """Record that the cloud has answered."""
        self.silence.start = now

    def update(self, lease, now):
        """Determine the reasons for safe state. Return whether it was entered or left."""
        reasons = ["task %s failed" % name for name in self.faults]
        if not lease.valid(now):
            reasons.append(lease.reason)
        if self.silence_s and self.silence.passed(now):
            reasons.append("no answer from the cloud for %d s" % self.silence_s)
        self.reasons = reasons
        before = self.safe
        self.safe = bool(reasons)
        return self.safe != before
