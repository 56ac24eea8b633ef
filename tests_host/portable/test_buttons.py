"""Buttons that do more than toggle: rocker switches, bell pushes, long presses."""

from firmware.core.controller import Controller
from firmware.core.outbox import Outbox
from firmware.core.output import Output
from firmware.core.safety import Safety
from firmware.runtime.buttons import SpecialButton
from tests_host.support.checking import errors

CFG = {
    "pin_port": "6", "name": "lamp", "mode": "switch", "safe": "off", "min_on_s": 0, "min_off_s": 0, "max_on_s": 0,
    "interlock": None, "after_lapse": "resume",
}  # fmt: skip


class Records:
    def __init__(self):
        self.record = {"boots": 3}
        self.refuses = False

    def load(self, name):
        return dict(self.record)

    def save(self, name, record):
        if not self.refuses:
            self.record = record
        return not self.refuses


class Bench:
    """A button on a lamp, looked at every 20 ms."""

    def __init__(self, closed=False, store=True, **keys):
        cfg = {"mode": "toggle", "debounce_ms": 30, "opens_portal": False, "factory_reset": False}
        cfg.update(keys)
        self.now = 0x40000000 - 3000
        self.output = Output(CFG, False, self.now)
        self.store = Records() if store else None
        quiet = lambda *line: None  # noqa: E731
        self.controller = Controller(
            [self.output], [], Outbox(0, 0, self.now), Safety(0, self.now), quiet, quiet
        )
        self.button = SpecialButton(cfg, self.controller, 0, self.store)
        self.hold(closed, 200)

    def hold(self, closed, ms):
        for _ in range(ms // 20):
            assert self.button.pressed(closed, self.now) is False, "it acts by itself"
            self.controller.step(0, self.output, self.now)
            self.now = (self.now + 20) % 0x40000000

    def press(self, ms):
        self.hold(True, ms)
        self.hold(False, 100)

    def asked(self):
        return self.store.record.get("asked")


def test_an_output_follows_a_rocker_switch_from_its_first_change_on():
    for mode in ("follow", "momentary"):
        for at_start in (False, True):
            bench = Bench(closed=at_start, mode=mode)
            assert not bench.output.on
            for closed in (not at_start, at_start, not at_start):
                bench.hold(closed, 100)
                assert bench.output.on == closed and bench.output.manual_override, mode


def test_the_cloud_and_a_rocker_take_turns():
    bench = Bench(mode="follow")
    bench.hold(True, 100)
    bench.output.demand(0.0)
    bench.hold(True, 5000)
    assert not bench.output.on
    bench.hold(False, 100)
    bench.hold(True, 100)
    assert bench.output.on


def test_bounces_count_once():
    bench = Bench(mode="follow")
    for _ in range(10):
        bench.hold(True, 20)
        bench.hold(False, 20)
    assert not bench.output.on and bench.output.target is None


def test_a_short_press_toggles_when_it_is_over():
    bench = Bench(opens_portal=True, factory_reset=True)
    bench.hold(True, 4800)
    assert not bench.output.on
    bench.hold(False, 100)
    assert bench.output.on and bench.asked() is None
    bench.press(100)
    assert not bench.output.on


def test_a_long_press_asks_for_the_portal_and_switches_nothing():
    for ms, factory_reset in ((5200, False), (9800, False), (15000, False), (5200, True)):
        bench = Bench(opens_portal=True, factory_reset=factory_reset)
        bench.press(ms)
        assert bench.asked() == "portal" and bench.controller.restart is True, ms
        assert bench.store.record["boots"] == 3
        assert not bench.output.on and bench.output.target is None


def test_a_factory_reset_takes_two_very_long_presses_in_a_row():
    bench = Bench(factory_reset=True)
    bench.press(10200)
    assert bench.asked() is None
    bench.hold(False, 2000)
    bench.press(10200)
    assert bench.asked() == "factory_reset" and bench.controller.restart is True


def test_fewer_or_shorter_presses_are_no_factory_reset():
    for story in (
        ((10200, 6000), (10200, 100)),
        ((10200, 1000), (9000, 1000), (10200, 100)),
        ((10200, 1000), (100, 1000), (10200, 100)),
        ((60000, 100),),
        ((9000, 1000), (10200, 1000)),
    ):
        bench = Bench(factory_reset=True)
        for held, rest in story:
            bench.press(held)
            bench.hold(False, rest)
        assert bench.asked() is None and not bench.controller.restart, story


def test_two_very_long_presses_with_days_between_are_no_factory_reset():
    for half_days in range(1, 28):
        bench = Bench(opens_portal=False, factory_reset=True)
        bench.press(10200)
        for _ in range(
            half_days
        ):  # the counter wraps after 12.4 days; all that changes meanwhile is the time
            bench.now = (bench.now + 43200000) % 0x40000000
            bench.hold(False, 40)
        bench.press(10200)
        assert bench.asked() is None, half_days


def test_a_button_that_is_stuck_for_days_switches_nothing_when_it_comes_free():
    for half_days in range(1, 28):
        bench = Bench(factory_reset=True)
        bench.hold(True, 100)
        for _ in range(half_days):
            bench.now = (bench.now + 43200000) % 0x40000000
            bench.hold(True, 40)
        bench.hold(False, 100)
        assert bench.output.target is None and bench.asked() is None, half_days


def test_a_button_that_is_held_at_the_start_is_not_pressed():
    bench = Bench(closed=True, opens_portal=True, factory_reset=True)
    bench.hold(True, 20000)
    bench.hold(False, 100)
    assert bench.asked() is None and bench.output.target is None


def test_a_flash_that_refuses_and_safe_mode_cause_no_restart():
    bench = Bench(opens_portal=True)
    bench.store.refuses = True
    bench.press(6000)
    assert not bench.controller.restart
    bench = Bench(opens_portal=True, store=False)
    bench.press(6000)
    assert not bench.controller.restart


def wrong(portal, **keys):
    button = dict({"gpio": 27, "toggles": "6"}, **keys)
    return errors(outputs=[{"pin_port": "6", "gpio": 16}], buttons=[button], portal=portal)


def test_the_configuration():
    portal = {"password": "test-password-not-real"}
    for keys in ({}, {"mode": "follow"}, {"mode": "momentary"}):
        assert wrong(None, **keys) == []
    for key in ("opens_portal", "factory_reset"):
        assert wrong(portal, **{key: True}) == []
        assert wrong(None, **{key: True}) == ["portal"]
        assert wrong(portal, mode="follow", **{key: True}) == ["buttons[0]." + key]
    assert wrong(None, mode="latch") == ["buttons[0].mode"]
