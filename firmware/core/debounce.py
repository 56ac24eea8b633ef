"""When a bouncing contact counts as pressed. Pure and wrap-safe."""

from firmware.core.timing import Timer


class Debounce:
    """`ms`: how long a level must last to count."""

    def __init__(self, ms):
        self.ms = ms
        self.raw = self.stable = self.until_stable = None  # not known before the first level has lasted

    def pressed(self, active, now):
        """Whether a press has just become certain. `active`: closed now, `now`: the millisecond counter.

        The contact must be looked at more often than every `ms`. A button that was held at the start was not pressed.
        """
        if active != self.raw:
            self.raw = active
            self.until_stable = Timer(now, self.ms)
        if active == self.stable or not self.until_stable.passed(now):
            return False
        before = self.stable
        self.stable = active
        return active and before is not None
