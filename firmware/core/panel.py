"""What a person touches and sees: a button's contact, and the blink code of the status LED. Pure and wrap-safe."""

from firmware.core.timing import Deadline


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


_CODES = {
    # 16 slots of 256 ms, the first one in the lowest bit
    "config_error": 0x5555,  # blinks without a pause
    "no_wifi": 0x0001,  # once
    "no_time": 0x0005,  # twice
    "no_cloud": 0x0015,  # three times
    "unauthorized": 0x0055,  # four times
    "safe": 0x0FFF,  # on with a gap of a second: outputs are in their safe state
    "online": 0xFFFF,  # on
}


def level(state, now_ms):
    """Whether the LED is lit in `state` at `now_ms` on the millisecond counter. KeyError: there is no such state."""
    return bool(_CODES[state] >> (now_ms >> 8 & 15) & 1)
