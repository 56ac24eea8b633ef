"""A resistive sensor in a voltage divider at an input of ADC1.

A wiring fault is never reported as a value: a voltage at either end of the ADC's range is a `DriverError`. The low end
is 150 mV, because the calibrated reading of an ESP32 never falls below about 142 mV. The high end is `high_uv` of the
sensor, where the chip's ADC saturates, or 97 % of a lower supply. At 11 dB attenuation a classic ESP32 is linear from
150 to 2450 mV and saturates at about 3060 mV (`firmware/boards`). A thermistor of 10 kOhm with beta 3950 on the low
side of 10 kOhm at 3.3 V is thus measured from -22 to 114 °C, with less accuracy below 3 °C, where the ADC is not
linear.
"""

from micropython import const

from firmware.core.errors import DriverError

_LOW_UV = const(150000)
_BETWEEN_MS = const(5)


class Divider:
    """The driver of such a sensor, see `firmware/sensors`. `law(parts, ohm)`: returns the value at a resistance in
    ohms; None: a power law, with `parts` (scale, exponent). `at_open`: the value of an open circuit; None: that is a
    fault. `shared`: what sensors with the same settings share in memory (`firmware/app.py`)."""

    def __init__(self, cfg, board, clock, parts, law=None, at_open=None):
        self.adc = board.adc(cfg["gpio"])
        self.clock = clock
        supply_uv, high_uv = int(cfg["supply_mv"] * 1000), int(cfg["high_uv"])
        to_ground = cfg["side"] == "low"
        self.shared = (cfg["samples"], supply_uv, high_uv, cfg["divider_ohm"], to_ground, parts, law, at_open)

    async def read(self):
        """Return a tuple with the value. DriverError: open or short circuit."""
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
    """Return the mean of the middle third of `samples`, at least one: of one or two it is the mean, of three the
    median. Up to a third of outliers on either side have no effect. While the radio transmits, single samples of an
    ESP32's ADC are off by tens of millivolts."""
    drop = len(samples) // 3
    middle = sorted(samples)[drop : len(samples) - drop]
    return sum(middle) / len(middle)
