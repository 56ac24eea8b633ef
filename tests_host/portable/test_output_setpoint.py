"""A regulator whose sensor does not notice what its relay does."""

from firmware.outputs.setpoint import StallOutput

WRAP = 0x40000000
START = WRAP - 1000
HEATER = {
    "pin_port": "6", "min_on_s": 0, "min_off_s": 0, "max_on_s": 0, "safe": "off", "name": "heater", "mode": "setpoint",
    "hysteresis": 1.0, "action": "heat", "stall_s": 3600,
}  # fmt: skip


def at(ms):
    return (START + int(ms)) % WRAP


class Heater:
    """A regulator on a room that may or may not notice it, looked at every minute."""

    def __init__(self, **changes):
        self.logged = []
        self.ms = 0
        self.room = 12.0
        self.output = StallOutput(
            dict(HEATER, **changes), False, START, lambda *line: self.logged.append(line[0])
        )
        self.output.demand(20.0)

    def run(self, hours, per_hour=0.0):
        for _ in range(int(hours * 60)):
            now = at(self.ms)
            self.output.switched(self.output.level(self.room, now, False), now)
            self.ms += 60000
            self.room += per_hour / 60 if self.output.on else 0


def test_a_reading_that_stays_while_the_relay_is_on_is_a_fault_and_a_warning_once():
    heater = Heater()
    heater.run(0.9)
    assert not heater.output.stalled and heater.logged == []
    heater.run(12)
    assert heater.output.stalled and heater.output.on and heater.logged == ["error"]


def test_stall_action_off_holds_until_the_next_demand():
    heater = Heater(stall_action="off", min_on_s=86400)
    heater.run(2)
    assert not heater.output.on and heater.output.why == "stall_s" and heater.output.stalled
    heater.room = 15.0
    heater.run(30)
    assert not heater.output.on, "what the sensor says is not believed"
    heater.output.demand(None)
    heater.run(1)
    assert not heater.output.on and heater.output.stalled
    heater.output.demand(20.0)
    assert not heater.output.stalled
    heater.run(0.5)
    assert heater.output.on


def test_a_reading_that_moves_is_no_stall():
    for delta, per_hour, stalled in (
        (0.5, 1.0, False),
        (0.5, 0.4, True),
        (2.0, 1.0, True),
        (0.1, -0.2, False),
    ):
        heater = Heater(stall_delta=delta, stall_action="off")
        heater.run(6, per_hour)
        assert bool(heater.output.stalled) == stalled, (delta, per_hour)


def test_a_warning_ends_when_the_reading_moves_again():
    heater = Heater()
    heater.run(3)
    assert heater.output.stalled
    heater.run(1, 2.0)
    assert not heater.output.stalled
    heater.run(3)
    assert heater.output.stalled and heater.logged.count("error") == 2


def test_only_the_time_with_the_relay_on_and_a_sensor_that_reads_counts():
    heater = Heater()
    for _ in range(20):
        heater.run(0.75)
        heater.output.demand(5.0)
        heater.run(0.1)
        heater.output.demand(20.0)
    assert not heater.output.stalled
    heater = Heater(safe="on")
    heater.room = None
    for _ in range(300):
        heater.output.switched(heater.output.level(None, at(heater.ms), False), at(heater.ms))
        heater.ms += 60000
    assert heater.output.on and not heater.output.stalled


def test_pauses_by_limits_and_new_setpoints_begin_nothing_anew():
    for limits in (
        {"max_on_s": 1800},
        {"max_on_s": 1800, "min_off_s": 1800},
        {"max_on_s": 600, "min_off_s": 180},
    ):
        heater = Heater(stall_action="off", **limits)
        heater.run(3)
        assert heater.output.stalled and heater.output.why == "stall_s", limits
    heater = Heater(stall_action="off")
    for setpoint in (21.0, 20.0, 22.0):
        heater.run(0.5)
        heater.output.demand(setpoint)
    assert heater.logged == ["error"] and not heater.output.stalled
    heater.run(1.1)
    assert heater.logged == ["error"] * 2 and heater.output.stalled


def test_the_time_of_a_pause_does_not_count():
    heater = Heater(max_on_s=600, min_off_s=3000)
    heater.run(5.5)
    assert not heater.output.stalled, "55 minutes of heat in five and a half hours"
    heater.run(2)
    assert heater.output.stalled


def test_four_days_survive_the_wrap():
    heater = Heater(stall_s=345600)
    heater.run(95)
    assert not heater.output.stalled
    heater.run(2)
    assert heater.output.stalled
