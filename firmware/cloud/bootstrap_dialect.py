"""What the newest generation adds to iot/v1: the runtime descriptor (GET bootstrap), pending desired states.

Source: docs/protocol.md, Bootstrap, and its assumptions 4, 5, 8 and 27. Pure. No example of either reply is
published, so some names are guesses: they are all in `_NAMES`. A field that is missing or has another type makes the
device do less, never more. Every answer becomes a result or a LinkError.
"""

from collections import namedtuple

from firmware.cloud import realer
from firmware.cloud.fields import get, get_scalar
from firmware.cloud.payloads import desired_state
from firmware.core.errors import LinkError
from firmware.core.models import NOTHING_NEW, SUPERSEDED, Catalog, Desired, number

SCOPE = "iot:desired-state:read"
SCOPES = "iot:catalog:read iot:feed-data:write " + SCOPE

_NAMES = {
    # The documentation has these names, but not where they stand nor what they hold.
    "protocols": "available_protocols",
    "revisions": ("catalog_revision", "runtime_revision"),
    # It has these in prose only. Seconds.
    "cadence": ("cadence", "minimum_interval_seconds"),
    "backoff": ("backoff", "initial_seconds"),
    "pending": "desired_states",
}

Descriptor = namedtuple("Descriptor", "catalog revisions protocols least_s retry_s")
"""`catalog`: None when the reply has none, and the granular endpoints have to be asked; `revisions`: a pair, to be
compared only; `protocols`: names in lower case; `least_s` between two requests, `retry_s` before another try."""


def descriptor(body):
    """The Descriptor of a bootstrap reply. Without a list of protocols HTTPS, which it came by, is the only one."""
    catalog = None
    try:
        catalog = Catalog(realer.commands(body)[0], realer.sensors(body))
    except LinkError:
        pass
    listed = get(body, _NAMES["protocols"])
    protocols = ["https"]
    if isinstance(listed, list):
        protocols = [name.lower() for name in listed if isinstance(name, str)]
    return Descriptor(
        catalog, revisions(body), protocols, _seconds(body, "cadence"), _seconds(body, "backoff")
    )


def revisions(body):
    """The revisions in a reply, "" for one that is missing."""
    return tuple([get_scalar(body, name) for name in _NAMES["revisions"]])


def _seconds(body, name):
    outer, inner = _NAMES[name]
    return max(number(get(get(body, outer), inner)) or 0, 0)


def supports(protocols, name):
    """Whether `name`, with or without a version behind it, is one of the protocols."""
    return any([found == name or found.startswith(name + "-") for found in protocols])


def desired(body, rows, highest):
    """(desired values, how many were ignored) of GET desired-states, for the commands of the catalog. LinkError.

    The oldest come first. `highest`: by command the highest sequence number so far; what is older is SUPERSEDED. A
    command of which nothing is pending comes with NOTHING_NEW. What has no identity cannot be answered, and what names
    no command of the catalog has no output: both are ignored.
    """
    listed = get(body, _NAMES["pending"])
    if not isinstance(listed, list):
        raise LinkError("no list of %s" % _NAMES["pending"])
    known = {str(row.id): row.id for row in rows}
    states = []
    for item in listed:
        name = str(get_scalar(item, "command_id"))
        state = name in known and desired_state(known[name], item)
        if state:
            states.append(state)
    ignored = len(listed) - len(states)
    # All have one, or the order of the list counts: MicroPython's sort would not keep it.
    if states and min(map(_sequence, states)):
        states.sort(key=_sequence)
    for state in states:
        highest[state.command_id] = max(_sequence(state), highest.get(state.command_id, 0))
    states = [
        Desired(*(state[:4] + (SUPERSEDED,))) if 0 < _sequence(state) < highest[state.command_id] else state
        for state in states
    ]
    pending = [str(get_scalar(item, "command_id")) for item in listed]
    states += [Desired(row.id, NOTHING_NEW, None, None, None) for row in rows if str(row.id) not in pending]
    return states, ignored


def _sequence(state):
    return state.sequence or 0
