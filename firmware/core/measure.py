"""From the microvolts at an ADC pin to degrees Celsius and lux.

Owns the voltage divider and the laws of the two kinds of sensor. Refuses to make a number out of a wiring fault: a
voltage at either end of what the ADC can tell apart is a `DriverError` in words before anything is divided by it.

What can be measured: at 11 dB an ESP32 is linear from 150 to 2450 mV (ESP-IDF programming guide, ADC attenuation); its
calibrated reading never falls below about 142 mV and saturates, chip by chip, from about 3060 mV on. So 150 mV and less
is one rail, 3050 mV and more (or 97 % of a lower supply) the other. A 10 k thermistor with beta 3950 against 10 k at
3.3 V is thus measured from -22 to 114 °C on the low side, and below 3 °C, beyond the linear part, less exactly.

Of several samples the outliers are dropped before anything is averaged: an ESP32's ADC throws single samples off by tens
of millivolts while the radio transmits.
"""

import math
from micropython import const

from firmware.core.errors import DriverError

_LOW_UV = const(150000)
_HIGH_UV = const(3050000)
_KELVIN = 273.15
_K25 = 298.15


def reading(sensor, uv):
    """The value of one normalized item of `sensors` at `uv` microvolts, in °C or lux. Raises DriverError."""
    end = rail(uv, sensor["supply_mv"], sensor["side"])
    if sensor["kind"] == "ldr_sensor":
        # In the dark an LDR has megohms, which no ADC can tell from a broken wire: that is "no light", not a fault.
        value = 0.0 if end == "open" else lux(_ohm(sensor, uv, end), sensor["scale"], sensor["exponent"])
    else:
        value = _thermistor(sensor, _ohm(sensor, uv, end))
    if not sensor["min"] <= value <= sensor["max"]:
        raise DriverError("%.1f is outside of %g..%g" % (value, sensor["min"], sensor["max"]))
    return value


def rail(uv, supply_mv, side):
    """What a voltage at either end of the range says of the sensor on `side`: "open", "short", else None."""
    high = uv >= min(_HIGH_UV, supply_mv * 970)
    if not high and uv > _LOW_UV:
        return None
    return "open" if high == (side == "low") else "short"


def ohm(uv, divider_ohm, supply_mv, side):
    """Resistance of the sensor; `side` "low": between pin and ground, "high": between pin and supply."""
    other_uv = supply_mv * 1000 - uv
    return divider_ohm * uv / other_uv if side == "low" else divider_ohm * other_uv / uv


def beta_c(ohms, beta, r25_ohm):
    """°C of an NTC by the beta equation, 1/T = 1/T25 + ln(R/R25)/B. Raises DriverError."""
    return _celsius(1 / _K25 + math.log(ohms / r25_ohm) / beta)


def steinhart_c(ohms, coefficients):
    """°C by Steinhart-Hart, 1/T = A + B ln R + C (ln R)^3 (Deep-Sea Research 15, 1968). Raises DriverError."""
    a, b, c = coefficients
    log = math.log(ohms)
    return _celsius(a + b * log + c * log * log * log)


def lux(ohms, scale, exponent):
    """Illuminance by the power law of a photoresistor, scale * R ** exponent."""
    return scale * ohms**exponent


def _ohm(sensor, uv, end):
    if end:
        raise DriverError("%s circuit: %d mV" % (end, uv // 1000))
    return ohm(uv, sensor["divider_ohm"], sensor["supply_mv"], sensor["side"])


def _thermistor(sensor, ohms):
    if sensor["steinhart"]:
        return steinhart_c(ohms, sensor["steinhart"]) + sensor["offset_c"]
    return beta_c(ohms, sensor["beta"], sensor["r25_ohm"]) + sensor["offset_c"]


def _celsius(inverse_kelvin):
    if inverse_kelvin <= 0:
        raise DriverError("the sensor's coefficients give no temperature")
    return 1 / inverse_kelvin - _KELVIN


_MAX_SAMPLES = const(15)


def median(samples):
    """The middle sample, or the mean of the two in the middle."""
    ordered = _ordered(samples)
    n = len(ordered)
    return ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2


def middle_mean(samples):
    """The mean of the middle third: up to a third of the samples may be off on either side without a trace.

    Of one or two samples it is the mean, of three the median.
    """
    ordered = _ordered(samples)
    drop = len(ordered) // 3
    middle = ordered[drop : len(ordered) - drop]
    return sum(middle) / len(middle)


def _ordered(samples):
    if not 1 <= len(samples) <= _MAX_SAMPLES:
        raise ValueError("1..15 samples")
    return sorted(samples)
