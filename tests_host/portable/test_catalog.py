"""Rows of the cloud meet pins of the device: what fits, and what is ignored, with the reason."""

from firmware.core.catalog import bind
from firmware.core.models import Command, Sensor

PUMP = {"pin_port": "6", "mode": "switch"}
HEATER = {"pin_port": "9", "mode": "setpoint", "step": 0.5}
ROOM = {"pin_port": "14", "kind": "thermistor"}
LIGHT = {"pin_port": "15", "kind": "ldr_sensor"}


def command(key=1, port="6", kind="relay", low=None, high=None, step=None, error=None):
    return Command(key, kind, port, low, high, step, error)


def sensor(key=7, port="14", kind="thermistor", error=None):
    return Sensor(key, kind, port, error)


def bound(rows, items, resource="command"):
    notes = []
    return bind(rows, [item["pin_port"] for item in items], items, resource, notes), notes


def test_rows_are_found_by_their_port_in_the_order_of_the_config():
    pump, heater = command(1, "6"), command(2, "9")
    assert bound([heater, pump], [PUMP, HEATER]) == ([pump, heater], [])
    assert bound([pump, heater], [HEATER, PUMP]) == ([heater, pump], [])
    room, light = sensor(7, "14"), sensor(8, "15", "ldr_sensor")
    assert bound([light, room], [ROOM, LIGHT], "sensor") == ([room, light], [])


def test_a_port_is_text_and_not_a_number():
    rows, notes = bound([command(1, "06")], [PUMP])
    assert rows == [None] and len(notes) == 2


def test_an_item_with_an_error_is_ignored_and_does_not_block_its_port():
    good = command(2, "6")
    rows, notes = bound([command(1, "6", error="unsupported"), good], [PUMP])
    assert rows == [good] and len(notes) == 1 and "unsupported" in notes[0]
    rows, notes = bound([sensor(7, error="broken")], [ROOM], "sensor")
    assert rows == [None] and "sensor 7" in notes[0] and "broken" in notes[0]


def test_an_unknown_kind_is_ignored():
    rows, notes = bound([command(1, "6", kind="motor")], [PUMP])
    assert rows == [None] and "motor" in notes[0]
    rows, notes = bound([sensor(7, "14", kind="ldr_sensor")], [ROOM], "sensor")
    assert rows == [None] and "ldr_sensor" in notes[0] and "thermistor" in notes[0]


def test_two_commands_on_one_port_are_both_ignored():
    rows, notes = bound([command(1, "6"), command(8, "6"), command(2, "9")], [PUMP, HEATER])
    assert rows == [None, command(2, "9")]
    assert len(notes) == 3 and "command 1 " in notes[0] and "command 8 " in notes[1]


def test_a_port_that_is_not_configured_is_ignored():
    rows, notes = bound([command(1, "6"), command(3, "99")], [PUMP])
    assert rows == [command(1, "6")]
    assert len(notes) == 1 and "command 3 " in notes[0] and "99" in notes[0]


def test_a_configured_port_without_a_row_is_noted():
    rows, notes = bound([], [PUMP, HEATER])
    assert rows == [None, None] and len(notes) == 2
    assert "6" in notes[0] and "9" in notes[1]
    assert bound([], []) == ([], [])


def test_a_range_has_to_fit_the_mode():
    for low, high, step, item, fits in (
        (None, None, None, PUMP, True),
        (None, None, None, HEATER, True),
        (0.0, 1.0, 1.0, PUMP, True),
        (0.0, 1.0, 1.0, HEATER, False),
        (5.0, 35.0, 0.5, PUMP, False),
        (5.0, 35.0, 0.5, HEATER, True),
        (0.0, 100.0, 1.0, PUMP, False),
        (-1.0, 1.0, 1.0, PUMP, False),
    ):
        row = command(1, item["pin_port"], low=low, high=high, step=step)
        rows, notes = bound([row], [item])
        assert rows == ([row] if fits else [None]), (low, high, item)
        assert fits or (item["mode"] in notes[0] and str(high) in notes[0])
