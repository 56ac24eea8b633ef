"""From microvolts to °C and lux, against published tables."""

import math

from firmware.core import measure as convert
from firmware.core.errors import DriverError

# Vishay NTCLE100E3103 (10 k at 25 °C, B25/85 = 3977 K), resistance table of document 29049: °C, ohm.
VISHAY = (
    (-20, 96358),
    (-10, 55046),
    (0, 32554),
    (5, 25339),
    (10, 19872),
    (15, 15698),
    (20, 12488),
    (25, 10000),
    (30, 8059),
    (35, 6535),
    (40, 5330),
    (50, 3606),
    (60, 2490),
    (70, 1753),
    (85, 1070),
)

# Steinhart-Hart through that table's rows at 0, 25 and 70 °C.
STEINHART = [0.001136032, 0.0002327906, 9.458961e-08]

NTC = {
    "kind": "thermistor",
    "divider_ohm": 10000.0,
    "side": "low",
    "supply_mv": 3300.0,
    "beta": 3950.0,
    "r25_ohm": 10000.0,
    "steinhart": None,
    "offset_c": 0.0,
    "min": -40.0,
    "max": 125.0,
}
LDR = {
    "kind": "ldr_sensor",
    "divider_ohm": 10000.0,
    "side": "low",
    "supply_mv": 3300.0,
    "scale": 12518931.0,
    "exponent": -1.405,
    "min": 0.0,
    "max": 200000.0,
}


def sensor(base, **changes):
    copy = dict(base)
    copy.update(changes)
    return copy


def divider_uv(ohm, side="low", divider_ohm=10000, supply_mv=3300):
    """What an ideal divider with this sensor puts out."""
    low = ohm if side == "low" else divider_ohm
    return supply_mv * 1000 * low / (ohm + divider_ohm)


def ntc_ohm(celsius, beta=3950, r25_ohm=10000):
    return r25_ohm * math.exp(beta / (celsius + 273.15) - beta / 298.15)


def fault(call, *args):
    try:
        result = call(*args)
    except DriverError as e:
        return str(e)
    raise AssertionError("a number instead of a fault: %s" % result)


def test_beta_within_half_a_degree_of_the_table_in_daily_life():
    for celsius, ohm in VISHAY:
        got = convert.beta_c(ohm, 3977, 10000)
        assert abs(got - celsius) < (0.6 if celsius >= 5 else 1.8), (celsius, got)
    assert abs(convert.beta_c(10000, 3977, 10000) - 25) < 0.001


def test_steinhart_hart_within_a_twentieth_of_a_degree_of_the_table():
    for celsius, ohm in VISHAY:
        assert abs(convert.steinhart_c(ohm, STEINHART) - celsius) < 0.05, celsius


def test_the_inverse_of_the_beta_equation_comes_back():
    for celsius in range(-20, 111, 5):
        assert abs(convert.beta_c(ntc_ohm(celsius), 3950, 10000) - celsius) < 0.01


def test_both_sides_of_the_divider_give_the_same_ohms():
    for ohm in (500, 1000, 9999, 10000, 47000, 100000):
        for side in ("low", "high"):
            for supply_mv in (2500, 3300):
                uv = divider_uv(ohm, side, 10000, supply_mv)
                got = convert.ohm(uv, 10000, supply_mv, side)
                assert abs(got - ohm) < ohm * 0.001, (ohm, side)


def test_readings_from_the_pin_on_either_side():
    for side in ("low", "high"):
        cfg = sensor(NTC, side=side)
        for celsius in (-20, 0, 20, 60, 100) if side == "low" else (-20, 20, 60, 80):
            got = convert.reading(cfg, divider_uv(ntc_ohm(celsius), side))
            assert abs(got - celsius) < 0.05, (side, celsius, got)
    got = convert.reading(sensor(NTC, steinhart=STEINHART, offset_c=-0.5), divider_uv(12488))
    assert abs(got - 19.5) < 0.05


def test_a_broken_wire_and_a_short_are_faults_in_words():
    # 142 mV and 3130 mV are what a calibrated ESP32 shows for a grounded and for a saturated pin.
    for side, low, high in (("low", "short", "open"), ("high", "open", "short")):
        cfg = sensor(NTC, side=side)
        for uv in (0, 142000, 150000):
            assert low in fault(convert.reading, cfg, uv)
        for uv in (3050000, 3130000, 3300000):
            assert high in fault(convert.reading, cfg, uv)


def test_the_upper_rail_follows_a_lower_supply():
    cfg = sensor(NTC, supply_mv=2500.0)
    assert "open" in fault(convert.reading, cfg, 2500000)
    assert "open" in fault(convert.reading, cfg, 2425000)
    assert convert.reading(cfg, 2400000) < -20


def test_what_can_be_measured_is_what_the_module_says():
    assert -22.5 < convert.reading(NTC, 3049000) < -22
    assert 113.5 < convert.reading(NTC, 151000) < 114
    assert 2.5 < convert.reading(NTC, 2450000) < 3.5


def test_an_implausible_value_is_a_fault():
    cfg = sensor(NTC, min=0.0, max=50.0)
    assert "outside" in fault(convert.reading, cfg, divider_uv(ntc_ohm(-5)))
    assert "outside" in fault(convert.reading, cfg, divider_uv(ntc_ohm(51)))
    assert convert.reading(cfg, divider_uv(ntc_ohm(49))) < 50


def test_senseless_coefficients_are_a_fault_and_no_crash():
    for coefficients in ([0.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -0.001, 0.0]):
        assert "coefficients" in fault(convert.reading, sensor(NTC, steinhart=coefficients), 1650000)
    hot = sensor(NTC, beta=1000.0, r25_ohm=1000000.0)
    assert "coefficients" in fault(convert.reading, hot, 151000)


def test_lux_follows_the_power_law():
    # A GL5528 class LDR: some 10 lux at 20..22 kilohm; ten times the light is 10 ** (1 / 1.405) times less ohms.
    assert 9 < convert.lux(21900, 12518931, -1.405) < 11
    for ohm in (500, 5000, 50000):
        more = convert.lux(ohm / 10 ** (1 / 1.405), 12518931, -1.405)
        assert abs(more / convert.lux(ohm, 12518931, -1.405) - 10) < 0.01
    for side in ("low", "high"):
        cfg = sensor(LDR, side=side)
        got = convert.reading(cfg, divider_uv(5000, side))
        assert abs(got - convert.lux(5000, 12518931, -1.405)) < 0.5


def test_the_night_is_no_fault_but_a_short_is():
    assert convert.reading(LDR, divider_uv(1000000)) == 0
    assert "short" in fault(convert.reading, LDR, 142000)
    high = sensor(LDR, side="high")
    assert convert.reading(high, 142000) == 0
    assert "short" in fault(convert.reading, high, 3130000)
    # Whoever knows that the place is never dark says so, and learns of a broken wire.
    assert "outside" in fault(convert.reading, sensor(LDR, min=1.0), divider_uv(1000000))
