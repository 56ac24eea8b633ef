"""A pulse, which ends by itself."""

from firmware.core.command import CommandState
from firmware.core.models import Command, Desired
from firmware.core.outbox import Outbox
from firmware.outputs.pulse import PulseOutput

WRAP = 0x40000000
START = WRAP - 1000
UTC = 1777025700
STRIKE = {
    "pin_port": "6", "min_on_s": 0, "min_off_s": 0, "max_on_s": 0, "safe": "off", "name": "strike", "mode": "pulse",
    "after_lapse": "wait", "pulse_ms": 500,
}  # fmt: skip


def at(ms):
    return (START + int(ms)) % WRAP


class Strike:
    """A door strike with its command, looked at every 100 ms. `moves`: (milliseconds, on)."""

    def __init__(self, **changes):
        self.outbox = Outbox(1, 2, START)
        self.output = PulseOutput(dict(STRIKE, **changes), False, START)
        self.command = CommandState(self.outbox, self.output)
        self.command.bind_row(Command(1, "relay", "6", None, None, None, None))
        self.ms = 0
        self.moves = []
        self.run(1000)
        self.outbox.reports = []

    def run(self, ms):
        for _ in range(ms // 100):
            self.look()
            self.ms += 100

    def look(self):
        now = at(self.ms)
        self.outbox.update(now, UTC + self.ms // 1000)
        on = self.output.level(None, now, False)
        if on != self.output.on:
            self.moves.append((self.ms, on))
        self.output.switched(on, now)
        self.command.tick(now)

    def desired_state(self, value, number=None):
        self.command.receive_desired(
            Desired(1, value, number and "des_%d" % number, number, 60), at(self.ms), False
        )
        return self

    def reported(self):
        return [(r.value, r.desired_id, r.status) for r in map(self.outbox.complete, self.outbox.reports)]


def test_a_pulse_ends_by_itself_and_both_changes_are_reported():
    for pulse_ms in (500, 550, 1200):
        strike = Strike(pulse_ms=pulse_ms)
        strike.desired_state("1", 1).run(3000)
        (begin, on), (end, off) = strike.moves
        assert on and not off and pulse_ms <= end - begin <= pulse_ms + 100
        assert strike.reported() == [("1.0", "des_1", "applied"), ("0.0", None, None)]
        assert strike.output.target == 0.0 and strike.output.why is None


def test_each_desired_state_is_one_pulse_and_none_lengthens_another():
    strike = Strike()
    strike.desired_state("1", 1).run(300)
    strike.desired_state("1", 2)
    strike.run(2000)
    strike.desired_state("1", 3).run(2000)
    assert [on for _, on in strike.moves] == [True, False, True, False]
    assert strike.moves[1][0] - strike.moves[0][0] == 500


def test_an_unchanged_polled_value_is_one_pulse_also_over_safe_state():
    strike = Strike()
    strike.desired_state("0")
    for _ in range(20):
        strike.desired_state("1").run(1000)
    assert len(strike.moves) == 2
    strike.command.enter_safe_state()
    strike.run(1000)
    strike.desired_state("1").run(1000)
    assert len(strike.moves) == 2


def test_a_press_starts_a_pulse_and_can_end_one():
    strike = Strike()
    strike.output.demand(1.0, True)
    strike.run(1000)
    assert strike.moves[1][0] - strike.moves[0][0] == 500
    strike.output.demand(1.0, True)
    strike.run(200)
    strike.output.demand(0.0, True)
    strike.run(1000)
    assert strike.moves[3][0] - strike.moves[2][0] == 200


def test_a_pulse_that_was_held_off_is_as_long_when_it_comes():
    strike = Strike(min_off_s=5)
    strike.desired_state("1", 1).run(8000)
    assert strike.moves == [(5000, True), (5500, False)]


def test_a_safe_state_of_on_is_no_pulse():
    strike = Strike(safe="on")
    strike.desired_state("0", 1).run(1000)
    strike.command.enter_safe_state()
    strike.run(5000)
    assert strike.output.on
