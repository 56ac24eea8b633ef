"""Presses out of a bouncing contact. The millisecond counter is about to wrap in every test."""

from firmware.core import timing as ticks
from firmware.core.panel import Debounce

START = 0x40000000 - 40


def events(trace, ms=30, start=START):
    """Feed (level, how many ms) runs, one step a millisecond; return [(ms since start, event)]."""
    button = Debounce(ms)
    found, at = [], 0
    for level, length in trace:
        for _ in range(length):
            event = button.step(level, ticks.add(start, at))
            if event:
                found.append((at, event))
            at += 1
    return found


def test_a_clean_press_and_release():
    assert events(((False, 50), (True, 100), (False, 100))) == [(80, "pressed"), (180, "released")]


def test_bounces_count_from_the_last_one():
    trace = ((False, 50), (True, 5), (False, 3), (True, 10), (False, 1), (True, 100))
    assert events(trace) == [(99, "pressed")]


def test_whatever_is_shorter_did_not_happen():
    assert events(((False, 50), (True, 30), (False, 100))) == []
    assert events(((False, 50), (True, 31), (False, 10))) == [(80, "pressed")]
    assert events(((False, 40), (True, 100), (False, 30), (True, 100))) == [(70, "pressed")]


def test_held_at_boot_is_no_press():
    assert events(((True, 500),)) == []
    assert events(((True, 500), (False, 100))) == [(530, "released")]
    assert events(((True, 500), (False, 100), (True, 100))) == [(530, "released"), (630, "pressed")]


def test_a_contact_that_bounces_while_held_at_boot_is_no_press():
    assert events(((False, 5), (True, 500))) == []


def test_an_unchanged_contact_says_nothing_for_days():
    button = Debounce(30)
    now = START
    for _ in range(400):
        assert button.step(False, now) is None
        now = ticks.add(now, 3600 * 1000)
    assert button.step(True, now) is None
    assert button.step(True, ticks.add(now, 30)) == "pressed"
