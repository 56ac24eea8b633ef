"""The line of state below the log of `realer monitor`: when it asks, and what it says."""

import json

import pytest

from tools.cli.monitor import State

ANSWER = {
    "state": "online", "safe": [], "outputs": [["pump", True, 1.0, None], ["heater", False, 18.5, "min_off_s"]],
    "readings": [["room", 18.4], ["daylight", None]], "heap": [80_000, 31_000], "lease_s": 90, "errors": [],
}  # fmt: skip


def line(**changed):
    return "status " + json.dumps(ANSWER | changed)


@pytest.fixture
def state():
    state = State(0)
    assert state.asks(0)
    return state


def test_an_answer_is_no_line_of_the_log_and_becomes_the_line_of_state(state):
    assert state.take(line(), 1)
    parts = "online · pump on · heater off (min_off_s) · room 18.4 · daylight fault · 31,000 bytes free"
    assert state.text(1).plain == parts
    assert not state.take("+3 I online", 2)
    assert not state.take('status {"cut', 2)
    assert state.text(2).plain == parts


def test_warnings_and_errors_are_counted(state):
    for text in ("+1 W no time", "+2 E refused", "+3 E refused", "+4 I online"):
        assert not state.take(text, 1)
    assert state.text(1).plain == "asked for its state · 2 errors · 1 warning"
    state.take(line(), 2)
    assert state.text(2).plain.startswith("online · 2 errors · 1 warning · pump on")


def test_it_asks_every_five_seconds_and_sooner_when_something_happened(state):
    state.take(line(), 1)
    asked = [second for second in range(1, 16) if state.asks(second)]
    assert asked == [5, 10, 15]
    state.take("2026-01-01T00:00:00Z I safe state left", 15)
    assert not state.asks(16) and state.asks(17) and not state.asks(20) and state.asks(22)


def test_silence_is_said_and_ends_with_the_next_answer(state):
    state.take(line(), 1)
    assert "no answer" not in state.text(13).plain
    assert state.text(40).plain == "no answer for 39 s"
    state.take(line(outputs=[], readings=[]), 41)
    assert state.text(41).plain == "online · 31,000 bytes free"


def test_at_the_prompt_nothing_is_typed_until_the_next_start(state):
    state.take(line(), 1)
    state.take(">>> status", 2)
    assert not any(state.asks(second) for second in range(3, 100))
    assert state.text(99).plain == "at the prompt: the firmware is not running"
    state.take("starting, slot a", 100)
    assert state.text(100).plain == "starting" and state.asks(100)


def test_a_device_without_memory_for_an_answer_is_not_taken_for_a_silent_one(state):
    assert not state.take("status {}x", 1)
    assert state.take("status {}", 1)
    assert state.text(2).plain.startswith("the firmware is running")
