"""A resistor that depends on something, in a voltage divider at an input of ADC1.

A wiring fault never becomes a number: a voltage at either end of what the ADC can distinguish is a `DriverError` before
anything is divided by it. 150 mV and less is one rail: the calibrated reading of an ESP32 never falls below about
142 mV. The other rail is `high_uv` of the sensor, from which on the chip's ADC saturates, or 97 % of a lower supply. At
11 dB a classic ESP32 is linear from 150 to 2450 mV and saturates from about 3060 mV on (`firmware/boards`). A 10 k
thermistor with beta 3950 against 10 k at 3.3 V is thus measured from -22 to 114 °C on the low side, and below 3 °C,
beyond the linear part, less exactly.
"""

from micropython import const

from firmware.core.errors import DriverError

_LOW_UV = const(150000)
_BETWEEN_MS = const(5)


class Divider:
    """The driver of such a sensor, see `firmware/sensors`. `law(parts, ohm)`: the value at a resistance, None: the
    power law with a scale and an exponent, which are `parts` then. `at_open`: the value of an open circuit, None: it is
    a fault. `shared`: what sensors that are alike hold once (`firmware/app.py`)."""

    def __init__(self, cfg, board, clock, parts, law=None, at_open=None):
        self.adc = board.adc(cfg["gpio"])
        self.clock = clock
        supply_uv, high_uv = int(cfg["supply_mv"] * 1000), int(cfg["high_uv"])
        to_ground = cfg["side"] == "low"
        self.shared = (cfg["samples"], supply_uv, high_uv, cfg["divider_ohm"], to_ground, parts, law, at_open)

    async def read(self):
        """The value in a tuple. DriverError."""
        count, supply_uv, high_uv, ohm, to_ground, parts, law, at_open = self.shared
        samples = []
        for _ in range(count):
            samples.append(self.adc.read_uv())
            await self.clock.sleep_ms(_BETWEEN_MS)
        uv = middle_mean(samples)
        high = uv >= high_uv
        if high or uv <= _LOW_UV:
            is_open = high == to_ground
            if is_open and at_open is not None:
                return (at_open,)
            raise DriverError("%s circuit: %d mV" % ("open" if is_open else "short", uv // 1000))
        ratio = uv / (supply_uv - uv)
        ohm *= ratio if to_ground else 1 / ratio
        return (law(parts, ohm) if law else parts[0] * ohm ** parts[1],)


def middle_mean(samples):
    """The mean of the middle third of at least one sample: up to a third of them may be off on either side without a
    trace. Of one or two it is the mean, of three the median. An ESP32's ADC throws single samples off by tens of
    millivolts while the radio transmits."""
    drop = len(samples) // 3
    middle = sorted(samples)[drop : len(samples) - drop]
    return sum(middle) / len(middle)
