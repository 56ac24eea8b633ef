"""The invariants of the simulation on scripted histories: for each thing that must hold one that breaks it, and is
found, and the one beside it that does not, and is let go."""

import pytest

from tools.sim.invariants import Invariants

PUMP = {"pin_port": "6", "name": "pump", "gpio": 1, "safe": "off", "interlock": None}
PUMP |= {"min_on_s": 20, "min_off_s": 30, "max_on_s": 100}
UP = {"pin_port": "7", "name": "up", "gpio": 2, "safe": "off", "interlock": "shutter"}
UP |= {"min_on_s": 0, "min_off_s": 0, "max_on_s": 0}
DOWN = UP | {"pin_port": "8", "name": "down", "gpio": 3}
HEATER = UP | {
    "pin_port": "9", "name": "heater", "gpio": 4, "interlock": None, "sensor": "14", "min": 5, "max": 35,
}  # fmt: skip
HEATER |= {"mode": "setpoint", "step": 0.5}
SECRET = "test-secret-not-real"


class Case:
    """The invariants, and a clock that moves on with `after`. The cloud answers all the time unless `quiet`."""

    def __init__(self, quiet=False):
        self.second = 1000.0
        self.quiet = quiet
        self.invariants = Invariants([PUMP, UP, DOWN, HEATER], 300, 1, (SECRET,), lambda: self.second)
        self.targets = dict.fromkeys("6789")
        self.manual_override = set()
        self.answer()
        self.invariants.check(self.targets, self.manual_override)
        for port in "6789":
            self.invariants.desired_states.desire(port, 20.0 if port == "9" else 0.0)

    def answer(self):
        self.invariants.contact, self.invariants.token_end = self.second, self.second + 3600

    def after(self, seconds, look=True):
        self.second += seconds
        if not self.quiet:
            self.answer()
        if look:
            self.invariants.check(self.targets, self.manual_override)
        return self.invariants

    def found(self):
        return [text.split(": ", 1)[1] for text in self.invariants.violations]


def hold(case, gpio, seconds, before=100):
    """A relay pulls for that long, after a long rest."""
    case.after(before).level(gpio, True)
    case.after(seconds).level(gpio, False)


def stuck(case, gpio, on):
    case.invariants.stuck(gpio, True)
    case.invariants.level(gpio, on)


def applies(case, value, port="6", name=None):
    case.invariants.desired_states.demanded(port, value, name)


# Relays


def least_on(case, seconds):
    hold(case, 1, seconds)


def least_off(case, seconds):
    hold(case, 1, 50)
    hold(case, 1, 50, before=seconds)


def most_on(case, seconds):
    hold(case, 1, seconds)


def both_on(case, gap):
    case.after(10).level(2, True)
    if gap:
        case.after(10).level(2, False)
    case.after(10).level(3, True)


def beside_a_stuck_one(case, seconds):
    case.after(10).level(3, True)
    stuck(case, 2, True)
    case.after(seconds)
    case.invariants.level(3, False)
    case.after(10)


def on_beside_a_stuck_one(case, freed):
    stuck(case, 2, True)
    case.after(10)
    if freed:
        case.invariants.stuck(2, False)
        case.invariants.level(2, False)
    case.after(10).level(3, True)


def blind(case, seconds):
    case.after(10).level(4, True)
    case.invariants.sensor("14", True)
    case.after(seconds)


# Safe state


def silence(case, seconds):
    case.after(10).level(1, True)
    case.after(10)
    case.targets["6"] = None
    case.quiet = True
    case.after(seconds)


def still_applies(case, seconds):
    case.targets["7"] = 0.0
    case.after(10)
    case.quiet = True
    case.after(seconds)


def token_over(case, seconds):
    case.targets["7"] = 0.0
    case.after(10)
    case.quiet = True
    case.second += seconds
    case.invariants.contact = case.second
    case.invariants.check(case.targets, case.manual_override)


def not_safe(case, pressed):
    case.quiet = True
    case.after(500)
    case.invariants.level(2, True)
    if pressed:
        case.invariants.pressed("7")
        case.manual_override.add("7")
        case.targets["7"] = 1.0
    case.after(500)


def pressed_in_the_safe_state(case, left):
    """And something is received after it, as on a session that outlives its token."""
    case.quiet = True
    case.after(500)
    case.invariants.pressed("7", True)
    case.invariants.level(2, True)
    case.targets["7"] = 1.0
    case.manual_override.add("7")
    case.second += 5
    case.invariants.contact = case.second
    if left:
        case.invariants.left_safe_state()
    case.after(500)


# Desired states


def never_desired(case, value):
    case.invariants.desired_states.desire("6", 1.0)
    applies(case, value, "9")


def out_of_range(case, value):
    case.invariants.desired_states.desire("9", value)
    applies(case, value, "9")


def replaced(case, seconds):
    case.invariants.desired_states.desire("6", 1.0)
    case.invariants.desired_states.desire("6", 0.0)
    case.after(seconds)
    applies(case, 1.0)


def older_again(case, then):
    for value in (21.0, 22.0):
        case.invariants.desired_states.desire("9", value)
    applies(case, 22.0, "9")
    applies(case, then, "9")


def overtaken_by_a_poll(case, polled):
    """The message of a desired value arrives behind the newer one."""
    desired_states = case.invariants.desired_states
    for value in (21.0, 22.0):
        desired_states.desire("9", value)
    desired_states.receive("9", 1, "b", 6, 300)
    applies(case, 22.0, "9", name=None if polled else "b")
    desired_states.receive("9", 1, "a", 7, 300)
    applies(case, 21.0, "9", name="a")


def overtaken_long_ago(case, seconds):
    desired_states = case.invariants.desired_states
    for value in (21.0, 22.0):
        desired_states.desire("9", value)
    applies(case, 22.0, "9")
    case.after(seconds)
    desired_states.receive("9", 1, "a", 7, 300)
    applies(case, 21.0, "9", name="a")


def number(case, sequence):
    desired_states = case.invariants.desired_states
    desired_states.desire("6", 1.0)
    desired_states.receive("6", 1, "a", 5, 300)
    applies(case, 1.0, name="a")
    desired_states.receive("6", 1, "b", sequence, 300)
    applies(case, 1.0, name="b")


def number_after_a_start(case, sequence):
    desired_states = case.invariants.desired_states
    desired_states.desire("6", 1.0)
    desired_states.receive("6", 1, "a", 5, 300)
    applies(case, 1.0, name="a")
    desired_states.excuse("the power was cut")
    desired_states.bind({"6/1"})
    desired_states.receive("6", 1, "b", sequence, 300)
    applies(case, 1.0, name="b")


def number_again(case, states):
    answered, cut = states
    desired_states = case.invariants.desired_states
    desired_states.desire("6", 1.0)
    desired_states.receive("6", 1, "a", 5, 300)
    applies(case, 1.0, name="a")
    if answered:
        desired_states.answer("a", "applied", True)
    if cut:
        desired_states.excuse("the power was cut")
    applies(case, 1.0, name="a")


def window(case, seconds):
    desired_states = case.invariants.desired_states
    desired_states.desire("6", 1.0)
    desired_states.receive("6", 1, "a", 1, 60)
    case.after(seconds)
    applies(case, 1.0, name="a")


def answered(case, status):
    desired_states = case.invariants.desired_states
    desired_states.receive("6", 1, "a", 1, 60)
    if status:
        desired_states.answer("a", status, True)
    case.invariants.check_end()


def answered_after_another(case, sequence):
    """As number 5 was, of which a second one is as old as an older one."""
    desired_states = case.invariants.desired_states
    desired_states.receive("6", 1, "a", 5, 60)
    desired_states.answer("a", "applied", True)
    desired_states.receive("6", 1, "b", sequence, 60)
    case.invariants.check_end()


def number_after_another_catalog(case, lines):
    """Where the command was gone, or another one was in its place."""
    desired_states = case.invariants.desired_states
    desired_states.desire("6", 1.0)
    desired_states.receive("6", 1, "a", 5, 300)
    applies(case, 1.0, name="a")
    desired_states.bind(lines)
    desired_states.bind({"6/1"})
    desired_states.receive("6", 1, "b", 4, 300)
    applies(case, 1.0, name="b")


def command_gone(case, known):
    case.invariants.desired_states.receive("6", 1, "a", 1, 60)
    case.invariants.desired_states.bind(known)
    case.invariants.check_end()


def applied(case, follows):
    case.invariants.desired_states.receive("6", 1, "a", 1, 60)
    case.invariants.desired_states.answer("a", "applied", follows)


def applied_late(case, seconds):
    case.invariants.desired_states.receive("6", 1, "a", 1, 60)
    case.after(seconds)
    case.invariants.desired_states.answer("a", "applied", True)


def acknowledges_an_unknown_state(case, name):
    case.invariants.desired_states.receive("6", 1, "a", 1, 60)
    case.invariants.desired_states.answer(name, "applied", True)


# Events


def not_sent(case, stored):
    events = case.invariants.events
    events.posted("1", None)
    events.answered("1", True)
    if stored:
        events.stored("1")
    case.invariants.check_end()


def waits_for_ever(case, stored):
    case.invariants.events.posted("1", None)
    case.invariants.events.expect()
    if stored:
        case.invariants.events.stored("1")
    case.invariants.check_end()


def waits_since(case, earlier):
    events = case.invariants.events
    if earlier:
        events.posted("1", None)
    events.expect()
    if not earlier:
        events.posted("1", None)
    case.invariants.check_end()


def waiting(case, count):
    for i in range(count):
        case.invariants.events.posted(str(i), None)
    case.invariants.check_end()


def stored_twice(case, name):
    case.invariants.events.posted("1", None)
    case.invariants.events.stored("1")
    case.invariants.check_end()
    case.invariants.events.posted("2", None)
    case.invariants.events.stored(name)


def never_an_event(case, name):
    case.invariants.events.posted("1", None)
    case.invariants.events.stored(name)


def same_name(case, name):
    case.invariants.events.posted("1", None)
    case.invariants.events.stored("1")
    case.invariants.check_end()
    case.invariants.events.posted(name, None)


def two_answers(case, desired_id):
    case.invariants.events.posted("1", "a")
    case.invariants.events.posted("2", desired_id)


def lost_by_a_cut(case, unwritten):
    case.invariants.events.posted("1", None)
    case.invariants.events.cut(unwritten)
    case.invariants.events.came_back([], 0)


def lost_at_a_start(case, dropped):
    for message_id in ("1", "2"):
        case.invariants.events.posted(message_id, None)
    case.invariants.events.came_back([], dropped)


def came_from_nowhere(case, name):
    case.invariants.events.posted("1", None)
    case.invariants.events.came_back(["1", name], 0)


def again_from_nowhere(case, name):
    case.invariants.events.posted("1", None)
    case.invariants.events.again(name)


def conflicting(case, really):
    case.invariants.events.posted("1", None)
    if really:
        case.invariants.events.conflicts("1")


def dropped(case, readings_left):
    case.invariants.events.posted("1", None)
    case.invariants.events.dropped("1", True, readings_left)


# The rest


def output(case, line):
    case.invariants.logged(line)


def broke(case, method):
    case.invariants.catalog_until = case.second + 10
    case.invariants.contract_broken({"method": method})


def sizes(case, sizes):
    case.invariants.sizes(*sizes)


@pytest.mark.parametrize(
    ("scenario", "bad", "good", "words"),
    [
        (least_on, 15, 25, "pump off after 15.0 s, least is 20"),
        (least_off, 25, 35, "pump on after 25.0 s, least is 30"),
        (most_on, 110, 102, "pump on for 110 s, most is 100"),
        (both_on, False, True, "down on although its interlock forbids it"),
        (beside_a_stuck_one, 20, 2, "down and up both on although they exclude each other"),
        (on_beside_a_stuck_one, False, True, "down on although its interlock forbids it"),
        (blind, 110, 90, "heater heats blindly, its sensor broke 110 s ago"),
        (silence, 430, 60, "pump is on, not in its safe state: silence"),
        (still_applies, 430, 410, "up still applies a desired value, silence"),
        (token_over, 3730, 3710, "up still applies a desired value, no token"),
        (not_safe, False, True, "up is on, not in its safe state: silence"),
        (pressed_in_the_safe_state, True, False, "up is on, not in its safe state: silence"),
        (never_desired, 21.0, 20.0, "heater applies 21.0, which was never desired"),
        (out_of_range, 36.0, 35.0, "heater applies 36.0, which is out of range"),
        (out_of_range, 20.3, 20.5, "heater applies 20.3, which is out of range"),
        (replaced, 310, 290, "pump applies 1.0, 310 s after it was replaced"),
        (older_again, 21.0, 22.0, "heater applies 21.0 again, which was replaced by what it applied already"),
        (
            overtaken_by_a_poll,
            False,
            True,
            "heater applies 21.0 again, which was replaced by what it applied already",
        ),
        (
            overtaken_long_ago,
            310,
            290,
            "heater applies 21.0 again, which was replaced by what it applied already",
        ),
        (number, 4, 6, "pump applies b, number 4, out of order"),
        (number_after_a_start, 4, 6, "pump applies b, number 4, out of order"),
        (number_again, (True, True), (False, True), "pump applies a, number 5, out of order"),
        (number_again, (False, False), (False, True), "pump applies a, number 5, out of order"),
        (number_after_another_catalog, set(), {"6/2"}, "pump applies b, number 4, out of order"),
        (window, 60, 59, "pump applies a 0 s after its window"),
        (window, 70, 50, "pump applies a 10 s after its window"),
        (answered, "", "stale", "a for pin 6 was received and never acknowledged"),
        (answered_after_another, 6, 5, "b for pin 6 was received and never acknowledged"),
        (command_gone, {"6/1"}, {"6/2"}, "a for pin 6 was received and never acknowledged"),
        (applied, False, True, "a is reported as applied, and the relay is in another state"),
        (applied_late, 70, 50, "a was applied 10 s after its window"),
        (acknowledges_an_unknown_state, "b", "a", "b is acknowledged, and was never received"),
        (not_sent, False, True, "1 is accepted, and the cloud does not have it"),
        (waits_for_ever, False, True, "1 is waiting, and the cloud does not have it"),
        (waits_since, True, False, "1 is waiting, and the cloud does not have it"),
        (waiting, 21, 20, "21 events wait, a request takes 20"),
        (stored_twice, "1", "2", "1 was stored twice"),
        (never_an_event, "2", "1", "2 was stored, and never was an event"),
        (same_name, "1", "2", "1 is the name of an earlier event"),
        (two_answers, "a", "b", "a was answered as 1 and again as 2"),
        (lost_by_a_cut, [], ["1"], "1 was written down and did not come back"),
        (lost_at_a_start, 1, 2, "2 was written down and did not come back"),
        (came_from_nowhere, "2", "1", "2 came back, and never was"),
        (again_from_nowhere, "2", "1", "2 is sent again, and never was"),
        (conflicting, True, False, "1 was sent with two contents"),
        (dropped, True, False, "1 was dropped, a command report, before a reading"),
        (output, f"the key is {SECRET}", "the key is ***", "a secret in the log"),
        (output, "Bearer " + 5 * "0123ab", "Bearer ***", "a secret in the log"),
        (broke, "POST", "PUBLISH", "contract broken: {'method': 'POST'}"),
        (sizes, (49, 0, 0, 0), (48, 0, 0, 0), "49 events in the outbox, at most 48"),
        (sizes, (0, 24577, 0, 0), (0, 24576, 0, 0), "24577 bytes of journal, at most 24576"),
        (sizes, (0, 0, 4, 0), (0, 0, 3, 0), "4 connections, at most 3"),
        (sizes, (0, 0, 0, 41), (0, 0, 0, 40), "41 tasks, at most 40"),
    ],
)
def test_reports_a_broken_invariant_and_nothing_else(scenario, bad, good, words):
    case, other = Case(), Case()
    scenario(case, bad)
    scenario(other, good)
    assert words in case.found() and other.found() == []
    assert any("VIOLATION " + words in line for line in case.invariants.timeline)


@pytest.mark.parametrize("end", ["applied", "stale", "the power was cut"])
def test_a_desired_state_is_pending_until_it_is_acknowledged_or_lost(end):
    desired_states = Case().invariants.desired_states
    desired_states.receive("6", 1, "a", 1, 60)
    assert desired_states.pending() == ["a"]
    if " " in end:
        desired_states.excuse(end)
    else:
        desired_states.answer("a", end, True)
    assert desired_states.pending() == []
