"""A dimmer: ramps, what is reported of them, and the limits that hold for it as for a relay."""

from firmware.core.controller import Controller
from firmware.core.errors import DriverError
from firmware.core.outbox import Outbox
from firmware.core.safety import Lease, Safety
from firmware.outputs.pwm import PwmOutput
from tests_host.support.checking import errors

CFG = {
    "pin_port": "1", "name": "lamp", "gpio": 16, "active": "high", "boot": "off", "safe": "off", "min_on_s": 0,
    "max_on_s": 0, "min_off_s": 0, "interlock": None, "after_lapse": "resume", "mode": "pwm", "min": 0.0, "max": 100.0,
    "step": 0.0, "ramp_s": 0.0, "frequency": 1000,
}  # fmt: skip


class Bench:
    """The real controller with one dimmer. `duties`: every duty that was driven."""

    def __init__(self, on=False, others=(), **changes):
        cfg = dict(CFG)
        cfg.update(changes)
        self.now = 0
        self.output = PwmOutput(cfg, on, 0)
        self.duties = []
        self.dead = False
        outbox = Outbox(0, 0, 0)
        self.lines = []
        log = lambda level, text: self.lines.append(text)  # noqa: E731
        self.controller = Controller([self.output] + list(others), [], outbox, Safety(0, 0), self.drive, log)
        self.lease = Lease(0)
        self.lease.grant(0, 345600, 0)
        self.lease.confirm()

    def drive(self, index, percent):
        if self.dead:
            raise DriverError("wrong duty cycle")
        self.duties.append(percent)

    def run(self, seconds):
        for _ in range(round(seconds * 10)):
            self.now += 100
            self.controller.tick(self.lease, self.now, None)
        return self.duties[-1]

    def reported(self):
        return [report.value / 1000 for report in self.controller.outbox.reports]


def test_without_a_ramp_a_demand_is_followed_at_once():
    bench = Bench()
    bench.output.demand(37.5)
    assert bench.run(0.1) == 37.5 and bench.output.value() == 37.5
    bench.output.demand(0.0)
    assert bench.run(0.1) == 0


def test_a_ramp_takes_its_time_and_is_reported_when_it_is_over():
    bench = Bench(ramp_s=10.0)
    bench.run(1)
    bench.output.demand(50.0)
    assert 19 < bench.run(2) < 21
    assert bench.output.value() == 0 and bench.output.target == 50
    assert bench.run(4) == 50 and bench.output.value() == 50
    bench.output.demand(20.0)
    assert 39 < bench.run(1) < 41
    assert bench.run(3) == 20
    bench.output.demand(0.0)
    assert 9 < bench.run(1) < 11
    assert bench.run(2) == 0
    assert bench.reported() == [50, 20, 0]
    assert [line for line in bench.lines if "relay" in line] == ["lamp: relay on", "lamp: relay off"]


def test_a_duty_that_was_reported_last_is_not_reached_while_the_ramp_leads_elsewhere():
    bench = Bench(ramp_s=10.0)
    bench.output.demand(20.0)
    bench.run(3)
    assert bench.output.reached()
    bench.output.demand(80.0)
    bench.run(3)
    bench.output.demand(20.0)
    for _ in range(2):
        assert not bench.output.reached()
        bench.run(1)
    bench.run(5)
    assert bench.output.reached()


def test_safe_state_acts_at_once_whatever_the_ramp():
    for safe, expected in (("off", 0), ("on", 80), (15.0, 15), ("hold", 50)):
        bench = Bench(ramp_s=100.0, safe=safe, max=80.0)
        bench.output.demand(50.0)
        bench.run(60)
        bench.output.demand(None)
        assert bench.run(0.1) == expected, safe


def test_the_duty_cycle_of_hold_is_restored():
    bench = Bench(safe="hold")
    assert bench.output.holding() == 0
    bench.output.demand(30.0)
    bench.run(0.1)
    after = Bench(safe="hold")
    after.output.hold(bench.output.holding())
    assert after.run(0.1) == 30
    for invalid in (-1, 101, None):
        after.output.hold(invalid)
        assert after.output.holding() == 30


def test_hold_does_not_switch_on_again_what_max_on_s_turned_off():
    for lapse in (5, 15):
        bench = Bench(safe="hold", max_on_s=10)
        bench.output.demand(30.0)
        bench.run(lapse)
        bench.lease.end("refused")
        assert bench.run(20) == 0 and bench.output.holding() == 0
        after = Bench(safe="hold", max_on_s=10)  # a power cut
        after.output.hold(bench.output.holding())
        assert after.run(1) == 0


def test_the_time_limits_apply_to_any_duty_cycle():
    bench = Bench(ramp_s=10.0, max_on_s=20)
    bench.output.demand(100.0)
    bench.run(15)
    assert bench.run(6) == 0 and bench.output.why == "max_on_s"
    assert bench.run(60) == 0
    bench.output.demand(10.0)
    assert bench.run(2) == 10
    bench = Bench(min_on_s=5, min_off_s=5)
    bench.output.demand(40.0)
    assert bench.run(4) == 0
    assert bench.run(2) == 40
    bench.output.demand(0.0)
    assert bench.run(2) == 40 and bench.output.why == "min_on_s"
    assert bench.run(4) == 0


def test_two_of_a_group_are_never_on_together():
    group = {"interlock": "a", "interlock_wait_ms": 500}
    other = PwmOutput(dict(CFG, pin_port="2", **group), False, 0)
    bench = Bench(others=[other], **group)
    bench.output.demand(50.0)
    bench.run(2)
    other.demand(60.0)
    bench.run(2)
    assert other.on == 0 and bench.output.on == 50 and other.why == "interlock"


def test_a_pin_that_takes_no_duty_is_a_fault_and_recovers():
    bench = Bench()
    bench.output.demand(50.0)
    bench.run(0.1)
    bench.dead = True
    bench.now += 100
    bench.controller.tick(bench.lease, bench.now, None)
    assert bench.output.fault and not bench.output.on
    bench.dead = False
    assert bench.run(0.1) == 50 and bench.output.fault is None and bench.output.value() == 50


def problems(**changes):
    return errors(outputs=[dict({"gpio": 16, "pin_port": "1", "mode": "pwm"}, **changes)])


def test_the_configuration():
    assert problems() == []
    assert problems(safe=30, ramp_s=2.5) == []
    assert problems(safe=30, max=20) == ["outputs[0].safe"]
    assert problems(min=50, max=50) == ["outputs[0].min"]
    assert problems(frequency=5) == ["outputs[0].frequency"]
    assert problems(hysteresis=1) == ["outputs[0].hysteresis"]
