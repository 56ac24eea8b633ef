"""Volts by a table of points, and what is a fault instead."""

from firmware.sensors import analog
from tests_host.support.checking import validate
from tests_host.support.sampling import Pins, measured

CFG = {
    "gpio": 34,
    "kind": "analog",
    "samples": 1,
    "high_uv": 3050000.0,
    "points": [[0.5, 0.0], [1.5, 10.0], [2.5, 100.0]],
}


def reading(volts, **changes):
    (found,) = measured(analog, dict(CFG, **changes), Pins(uv={34: [volts * 1000000]}))
    return found


def test_between_points_the_value_is_on_the_line():
    for volts, value in ((0.5, 0), (1, 5), (1.5, 10), (2, 55), (2.5, 100)):
        assert abs(reading(volts) - value) < 0.01, volts


def test_beyond_the_table_the_outermost_line_goes_on():
    assert abs(reading(0.4) + 1) < 0.01
    assert abs(reading(2.6) - 109) < 0.01


def test_an_end_of_the_adc_is_a_fault():
    assert "nothing connected" in reading(0.142)
    assert "supply" in reading(3.1)


def test_it_is_a_value_where_the_table_reaches_as_far():
    points = [[0.0, 7.0], [3.3, 9.0]]
    assert reading(0.142, points=points) == 7
    assert reading(3.1, points=points) == 9
    assert 7 < reading(1, points=points) < 9


def test_a_value_out_of_the_limits_is_a_fault():
    assert "outside" in reading(2.5, max=99.0)
    assert reading(2.4, max=99.0) < 99


def problems(**changes):
    item = dict(
        {"kind": "analog", "gpio": 34, "pin_port": "1", "deadband": 1, "points": [[0, 0], [1, 5]]}, **changes
    )
    return [(level, path) for level, path, _, _ in validate({"sensors": [item]})[1] if path[:7] == "sensors"]


def test_volts_have_to_rise():
    assert problems() == []
    for points in ([[1, 0], [1, 5]], [[2, 0], [1, 5]], [[0, 0], [2, 1], [1, 2]]):
        assert problems(points=points) == [("error", "sensors[0].points")], points


def test_the_table_has_pairs_of_numbers():
    for points, path in (
        ([[0, 0]], "sensors[0].points"),
        ([[0, 0], [1]], "sensors[0].points[1]"),
        ([[0, 0], [1, "5"]], "sensors[0].points[1][1]"),
        ("0, 1", "sensors[0].points"),
    ):
        assert problems(points=points) == [("error", path)], points
    assert problems(deadband=None) == [("error", "sensors[0].deadband")]
