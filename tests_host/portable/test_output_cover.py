"""A shutter behind two relays: where it stands by time, the pause before it turns, and that both never pull together.

The bench has the real controller, the real relays of the kind, and a motor with limit switches that need not be as fast
as the configuration says.
"""

from firmware.core.controller import Controller
from firmware.core.errors import DriverError
from firmware.core.models import Command, Desired
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from firmware.core.safety import Lease, Safety
from firmware.outputs import cover
from tests_host.support.checking import errors, validate

OPENS, CLOSES = 18, 19


class Relay:
    def __init__(self, motor, gpio):
        self.motor = motor
        self.gpio = gpio
        self.on = self.stuck = False

    def set(self, on):
        follows = not (self.stuck and self.on and not on)
        self.on = on if follows else True
        self.motor.check()
        if not follows:
            raise DriverError("GPIO %d does not go off" % self.gpio)


class Motor:
    """`at`: where it really is; `rests`: how long it stood before it turned, ms."""

    def __init__(self, at, travel_s):
        self.at = at
        self.travel_s = travel_s
        self.relays = {}
        self.rest = self.last = 0
        self.rests = []
        self.moves = []
        self.was = 0

    def output(self, gpio, active_high, on):
        assert active_high and not on
        self.relays[gpio] = Relay(self, gpio)
        return self.relays[gpio]

    def way(self):
        return self.relays[OPENS].on - self.relays[CLOSES].on

    def check(self):
        if len(self.relays) == 2:
            assert not (self.relays[OPENS].on and self.relays[CLOSES].on) or self.stuck(), "both relays pull"

    def stuck(self):
        return any([relay.stuck for relay in self.relays.values()])

    def run(self, ms):
        way = self.way()
        if way:
            if way == -self.last:
                self.rests.append(self.rest)
            if way != self.was:
                self.moves.append(way)
            self.last = way
            self.rest = 0
            self.at = min(max(self.at + way * ms / 10 / self.travel_s, 0), 100)
        else:
            self.rest += ms
        self.was = way


class Bench:
    def __init__(self, at=30.0, travel_s=20.0, safe="off", **keys):
        item = {"pin_port": "1", "name": "blind", "gpio": OPENS, "mode": "cover", "open_s": 20, "safe": safe}
        item["close"] = {"gpio": CLOSES}
        item.update(keys)
        config, found = validate({"outputs": [item], "cloud": CLOUD, "wifi": None})
        assert not [p for p in found if p[0] == "error"], found
        self.now = 0x40000000 - 5000  # the counter wraps soon
        self.motor = Motor(at, travel_s)
        self.lines = []
        driver, self.output = cover.driver(config["outputs"][0], self.motor, False, self.now, self.log)
        self.driver = driver
        outbox = Outbox(0, 0, self.now)
        drive = lambda index, way: None if index else driver.set(way)  # noqa: E731
        self.controller = Controller([self.output], [], outbox, Safety(0, self.now), drive, self.log)
        self.command = self.controller.commands[0]
        self.command.bind_row(Command(1, "relay", "1", 0, 100, 1, None))
        self.lease = Lease(self.now)
        self.lease.grant(self.now, 345600, 0)
        self.lease.confirm()
        self.run(1)

    def log(self, level, text):
        self.lines.append(text)

    def run(self, seconds, look_ms=100):
        left = round(seconds * 1000)
        while left > 0:
            self.controller.tick(self.lease, self.now, 1777025700)
            step = min(look_ms, left)
            self.motor.run(step)
            self.now = (self.now + step) % 0x40000000
            left -= step

    def want(self, value, number=1, window_s=600):
        desired = Desired(1, value, "des_%d" % number, number, window_s)
        self.controller.receive_desired(desired, self.now)
        return self

    def press(self):
        self.controller.press(0, self.now)
        return self

    def known(self):
        """Let it find its position, all the way open."""
        self.want("100").run(30)
        assert self.motor.at == 100 and self.output.value() == 100
        self.controller.outbox.reports = []
        self.motor.moves = []
        return self

    def reported(self):
        outbox = self.controller.outbox
        return [(r.value, r.status) for r in map(outbox.complete, outbox.reports)]


CLOUD = {
    "device_id": 1,
    "client_id": "c",
    "client_secret": "test-secret-not-real",
    "ca_files": ["certs/ca.der"],
}


def test_nothing_moves_and_nothing_is_reported_until_something_is_demanded():
    bench = Bench()
    bench.run(60)
    assert bench.motor.moves == [] and bench.output.value() is None and bench.reported() == []
    assert bench.output.stalled


def test_from_an_unknown_position_the_way_leads_over_the_nearer_end():
    for target, moves in ((100, [1]), (60, [1, -1]), (40, [-1, 1]), (0, [-1])):
        for start in (0.0, 30.0, 99.0):
            bench = Bench(at=start)
            bench.want(str(target)).run(22)
            assert bench.output.value() is None and bench.reported() == []
            bench.run(25)
            assert abs(bench.motor.at - target) <= 1, (target, start, bench.motor.at)
            assert bench.motor.moves == moves
            assert bench.reported() == [("%.1f" % target, "applied")]
            assert bench.output.stalled is None


def test_a_position_is_reached_by_time_and_reported_when_it_is():
    bench = Bench().known()
    bench.want("30", 2).run(10)
    assert bench.reported() == [] and 45 < bench.motor.at < 55
    bench.run(10)
    assert abs(bench.motor.at - 30) < 1
    assert bench.reported() == [("30.0", "applied")]
    bench.run(600)
    assert len(bench.motor.moves) == 1, "it does not hunt"


def test_a_goal_that_is_where_it_stood_last_is_not_reached_while_it_moves():
    """Found by the simulation: it was acknowledged as applied at once."""
    bench = Bench().known()
    bench.want("30", 2).run(5)
    bench.want("100", 3).run(3)
    assert bench.motor.at < 95 and [status for _, status in bench.reported()] == ["stale"]
    bench.run(20)
    assert bench.motor.at == 100 and bench.reported()[1:] == [("100.0", "applied")]


def test_opening_and_closing_take_their_own_time():
    bench = Bench(close_s=10).known()
    bench.want("50", 2).run(4.8)
    assert bench.motor.way() == -1
    bench.run(1)
    assert bench.motor.way() == 0
    bench.want("75", 3).run(4.8)
    assert bench.motor.way() == 1
    bench.run(1)
    assert bench.motor.way() == 0


def test_an_end_makes_up_for_the_time_that_was_wrong():
    bench = Bench(travel_s=21.5).known()
    for number, target in enumerate((50, 70, 20, 60, 0)):
        bench.want(str(target), number + 2).run(40)
    assert bench.motor.at == 0 and bench.output.value() == 0
    bench.want("100", 9).run(22.9)
    assert bench.motor.way() == 1, "the overrun"
    bench.run(0.2)
    assert bench.motor.way() == 0 and bench.motor.at == 100


def test_it_stands_for_the_pause_before_it_turns():
    for wait_ms in (100, None, 2000):
        bench = Bench(interlock_wait_ms=wait_ms).known()
        for number in range(6):
            bench.want(str((20, 80)[number % 2]), number + 2).run(3.3)
        rests = bench.motor.rests
        assert rests and min(rests) >= (wait_ms or 500), (wait_ms, rests)


def test_the_first_move_after_a_start_waits_too():
    """Before the reset it may have gone the other way."""
    bench = Bench(interlock_wait_ms=3000)
    bench.want("0").run(1.9)
    assert bench.motor.way() == 0
    bench.run(0.3)
    assert bench.motor.way() == -1


def test_a_look_that_comes_late_is_made_up_for():
    """In a TLS handshake the next look comes after a second."""
    bench = Bench().known()
    bench.want("50", 2).run(9.5)
    bench.run(1.5, look_ms=1500)
    bench.run(0.1)
    assert bench.motor.way() == 0 and bench.motor.at < 46
    bench.run(10)
    assert abs(bench.motor.at - 50) <= 1.5 and bench.reported() == [("50.0", "applied")]


def test_small_and_fast_covers_do_not_hunt():
    bench = Bench(open_s=2, travel_s=2.0, overrun_s=1).known()
    for number, target in enumerate((33, 34, 66, 90, 5)):
        bench.want(str(target), number + 2).run(10)
        assert abs(bench.motor.at - target) <= 8, (target, bench.motor.at)
        assert bench.output.value() == target
    assert len(bench.motor.moves) <= 5


def test_presses_open_stop_and_close():
    bench = Bench(at=0.0)
    bench.press().run(5)
    assert bench.motor.way() == 1
    bench.press().run(1)
    assert bench.motor.way() == 0 and bench.output.value() is None
    bench.press().run(24)
    assert bench.motor.at == 0 and bench.output.value() == 0
    bench.press().run(8)
    bench.press().run(30)
    assert 35 < bench.motor.at < 41 and abs(bench.output.value() - bench.motor.at) <= 1
    bench.press().run(30)
    assert bench.motor.at == 0


def test_a_press_in_the_pause_before_it_turns_stops_it():
    bench = Bench(interlock_wait_ms=3000).known()
    bench.want("50", 2).run(5)
    bench.want("100", 3).run(1)
    bench.press().run(30)
    assert bench.motor.moves == [-1] and bench.motor.way() == 0


def test_a_window_that_closes_under_way_stops_it_there():
    bench = Bench().known()
    bench.want("0", 2, window_s=5).run(30)
    assert 74 < bench.motor.at < 77
    assert bench.reported()[0] == ("100.0", "stale")
    assert abs(float(bench.reported()[1][0]) - bench.motor.at) <= 1


def test_the_safe_state():
    for safe, expected in (("off", 75), (0, 0), (100, 100), (40, 40), ("hold", 20)):
        bench = Bench(safe=safe).known()
        bench.want("20", 2).run(5)
        bench.lease.end("refused")
        bench.run(60)
        assert abs(bench.motor.at - expected) <= 1.5, (safe, bench.motor.at)
        assert bench.motor.way() == 0


def test_before_the_first_contact_only_a_position_as_safe_state_moves_it():
    for safe, moves in (("off", []), ("hold", []), (0, [-1]), (50, [1, -1])):
        bench = Bench(safe=safe)
        bench.lease.end("not authorized yet")
        bench.run(60)
        assert bench.motor.moves == moves, safe


def test_the_last_resort_stops_it_also_with_hold():
    for safe in ("off", 0, "hold"):
        bench = Bench(safe=safe)
        bench.want("100").run(5)
        assert bench.motor.way() == 1
        bench.controller.force_safe()
        assert bench.motor.way() == 0, safe


def test_a_relay_that_does_not_go_off_keeps_the_other_one_off():
    for gpio, target in ((OPENS, 0), (CLOSES, 100)):
        bench = Bench(at=50.0)
        bench.want(str(100 - target)).run(3)
        bench.motor.relays[gpio].stuck = True
        bench.want(str(target), 2).run(10)
        other = OPENS + CLOSES - gpio
        assert not bench.motor.relays[other].on and bench.output.fault and bench.output.value() is None
        bench.motor.relays[gpio].stuck = False
        bench.run(40)
        assert bench.output.fault is None and bench.motor.at == target and bench.output.value() == target


def test_a_relay_that_begins_to_pull_by_itself_stops_the_other_one():
    bench = Bench().known()
    bench.want("0", 2).run(3)
    stuck = bench.motor.relays[OPENS]
    stuck.stuck = stuck.on = True
    bench.run(0.2)
    assert not bench.motor.relays[CLOSES].on and bench.output.fault


def test_an_interrupted_overrun_does_not_confirm_the_position():
    bench = Bench(travel_s=24.0, overrun_s=6).known()
    bench.want("0", 2).run(21)
    assert bench.motor.at > 0 and bench.motor.way() == -1
    bench.press().run(5)
    bench.want("0", 3).run(10)
    assert bench.motor.at == 0 and bench.output.value() == 0


def test_other_outputs_of_its_group_exclude_it():
    bench = Bench(interlock="roof")
    relay = {"pin_port": "2", "gpio": 21, "interlock": "roof"}
    config, _ = validate({"outputs": [relay], "cloud": CLOUD, "wifi": None})
    other = Output(config["outputs"][0], True, bench.now)
    other.demand(1)
    bench.controller.outputs.append(other)
    bench.want("100").run(10)
    assert bench.motor.moves == [] and bench.output.why == "interlock"
    other.demand(0)
    bench.run(10)
    assert bench.motor.moves == [1]


def wrong(**keys):
    item = {"pin_port": "1", "gpio": OPENS, "mode": "cover", "open_s": 20, "close": {"gpio": CLOSES}}
    return errors(outputs=[dict(item, **keys)])


def test_the_configuration():
    assert wrong() == [] and wrong(safe=0) == [] and wrong(safe="hold", close_s=12.5) == []
    for key, value in (
        ("safe", "on"), ("safe", 101), ("boot", "on"), ("min_on_s", 1), ("max_on_s", 60), ("open_s", 0),
        ("interlock_wait_ms", 50), ("close", None), ("pulse_ms", 500),
    ):  # fmt: skip
        assert wrong(**{key: value}) == ["outputs[0]." + key], key
    assert wrong(close={"gpio": OPENS}) == ["outputs[0].gpio"], "one of its own"
    assert wrong(close={"gpio": 34}) == ["outputs[0].close.gpio"]
    assert wrong(close={"gpio": CLOSES, "activ": "low"}) == ["outputs[0].close.activ"]
    config = validate({"outputs": [{"pin_port": "1", "gpio": 18, "mode": "cover", "open_s": 20, "safe": 0,
                                    "close": {"gpio": 19}}], "cloud": CLOUD})[0]  # fmt: skip
    assert config["outputs"][0]["safe"] == 0.0 and config["outputs"][0]["boot"] == "off"
