"""Thermistor and LDR: from microvolts to °C and lux, against published tables; and the mean of the middle."""

import math

from firmware.core.divider import middle_mean
from firmware.sensors import ldr_sensor, thermistor
from tests_host.support.sampling import Pins, measured

# Vishay NTCLE100E3103 (10 k at 25 °C, B25/85 = 3977 K), resistance table of document 29049: °C, ohm.
VISHAY = (
    (-20, 96358), (-10, 55046), (0, 32554), (5, 25339), (10, 19872), (15, 15698), (20, 12488), (25, 10000),
    (30, 8059), (35, 6535), (40, 5330), (50, 3606), (60, 2490), (70, 1753), (85, 1070),
)  # fmt: skip

# Steinhart-Hart through that table's rows at 0, 25 and 70 °C.
STEINHART = [0.001136032, 0.0002327906, 9.458961e-08]

NTC = {
    "gpio": 34, "samples": 5, "kind": "thermistor", "divider_ohm": 10000.0, "side": "low",
    "supply_mv": 3300.0, "high_uv": 3050000.0, "beta": 3950.0, "r25_ohm": 10000.0, "steinhart": None,
    "offset_c": 0.0, "min": -40.0, "max": 125.0,
}  # fmt: skip
LDR = {
    "gpio": 34, "samples": 5, "kind": "ldr_sensor", "divider_ohm": 10000.0, "side": "low",
    "supply_mv": 3300.0, "high_uv": 3050000.0, "scale": 12518931.0, "exponent": -1.405, "min": 0.0,
    "max": 200000.0,
}  # fmt: skip


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


def reading(cfg, uv):
    """What the sampling loop makes of `uv` at the pin: a value, or a fault as text."""
    kind = thermistor if cfg["kind"] == "thermistor" else ldr_sensor
    (found,) = measured(kind, cfg, Pins(uv={34: [uv]}))
    return found


def celsius_at(cfg, ohm):
    """The law alone, beyond what the pin can show."""
    *_, parts, law, _ = thermistor.driver(cfg, Pins(), None, None).shared
    return law(parts, ohm)


def test_beta_within_half_a_degree_of_the_table_in_daily_life():
    cfg = sensor(NTC, beta=3977.0)
    for celsius, ohm in VISHAY:
        got = celsius_at(cfg, ohm)
        assert abs(got - celsius) < (0.6 if celsius >= 5 else 1.8), (celsius, got)
    assert abs(celsius_at(cfg, 10000) - 25) < 0.01


def test_steinhart_hart_within_a_twentieth_of_a_degree_of_the_table():
    cfg = sensor(NTC, steinhart=STEINHART)
    for celsius, ohm in VISHAY:
        assert abs(celsius_at(cfg, ohm) - celsius) < 0.05, celsius


def test_the_inverse_of_the_beta_equation_comes_back():
    for beta, r25_ohm in ((3950, 10000), (3435, 10000), (4250, 100000)):
        cfg = sensor(NTC, beta=beta, r25_ohm=r25_ohm)
        for celsius in range(-20, 111, 5):
            got = celsius_at(cfg, ntc_ohm(celsius, beta, r25_ohm))
            assert abs(got - celsius) < 0.01


def test_both_sides_of_any_divider_and_supply_give_the_same():
    for divider_ohm in (4700, 10000, 22000):
        for side in ("low", "high"):
            for supply_mv in (2500, 3300):
                cfg = sensor(NTC, side=side, divider_ohm=divider_ohm, supply_mv=supply_mv)
                for celsius in (5, 25, 40):
                    got = reading(cfg, divider_uv(ntc_ohm(celsius), side, divider_ohm, supply_mv))
                    assert abs(got - celsius) < 0.05, (divider_ohm, side, supply_mv, celsius)


def test_readings_from_the_pin_on_either_side():
    for side in ("low", "high"):
        cfg = sensor(NTC, side=side)
        for celsius in (-20, 0, 20, 60, 100) if side == "low" else (-20, 20, 60, 80):
            got = reading(cfg, divider_uv(ntc_ohm(celsius), side))
            assert abs(got - celsius) < 0.05, (side, celsius, got)
    got = reading(sensor(NTC, steinhart=STEINHART, offset_c=-0.5), divider_uv(12488))
    assert abs(got - 19.5) < 0.05


def test_a_broken_wire_and_a_short_circuit_are_driver_errors():
    # 142 mV and 3130 mV are what a calibrated ESP32 shows for a grounded and for a saturated pin.
    for side, low, high in (("low", "short", "open"), ("high", "open", "short")):
        cfg = sensor(NTC, side=side)
        assert "circuit" not in reading(sensor(cfg, min=500.0, max=501.0), 150001)
        for uv in (0, 142000, 150000):
            assert low in reading(cfg, uv)
        for uv in (3050000, 3130000, 3300000):
            assert high in reading(cfg, uv)


def test_the_upper_rail_follows_a_lower_supply():
    # As the check of the configuration finds it: 97 % of 2500 mV.
    cfg = sensor(NTC, supply_mv=2500.0, high_uv=2425000.0)
    assert "open" in reading(cfg, 2500000)
    assert "open" in reading(cfg, 2425000)
    assert reading(cfg, 2400000) < -20


def test_the_measurable_range_is_as_documented():
    assert -22.5 < reading(NTC, 3049000) < -22
    assert 113.5 < reading(NTC, 151000) < 114
    assert 2.5 < reading(NTC, 2450000) < 3.5


def test_an_implausible_value_is_a_fault():
    cfg = sensor(NTC, min=0.0, max=50.0)
    assert "outside" in reading(cfg, divider_uv(ntc_ohm(-5)))
    assert "outside" in reading(cfg, divider_uv(ntc_ohm(51)))
    assert reading(cfg, divider_uv(ntc_ohm(49))) < 50


def test_coefficients_that_give_no_temperature_are_a_fault():
    for coefficients in ([0.0, 0.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -0.001, 0.0]):
        assert "outside" in reading(sensor(NTC, steinhart=coefficients), 1650000)
    hot = sensor(NTC, beta=1000.0, r25_ohm=1000000.0)
    assert "outside" in reading(hot, 151000)


def test_lux_follows_the_power_law():
    # A GL5528 class LDR: some 10 lux at 20..22 kilohm; ten times the light is 10 ** (1 / 1.405) times less ohms.
    for side in ("low", "high"):
        cfg = sensor(LDR, side=side)
        assert 9 < reading(cfg, divider_uv(21900, side)) < 11
        for ohm in (5000, 20000, 50000):
            lux = reading(cfg, divider_uv(ohm, side))
            more = reading(cfg, divider_uv(ohm / 10 ** (1 / 1.405), side))
            assert abs(more / lux - 10) < 0.02, (side, ohm)


def test_darkness_is_no_fault_but_a_short_circuit_is():
    assert reading(LDR, divider_uv(1000000)) == 0
    assert "short" in reading(LDR, 142000)
    high = sensor(LDR, side="high")
    assert reading(high, 142000) == 0
    assert "short" in reading(high, 3130000)
    # Whoever knows that the place is never dark says so, and learns of a broken wire.
    assert "outside" in reading(sensor(LDR, min=1.0), divider_uv(1000000))


def test_middle_mean():
    for samples, mean in (
        ([5], 5),
        ([1, 2], 1.5),
        ([9, 1, 5], 5),
        ([0, 10, 12, 99], 11),
        ([0, 10, 11, 12, 99], 11),
        ([0, 0, 10, 12, 99, 99], 11),
        ([-99, 0, 0, 1, 2, 3, 4, 99, 99], 2),
    ):
        assert middle_mean(samples) == mean


def test_a_third_of_outliers_on_one_side_has_no_effect():
    for n in range(3, 16):
        for outlier in (0, 3300000):
            samples = [1500000] * (n - n // 3) + [outlier] * (n // 3)
            assert middle_mean(samples) == 1500000, n


def test_the_samples_stay_as_they_were():
    samples = [3, 1, 2]
    middle_mean(samples)
    assert samples == [3, 1, 2]
