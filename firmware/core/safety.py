"""Whether the device may act on the cloud's wishes at all.

Safe state holds while any reason for it stands. Reasons are plain words, shown in log and status. Nothing here
switches a relay: `controller` asks each output for its own safe state.
"""

from firmware.core.ticks import Stopwatch


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
