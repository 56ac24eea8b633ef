"""The status LED: one blink code per state of the device.

Owns the codes; knows neither pins nor who decides the state. A cycle of 4096 ms divides the millisecond counter, so not
even its wrap disturbs the rhythm.
"""

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
