"""From the microvolts at an ADC pin to degrees Celsius and lux.

Here are the voltage divider and the laws of the two kinds of sensor. A wiring fault never becomes a number: a voltage
at either end of what the ADC can distinguish is a `DriverError` before anything is divided by it.

150 mV and less is one rail: the calibrated reading of an ESP32 never falls below about 142 mV. The other rail is
`high_uv` of the sensor, from which on the chip's ADC saturates, or 97 % of a lower supply. At 11 dB a classic ESP32 is
linear from 150 to 2450 mV and saturates from about 3060 mV on (`firmware/boards`). A 10 k thermistor with beta 3950
against 10 k at 3.3 V is thus measured from -22 to 114 °C on the low side, and below 3 °C, beyond the linear part, less
exactly.

Of several samples the outliers are dropped before anything is averaged: an ESP32's ADC throws single samples off by
tens of millivolts while the radio transmits.
"""

import math
from micropython import const

from firmware.core.errors import DriverError

_LOW_UV = const(150000)


def reading(sensor, uv):
    """The value of a `sensor` at `uv` microvolts, in °C or lux: `kind`, divider, law and `high_uv` as in a normalized
    item of `sensors`. Raises DriverError."""
    supply_mv = sensor["supply_mv"]
    to_ground = sensor["side"] == "low"
    high = uv >= sensor["high_uv"]
    end = None
    if high or uv <= _LOW_UV:
        end = "open" if high == to_ground else "short"
    dimming = sensor["kind"] == "ldr_sensor"
    if dimming and end == "open":
        # In the dark an LDR has megohms, which no ADC can distinguish from a broken wire: that is "no light", not a
        # fault.
        value = 0.0
    elif end:
        raise DriverError("%s circuit: %d mV" % (end, uv // 1000))
    else:
        ratio = uv / (supply_mv * 1000 - uv)
        ohm = sensor["divider_ohm"] * (ratio if to_ground else 1 / ratio)
        # An LDR follows a power law.
        value = sensor["scale"] * ohm ** sensor["exponent"] if dimming else celsius(sensor, math.log(ohm))
    if not sensor["min"] <= value <= sensor["max"]:
        raise DriverError("%.1f is outside of %g..%g" % (value, sensor["min"], sensor["max"]))
    return value


def celsius(sensor, log):
    """°C of a thermistor at the natural logarithm of its ohms, by Steinhart-Hart, 1/T = A + B ln R + C (ln R)^3
    (Deep-Sea Research 15, 1968). The beta equation, 1/T = 1/T25 + ln(R/R25)/beta, is the same with other coefficients.
    Raises DriverError."""
    beta = sensor["beta"]
    a, b, c = sensor["steinhart"] or (1 / 298.15 - math.log(sensor["r25_ohm"]) / beta, 1 / beta, 0)
    inverse_kelvin = a + b * log + c * log**3
    if inverse_kelvin <= 0:
        raise DriverError("the sensor's coefficients give no temperature")
    return 1 / inverse_kelvin - 273.15 + sensor["offset_c"]


def middle_mean(samples):
    """The mean of the middle third of at least one sample: up to a third of them may be off on either side without a
    trace. Of one or two it is the mean, of three the median."""
    drop = len(samples) // 3
    middle = sorted(samples)[drop : len(samples) - drop]
    return sum(middle) / len(middle)
