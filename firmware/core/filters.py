"""From a handful of ADC samples to one.

An ESP32's ADC throws single samples off by tens of millivolts while the radio transmits, so outliers are dropped before
anything is averaged. Refuses empty lists and more than 15 samples (ValueError): both are mistakes of the caller.
"""

from micropython import const

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
