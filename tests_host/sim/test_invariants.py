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

    def receive(self, name="a", sequence=5, window=300, port="6"):
        self.invariants.desired_states.receive(port, 1, name, sequence, window)

    def desire(self, *values, port="6"):
        for value in values:
            self.invariants.desired_states.desire(port, value)

    def applied(self, name="a"):
        """The pump is desired to be on, which a received message says, and it is obeyed."""
        self.desire(1.0)
        self.receive(name)
        applies(self, 1.0, name=name)

    def found(self):
        return [text.split(": ", 1)[1] for text in self.invariants.violations]


def hold(case, seconds, before=100):
    """The pump's relay pulls for that long, after a long rest."""
    case.after(before).level(1, True)
    case.after(seconds).level(1, False)


def stuck(case, gpio, on):
    case.invariants.stuck(gpio, True)
    case.invariants.level(gpio, on)


def applies(case, value, port="6", name=None):
    case.invariants.desired_states.demanded(port, value, name)


# Relays


def least_off(case, seconds):
    hold(case, 50)
    hold(case, 50, before=seconds)


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
    case.desire(1.0)
    applies(case, value, "9")


def out_of_range(case, value):
    case.desire(value, port="9")
    applies(case, value, "9")


def replaced(case, seconds):
    case.desire(1.0, 0.0)
    case.after(seconds)
    applies(case, 1.0)


def older_again(case, then):
    case.desire(21.0, 22.0, port="9")
    applies(case, 22.0, "9")
    applies(case, then, "9")


def overtaken_by_a_poll(case, polled):
    """The message of a desired value arrives behind the newer one."""
    case.desire(21.0, 22.0, port="9")
    case.receive("b", 6, port="9")
    applies(case, 22.0, "9", name=None if polled else "b")
    case.receive("a", 7, port="9")
    applies(case, 21.0, "9", name="a")


def overtaken_long_ago(case, seconds):
    case.desire(21.0, 22.0, port="9")
    applies(case, 22.0, "9")
    case.after(seconds)
    case.receive("a", 7, port="9")
    applies(case, 21.0, "9", name="a")


def scripted(case, script):
    """Desired states of the pump and events of its journal, a step for each comma; those of `on` are what a received
    message says, and are obeyed."""
    invariants = case.invariants
    states, events = invariants.desired_states, invariants.events
    steps = {
        "on": case.applied,
        "desire": lambda value: case.desire(float(value)),
        "receive": lambda name, sequence, window=60: case.receive(name, int(sequence), window),
        "applies": lambda name: applies(case, 1.0, name=name),
        "answer": lambda name, status="applied": states.answer(name, status, True),
        "bind": lambda *lines: states.bind(set(lines)),
        "power_cut": lambda: states.excuse("the power was cut"),
        "after": lambda seconds: case.after(int(seconds)),
        "posted": lambda name, desired_id=None: events.posted(name, desired_id),
        "accepted": lambda name: events.answered(name, True),
        "cut": lambda *unwritten: events.cut(unwritten),
        "back": lambda dropped, *names: events.came_back(names, int(dropped)),
        "dropped": lambda name, readings="": events.dropped(name, True, bool(readings)),
        "end": invariants.check_end,
        **{verb: getattr(events, verb) for verb in ("stored", "expect", "again", "conflicts")},
    }
    for step in script.split(", "):
        verb, *words = step.split(" ")
        steps[verb](*words)


def waiting(case, count):
    for i in range(count):
        case.invariants.events.posted(str(i), None)
    case.invariants.check_end()


def applied(case, follows):
    case.receive(window=60)
    case.invariants.desired_states.answer("a", "applied", follows)


# The rest

UNANSWERED = "for pin 6 was received and never acknowledged"
AGAIN = "heater applies 21.0 again, which was replaced by what it applied already"


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
        (hold, 15, 25, "pump off after 15.0 s, least is 20"),
        (least_off, 25, 35, "pump on after 25.0 s, least is 30"),
        (hold, 110, 102, "pump on for 110 s, most is 100"),
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
        (older_again, 21.0, 22.0, AGAIN),
        (overtaken_by_a_poll, False, True, AGAIN),
        (overtaken_long_ago, 310, 290, AGAIN),
        ("on, receive b {}, applies b", 4, 6, "pump applies b, number 4, out of order"),
        ("on, power_cut, bind 6/1, receive b {}, applies b", 4, 6, "pump applies b, number 4, out of order"),
        ("on, {}power_cut, applies a", "answer a, ", "", "pump applies a, number 5, out of order"),
        ("on, {}applies a", "", "power_cut, ", "pump applies a, number 5, out of order"),
        (
            "on, bind{}, bind 6/1, receive b 4, applies b",
            "",
            " 6/2",
            "pump applies b, number 4, out of order",
        ),
        ("desire 1, receive a 1, after {}, applies a", 60, 59, "pump applies a 0 s after its window"),
        ("desire 1, receive a 1, after {}, applies a", 70, 50, "pump applies a 10 s after its window"),
        ("receive a 1, {}end", "", "answer a stale, ", f"a {UNANSWERED}"),
        ("receive a 5, answer a, receive b {}, end", 6, 5, f"b {UNANSWERED}"),
        ("receive a 1, bind {}, end", "6/1", "6/2", f"a {UNANSWERED}"),
        (applied, False, True, "a is reported as applied, and the relay is in another state"),
        ("receive a 1, after {}, answer a", 70, 50, "a was applied 10 s after its window"),
        ("receive a 1, answer {}", "b", "a", "b is acknowledged, and was never received"),
        ("posted 1, accepted 1, {}end", "", "stored 1, ", "1 is accepted, and the cloud does not have it"),
        ("posted 1, expect, {}end", "", "stored 1, ", "1 is waiting, and the cloud does not have it"),
        ("{}, end", "posted 1, expect", "expect, posted 1", "1 is waiting, and the cloud does not have it"),
        (waiting, 21, 20, "21 events wait, a request takes 20"),
        ("posted 1, stored 1, end, posted 2, stored {}", 1, 2, "1 was stored twice"),
        ("posted 1, stored {}", 2, 1, "2 was stored, and never was an event"),
        ("posted 1, stored 1, end, posted {}", 1, 2, "1 is the name of an earlier event"),
        ("posted 1 a, posted 2 {}", "a", "b", "a was answered as 1 and again as 2"),
        ("posted 1, cut{}, back 0", "", " 1", "1 was written down and did not come back"),
        ("posted 1, posted 2, back {}", 1, 2, "2 was written down and did not come back"),
        ("posted 1, back 0 1 {}", 2, 1, "2 came back, and never was"),
        ("posted 1, again {}", 2, 1, "2 is sent again, and never was"),
        ("posted 1{}", ", conflicts 1", "", "1 was sent with two contents"),
        (
            "posted 1, dropped 1{}",
            " before_readings",
            "",
            "1 was dropped, a command report, before a reading",
        ),
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
    for subject, choice in ((case, bad), (other, good)):
        if isinstance(scenario, str):
            scripted(subject, scenario.format(choice))
        else:
            scenario(subject, choice)
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
