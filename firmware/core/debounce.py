"""A push button, from its bouncing contact to presses.

Pure: told the level and the time, it answers what happened. Whatever lasts shorter than the given time did not happen;
a button that is held while the device starts was not pressed.
"""

from firmware.core.ticks import Deadline


class Debounce:
    """`ms`: how long a level must last to count."""

    def __init__(self, ms):
        self._ms = ms
        self._raw = None
        self._settled = None
        self._stable = None  # not known before the first level has lasted

    def __repr__(self):
        return "Debounce(%s)" % self._stable

    def step(self, active, now_ms):
        """What happened: "pressed", "released" or None; `active`: closed now, `now_ms`: the millisecond counter.

        The contact must be looked at more often than every `ms`. The release of a button that was held at the start is
        reported, its press is not.
        """
        if active != self._raw:
            self._raw = active
            self._settled = Deadline(now_ms, self._ms)
        if active == self._stable or not self._settled.passed(now_ms):
            return None
        known = self._stable is not None
        self._stable = active
        return ("pressed" if active else "released") if known else None
