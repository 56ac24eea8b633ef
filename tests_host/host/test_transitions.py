"""The connections of MQTT and IOTMP: the tables in the code are those that the READMEs of the libraries show."""

from collections.abc import Sequence

import pytest

from mqtt5 import codes, session
from tools.repository import ROOT

MQTT_STATES = ("CLOSED", "CONNECTING", "OPEN", "CLOSING")
MQTT_EVENTS = (
    (codes.BEGIN, "`opening.begin` queues CONNECT"),
    (codes.CONNACK, "CONNACK arrives"),
    (codes.ACCEPT, "`opening.accept` finds it good"),
    (codes.REQUEST, "publish or subscribe"),
    (codes.PUBLISH, "PUBLISH arrives"),
    (codes.PUBACK, "PUBACK arrives"),
    (codes.SUBACK, "SUBACK arrives"),
    (codes.PINGRESP, "PINGRESP arrives"),
    (codes.DISCONNECT, "DISCONNECT arrives"),
    (codes.FINISH, "`finish` ends it"),
    (codes.LOST, "the stream is gone"),
)

TABLES = pytest.mark.parametrize(
    ("library", "states", "events", "transitions"),
    [("mqtt5", MQTT_STATES, MQTT_EVENTS, session.TRANSITIONS)],
    ids=["mqtt5"],
)


def _cells(states: Sequence[str], transitions: bytes, event: int) -> list[str]:
    """The state after an event by the state before it, empty where it is illegal."""
    row = transitions[event * len(states) :][: len(states)].decode()
    return ["" if after == "-" else states[int(after)] for after in row]


@TABLES
def test_the_readme_shows_the_transitions(library, states, events, transitions):
    rows = [["event", *states]]
    rows += [[caption, *_cells(states, transitions, event)] for event, caption in events]
    lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in rows]
    drawn = "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"
    assert drawn in (ROOT / "lib" / library / "README.md").read_text(encoding="utf-8"), drawn


@TABLES
def test_each_state_can_be_reached_and_left(library, states, events, transitions):
    ways = [
        (before, after)
        for event, _ in events
        for before, after in zip(states, _cells(states, transitions, event), strict=True)
    ]
    for state in states:
        assert any(after == state != before for before, after in ways)
        assert any(before == state != after for before, after in ways if after)


@TABLES
def test_what_the_readme_does_not_show_is_illegal_in_every_state(library, states, events, transitions):
    shown = {event for event, _ in events}
    assert len(transitions) % len(states) == 0
    for event in set(range(len(transitions) // len(states))) - shown:
        assert not any(_cells(states, transitions, event)), event


@TABLES
def test_states_have_the_numbers_of_their_columns(library, states, events, transitions):
    assert [getattr(session, name) for name in states] == list(range(len(states)))
