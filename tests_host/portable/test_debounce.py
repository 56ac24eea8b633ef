"""Presses out of a bouncing contact."""

from firmware.core.debounce import Debounce

WRAP = 0x40000000
START = WRAP - 40  # the millisecond counter is about to wrap in every test of the button


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


def test_a_shorter_contact_is_ignored():
    assert presses(((False, 50), (True, 30), (False, 100))) == []
    assert presses(((False, 50), (True, 31), (False, 10))) == [80]
    assert presses(((False, 40), (True, 100), (False, 30), (True, 100))) == [70]


def test_held_at_boot_is_no_press():
    assert presses(((True, 500),)) == []
    assert presses(((True, 500), (False, 100))) == []
    assert presses(((True, 500), (False, 100), (True, 100))) == [630]


def test_a_contact_that_bounces_while_held_at_boot_is_no_press():
    assert presses(((False, 5), (True, 500))) == []


def test_an_unchanged_contact_is_no_press_for_days():
    button = Debounce(30)
    now = START
    for _ in range(400):
        assert button.pressed(False, now) is False
        now = (now + 3600 * 1000) % WRAP
    assert button.pressed(True, now) is False
    assert button.pressed(True, (now + 30) % WRAP) is True
