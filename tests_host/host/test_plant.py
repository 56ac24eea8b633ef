"""The simulated world: its physics against closed forms, its faults, and that the same seed tells the same story."""

import math

import pytest

from tools.virtual_board.plant import DEMO_WIRING, World, wiring_from

HEATER, NTC, LDR, BUTTON, PUMP = 17, 34, 35, 27, 16
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def celsius(world):
    """Temperature a perfect thermometer works out from the divider, averaged over the noise."""
    microvolts = sum(world.microvolts(NTC) for _ in range(200)) / 200
    ohm = 10_000 * microvolts / (3_300_000 - microvolts)
    return 1 / (math.log(ohm / 10_000) / 3950 + 1 / 298.15) - 273.15


def story(seed):
    world = World(seed)
    values = []
    for minute in range(120):
        world.drive(HEATER, int(minute % 30 > 10))
        world.advance(MINUTE_MS)
        values += [world.microvolts(NTC), world.microvolts(LDR), world.room_c]
    return values


def test_same_seed_same_story_other_seed_other_noise():
    assert story(1) == story(1)
    assert story(1) != story(2)


def test_the_length_of_the_steps_hardly_matters():
    coarse, fine = World(), World()
    for world in (coarse, fine):
        world.drive(HEATER, 0)
    coarse.advance(HOUR_MS)
    for _ in range(36_000):
        fine.advance(100)
    assert abs(coarse.room_c - fine.room_c) < 0.05
    assert abs(coarse.sensor_c - fine.sensor_c) < 0.05


def test_an_unheated_room_cools_to_a_third_of_the_difference_in_an_hour():
    world = World(room_c=28, outside_c=8)
    world.advance(HOUR_MS)
    assert abs(world.room_c - (8 + 20 / math.e)) < 0.01


def test_the_heater_works_late_and_ends_thirty_degrees_above_outside():
    world = World(room_c=8, outside_c=8)
    world.drive(HEATER, 0)  # active low
    world.advance(10_000)
    assert world.room_c < 8.05
    world.advance(12 * HOUR_MS)
    assert abs(world.room_c - 38) < 0.1
    world.drive(HEATER, 1)
    before = world.room_c
    world.advance(10_000)
    assert world.room_c > before - 0.05  # the hot radiator goes on for a while


def test_the_sensor_follows_the_room_and_reads_back_through_the_divider():
    world = World(room_c=10)
    world.set_room(25)
    assert abs(world.microvolts(NTC) - 1_650_000) < 10_000  # 10 k over 10 k
    assert abs(celsius(world) - 25) < 0.02
    world.room_c = 30
    assert abs(celsius(world) - 25) < 0.02
    world.advance(20_000)
    assert 27.5 < celsius(world) < 29


def test_time_scale_lets_an_hour_pass_in_a_minute_but_not_for_the_finger():
    world = World(room_c=28, outside_c=8, time_scale=60, hour=23.5)
    world.press(BUTTON, 90_000)
    world.advance(MINUTE_MS)
    assert abs(world.room_c - (8 + 20 / math.e)) < 0.01
    assert abs(world.hour - 0.5) < 1e-6
    assert world.level(BUTTON) == 0
    world.advance(30_000)
    assert world.level(BUTTON) == 1


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
    world = World(wiring={"ntc": {**DEMO_WIRING["ntc"], "side": side}})
    healthy = world.microvolts(NTC)
    world.break_sensor("ntc", fault)
    assert all(least_uv <= world.microvolts(NTC) <= most_uv for _ in range(50))
    world.break_sensor("ntc", None)
    assert abs(world.microvolts(NTC) - healthy) < 20_000


def test_the_day_is_bright_at_noon_dark_at_night_and_seen_by_the_ldr():
    world = World(hour=0)
    assert world.lux == 1
    dark_uv = world.microvolts(LDR)
    world.advance(12 * HOUR_MS)
    assert abs(world.lux - 1000) < 1
    assert 200_000 < world.microvolts(LDR) < 300_000  # the ADC sees it
    assert world.microvolts(LDR) < dark_uv / 10
    world.set_light(100)
    ohm = (100 / 12_518_931) ** (1 / -1.405)
    assert abs(world.microvolts(LDR) - 3_300_000 * ohm / (ohm + 10_000)) < 10_000


def test_levels_who_wins():
    world = World()
    assert world.level(PUMP) == 0 and world.level(HEATER) == 1  # relays at rest are off
    assert world.level(BUTTON) == 1
    assert world.level(25) == 0 and world.level(25, pull=1) == 1
    world.drive(PUMP, 1)
    assert world.level(PUMP, pull=0) == 1
    world.stick(PUMP, 0)
    assert world.level(PUMP) == 0
    world.stick(PUMP, None)
    assert world.level(PUMP) == 1
    world.drive(PUMP, None)
    assert world.level(PUMP) == 0


def test_a_welded_relay_keeps_heating():
    world = World(room_c=20, outside_c=8)
    world.drive(HEATER, 1)
    world.stick(HEATER, 0)
    assert world.heater_on
    world.advance(HOUR_MS)
    assert world.room_c > 22


def test_wiring_is_read_from_a_config():
    wiring = wiring_from(
        {
            "outputs": [
                {"pin_port": "6", "name": "lock", "gpio": 18, "active": "high", "mode": "switch"},
                {"pin_port": "9", "name": "radiator", "gpio": 19, "active": "low", "mode": "setpoint"},
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
        "ntc": {"gpio": 32, "side": "high", "divider_ohm": 4700, "beta": 3435, "r25_ohm": 10_000},
        "button": {"gpio": 33, "active": 1},
    }
    world = World(wiring=wiring)
    assert not world.heater_on and world.level(33) == 0


def test_misspelt_faults_are_refused():
    with pytest.raises(ValueError, match="no such fault"):
        World().break_sensor("ntc", "melted")
