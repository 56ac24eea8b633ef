"""The simulated plant: how fast its time passes, its faults, its wiring, and what a person turns."""

import math

import pytest

from tools import kinds
from tools.virtual_board.knobs import knobs, views
from tools.virtual_board.plant import DEMO_WIRING, Plant, wiring_from

HEATER, NTC, LDR, BUTTON, PUMP = 17, 34, 35, 27, 16
MINUTE_MS = 60_000


def test_time_scale_lets_an_hour_pass_in_a_minute_but_not_for_the_finger():
    plant = Plant(room_c=28, outside_c=8, time_scale=60, hour=23.5)
    plant.press(BUTTON, 90_000)
    plant.advance(MINUTE_MS)
    assert abs(plant.room_c - (8 + 20 / math.e)) < 0.01
    assert abs(plant.hour - 0.5) < 1e-6
    assert plant.level(BUTTON) == 0
    plant.advance(30_000)
    assert plant.level(BUTTON) == 1


@pytest.mark.parametrize(
    ("side", "fault", "least_uv", "most_uv"),
    [
        ("low", "open", 3_290_000, 3_300_000),
        ("low", "short", 0, 10_000),
        ("high", "open", 0, 10_000),
        ("high", "short", 3_290_000, 3_300_000),
    ],
)
def test_broken_sensors_sit_at_the_rails_and_can_be_mended(side, fault, least_uv, most_uv):
    plant = Plant(wiring={"ntc": {**DEMO_WIRING["ntc"], "side": side}})
    healthy = plant.microvolts(NTC)
    plant.break_sensor("ntc", fault)
    assert all(least_uv <= plant.microvolts(NTC) <= most_uv for _ in range(50))
    plant.break_sensor("ntc", None)
    assert abs(plant.microvolts(NTC) - healthy) < 20_000


def test_the_driving_side_sets_the_level():
    plant = Plant()
    assert plant.level(PUMP) == 0 and plant.level(HEATER) == 1  # relays at rest are off
    assert plant.level(BUTTON) == 1
    assert plant.level(25) == 0 and plant.level(25, pull=1) == 1
    plant.drive(PUMP, 1)
    assert plant.level(PUMP, pull=0) == 1
    plant.stick(PUMP, 0)
    assert plant.level(PUMP) == 0
    plant.stick(PUMP, None)
    assert plant.level(PUMP) == 1
    plant.drive(PUMP, None)
    assert plant.level(PUMP) == 0


def test_wiring_is_read_from_a_config():
    wiring = wiring_from(
        {
            "outputs": [
                {"pin_port": "6", "name": "lock", "gpio": 18, "active": "high", "mode": "switch"},
                {"pin_port": "9", "name": "radiator", "gpio": 19, "active": "low", "sensor": "14"},
            ],
            "sensors": [
                {"kind": "thermistor", "gpio": 32, "side": "high", "beta": 3435, "divider_ohm": 4700}
            ],
            "buttons": [{"gpio": 33, "toggles": "6", "active": "high"}],
            "led": None,
        }
    )
    assert wiring == {
        "lock": {"gpio": 18, "active": 1},
        "heater": {"gpio": 19, "active": 0},
        "ntc": {
            "gpio": 32,
            "kind": "thermistor",
            "side": "high",
            "divider_ohm": 4700,
            "beta": 3435,
            "r25_ohm": 10_000,
        },
        "button": {"gpio": 33, "active": 1},
    }
    plant = Plant(wiring=wiring)
    assert not plant.heater_on and plant.level(33) == 0


def test_misspelt_faults_are_refused():
    with pytest.raises(ValueError, match="no such fault"):
        Plant().break_sensor("ntc", "melted")


@pytest.mark.parametrize("kind", kinds.words())
def test_what_a_person_turns_for_a_sensor_is_what_is_there_then(kind):
    plant = Plant(wiring={"part": {"gpio": 33, "kind": kind, **kinds.sensor(kind).WIRE}})
    pulses = []
    plant.listeners[33] = pulses.append
    assert knobs(plant)
    for name, (wire, knob) in knobs(plant).items():
        for value in (knob.least, knob.most):
            knob.turn(plant, wire, value)
            shown = {view["name"]: view["value"] for view in views(plant)}[name]
            assert shown == pytest.approx(value) if knob.step else pulses.pop() == value
