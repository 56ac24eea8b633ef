"""An NTC thermistor in a voltage divider: degrees Celsius."""

import math

from firmware.core.divider import Divider

RULES = """

thermistor
divider
beta 1000.0..10000 =3950
r25_ohm 100.0..1e6 =10000
steinhart list 3 -1.0..1 =null
offset_c -20.0..20 =0
deadband 0.0..50 =0.2
min -60.0..200 =-20
max -60.0..200 =110

"""


def driver(cfg, board, clock, store):
    """Return the driver. It uses the Steinhart-Hart equation, 1/T = A + B ln R + C (ln R)^3 (Deep-Sea Research 15,
    1968). The beta equation, 1/T = 1/T25 + ln(R/R25)/beta, is the same with other coefficients."""
    beta = cfg["beta"]
    a, b, c = cfg["steinhart"] or (1 / 298.15 - math.log(cfg["r25_ohm"]) / beta, 1 / beta, 0)
    return Divider(cfg, board, clock, (a, b, c, 273.15 - cfg["offset_c"]), celsius)


def celsius(parts, ohm):
    """Return degrees Celsius for a resistance. `parts`: A, B, C and the kelvins to subtract."""
    a, b, c, zero_k = parts
    log = math.log(ohm)
    # Without the lower bound, wrong coefficients could divide by zero. With it they give a value that exceeds `max`.
    return 1 / max(a + b * log + c * log**3, 1e-6) - zero_k
