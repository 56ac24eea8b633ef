"""The blink code of the status LED. Pure and wrap-safe."""

_CODES = {
    # 16 slots of 256 ms, the first in the lowest bit
    "config_error": 0x5555,  # blinks continuously
    "no_network": 0x0001,  # once
    "no_time": 0x0005,  # twice
    "no_cloud": 0x0015,  # three times
    "unauthorized": 0x0055,  # four times
    "safe": 0x0FFF,  # on with a gap of a second: outputs are in their safe state
    "online": 0xFFFF,  # on
}


def level(state, now):
    """Return whether the LED is lit in `state` at `now` on the millisecond counter. KeyError: no such state."""
    return bool(_CODES[state] >> (now >> 8 & 15) & 1)
