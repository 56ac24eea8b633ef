"""What a person touches and sees: a button's contact, and the blink code of the status LED. Pure and wrap-safe."""

from firmware.core.timing import Timer


class Debounce:
    """`ms`: how long a level must last to count."""

    def __init__(self, ms):
        self.ms = ms
        self.raw = self.stable = None  # not known before the first level has lasted

    def pressed(self, active, now):
        """Whether a press has just become certain. `active`: closed now, `now`: the millisecond counter.

        The contact must be looked at more often than every `ms`. A button that was held at the start was not pressed.
        """
        if active != self.raw:
            self.raw = active
            self.settled = Timer(now, self.ms)
        if active == self.stable or not self.settled.passed(now):
            return False
        before = self.stable
        self.stable = active
        return active and before is not None


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


def level(state, now):
    """Whether the LED is lit in `state` at `now` on the millisecond counter. KeyError: there is no such state."""
    return bool(_CODES[state] >> (now >> 8 & 15) & 1)
