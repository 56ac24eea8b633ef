"""The connections of MQTT and IOTMP: the tables in the code are those that the READMEs of the libraries show."""

from collections.abc import Sequence

import pytest

from iotmp import frame
from iotmp import session as iotmp
from mqtt5 import codes
from mqtt5 import session as mqtt
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

IOTMP_STATES = ("CLOSED", "LOGIN", "OPEN")
IOTMP_EVENTS = (
    (frame.BEGIN, "`connect` queues the login"),
    (frame.OK, "OK arrives"),
    (frame.ERROR, "ERROR arrives"),
    (frame.KEEP_ALIVE, "KEEP_ALIVE arrives"),
    (frame.RUN, "RUN arrives"),
    (frame.DESCRIBE, "DESCRIBE arrives"),
    (frame.START_STREAM, "START_STREAM arrives"),
    (frame.STOP_STREAM, "STOP_STREAM arrives"),
    (frame.STREAM_DATA, "STREAM_DATA arrives"),
    (frame.CONNECT, "CONNECT arrives"),
    (frame.DISCONNECT, "DISCONNECT arrives"),
    (frame.LEAVE, "`leave` queues DISCONNECT"),
    (frame.LOST, "the stream is gone"),
)

TABLES = pytest.mark.parametrize(
    ("engine", "library", "states", "events"),
    [(mqtt, "mqtt5", MQTT_STATES, MQTT_EVENTS), (iotmp, "iotmp", IOTMP_STATES, IOTMP_EVENTS)],
    ids=["mqtt5", "iotmp"],
)


def _cells(states: Sequence[str], transitions: bytes, event: int) -> list[str]:
    """The state after an event by the state before it, empty where it is illegal."""
    row = transitions[event * len(states) :][: len(states)].decode()
    return ["" if after == "-" else states[int(after)] for after in row]


@TABLES
def test_the_readme_shows_the_transitions(engine, library, states, events):
    rows = [["event", *states]]
    rows += [[caption, *_cells(states, engine.TRANSITIONS, event)] for event, caption in events]
    lines = ["|" + "|".join(f" {cell} " if cell else " " for cell in row) + "|" for row in rows]
    drawn = "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]]) + "\n"
    assert drawn in (ROOT / "lib" / library / "README.md").read_text(encoding="utf-8"), drawn


@TABLES
def test_what_the_readme_does_not_show_is_illegal_in_every_state(engine, library, states, events):
    shown = {event for event, _ in events}
    assert len(engine.TRANSITIONS) % len(states) == 0
    for event in set(range(len(engine.TRANSITIONS) // len(states))) - shown:
        assert not any(_cells(states, engine.TRANSITIONS, event)), event


@TABLES
def test_states_have_the_numbers_of_their_columns(engine, library, states, events):
    assert [getattr(engine, name) for name in states] == list(range(len(states)))
