"""Presses out of a bouncing contact, and what a person sees in one cycle of a blink code."""

from firmware.core.panel import Debounce, level

WRAP = 0x40000000
START = WRAP - 40  # the millisecond counter is about to wrap in every test of the button
CYCLE_MS = 4096
STATES = ("config_error", "no_wifi", "no_time", "no_cloud", "unauthorized", "safe", "online")


def presses(trace, ms=30):
    """Feed (level, how many ms) runs, one look a millisecond; the ms since START at which a press became certain."""
    button = Debounce(ms)
    found, at = [], 0
    for active, length in trace:
        for _ in range(length):
            if button.pressed(active, (START + at) % WRAP):
                found.append(at)
            at += 1
    return found


def test_every_press_counts_once_it_has_lasted_and_no_release_does():
    trace = ((False, 50), (True, 100), (False, 100), (True, 31), (False, 100))
    assert presses(trace) == [80, 280]


def test_bounces_count_from_the_last_one():
    trace = ((False, 50), (True, 5), (False, 3), (True, 10), (False, 1), (True, 100))
    assert presses(trace) == [99]


def test_whatever_is_shorter_did_not_happen():
    assert presses(((False, 50), (True, 30), (False, 100))) == []
    assert presses(((False, 50), (True, 31), (False, 10))) == [80]
    assert presses(((False, 40), (True, 100), (False, 30), (True, 100))) == [70]


def test_held_at_boot_is_no_press():
    assert presses(((True, 500),)) == []
    assert presses(((True, 500), (False, 100))) == []
    assert presses(((True, 500), (False, 100), (True, 100))) == [630]


def test_a_contact_that_bounces_while_held_at_boot_is_no_press():
    assert presses(((False, 5), (True, 500))) == []


def test_an_unchanged_contact_says_nothing_for_days():
    button = Debounce(30)
    now = START
    for _ in range(400):
        assert button.pressed(False, now) is False
        now = (now + 3600 * 1000) % WRAP
    assert button.pressed(True, now) is False
    assert button.pressed(True, (now + 30) % WRAP) is True


def flashes(state, start=0):
    """How often the LED goes on in one cycle that begins dark or never is."""
    lit = [level(state, start + ms) for ms in range(0, CYCLE_MS, 16)]
    return sum(1 for i, on in enumerate(lit) if on and not lit[i - 1])


def test_the_number_of_flashes_tells_the_state():
    assert flashes("no_wifi") == 1
    assert flashes("no_time") == 2
    assert flashes("no_cloud") == 3
    assert flashes("unauthorized") == 4
    assert flashes("config_error") == 8
    assert flashes("safe") == 1


def test_online_is_steady_and_safe_is_mostly_on():
    assert all(level("online", ms) for ms in range(0, CYCLE_MS, 16))
    assert sum(level("safe", ms) for ms in range(CYCLE_MS)) == 3072
    assert sum(level("no_wifi", ms) for ms in range(CYCLE_MS)) == 256


def test_codes_of_counted_flashes_end_in_a_pause_of_two_seconds():
    for state in ("no_wifi", "no_time", "no_cloud", "unauthorized"):
        assert not [ms for ms in range(2048, CYCLE_MS, 16) if level(state, ms)]


def test_the_wrap_of_the_counter_is_not_seen():
    for state in STATES:
        before = [level(state, WRAP - CYCLE_MS + ms) for ms in range(0, CYCLE_MS, 64)]
        assert before == [level(state, ms) for ms in range(0, CYCLE_MS, 64)]


def test_an_unknown_state_is_a_mistake():
    try:
        level("lunch", 0)
    except KeyError:
        return
    raise AssertionError("an unknown state blinks")
