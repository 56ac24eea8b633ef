"""The additions of the newest generation to iot/v1: the runtime descriptor (GET bootstrap), and pending desired states.

Source: docs/protocol.md, Bootstrap, and its assumptions 4, 5, 8 and 27. Pure. No example of either response is
published, so some names are guesses, which are all in `_NAMES`. A field that is missing or of another type is ignored:
at worst the device uses less of what the cloud offers. Every response becomes a result or a LinkError.
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
    # The documentation names these, but says neither where they are nor what type they have.
    "protocols": "available_protocols",
    "revisions": ("catalog_revision", "runtime_revision"),
    # It mentions these only in prose. Seconds.
    "cadence": ("cadence", "minimum_interval_seconds"),
    "backoff": ("backoff", "initial_seconds"),
    "pending": "desired_states",
}

Descriptor = namedtuple("Descriptor", "catalog revisions protocols least_s retry_s")
"""`catalog`: a Catalog; None if the response has none, so that the separate endpoints must be queried. `revisions`: a
pair, meaningful only when compared with another. `protocols`: list of names in lower case. `least_s`: shortest time
between two requests, `retry_s`: wait before a retry, both in seconds, 0 if the response does not say."""


def descriptor(body):
    """Return the Descriptor of `body`, a bootstrap response. Without a list of protocols, HTTPS is the only one."""
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
    """Return (catalog revision, runtime revision) of a response, "" for one that is missing."""
    return tuple([get_scalar(body, name) for name in _NAMES["revisions"]])


def _seconds(body, name):
    outer, inner = _NAMES[name]
    return max(number(get(get(body, outer), inner)) or 0, 0)


def supports(protocols, name):
    """Return whether `name`, such as mqtt, is one of the protocols, alone or followed by a version, as in mqtt-5.0."""
    return any([found == name or found.startswith(name + "-") for found in protocols])


def desired(body, rows, highest):
    """Return (Desired values, number of ignored items) of GET desired-states, for the catalog's commands `rows`.
    LinkError: the response has no list of them.

    The oldest come first. `highest`: the highest sequence number so far, by command id; it is updated, and states with
    a lower one are marked SUPERSEDED. A command without a pending state gets NOTHING_NEW. Items without an identity,
    which cannot be answered, and those of unknown commands are ignored.
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
    # If any lacks a sequence number, the order of the list is kept, which MicroPython's sort would not preserve.
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
