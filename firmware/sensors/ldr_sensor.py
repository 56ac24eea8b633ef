"""A photoresistor (LDR) in a voltage divider: lux = `scale` * ohms ** `exponent`."""

from firmware.core.divider import Divider

RULES = """

ldr_sensor
divider
scale 0.001..1e12 =12518931
exponent -5.0..-0.01 =-1.405
deadband 0.0..1e5 =5
min 0.0..2e5 =0
max 0.0..2e5 =200000

"""


def driver(cfg, board, clock, store):
    """Return the driver. An open circuit means 0 lux, not a fault: in the dark an LDR has a resistance of megohms,
    which the ADC cannot distinguish from a broken wire."""
    return Divider(cfg, board, clock, (cfg["scale"], cfg["exponent"]), None, 0.0)
