"""Debouncing of a contact. Pure and wrap-safe."""

from firmware.core.timing import Timer


class Debounce:
    """`ms`: how long a level must last to be accepted, in milliseconds."""

    def __init__(self, ms):
        self.ms = ms
        self.raw = self.stable = self.until_stable = None  # `stable` stays None until a level was accepted

    def pressed(self, active, now):
        """Return True once for each press. `active`: the contact is closed. `now`: the millisecond counter.

        Call it more often than every `ms`. A button that is held at the start does not count as pressed.
        """
        if active != self.raw:
            self.raw = active
            self.until_stable = Timer(now, self.ms)
        if active == self.stable or not self.until_stable.passed(now):
            return False
        before = self.stable
        self.stable = active
        return active and before is not None
