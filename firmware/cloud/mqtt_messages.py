"""The payloads on the MQTT topics of the Realer API: desired states, reports, acknowledgements.

Source: docs/protocol.md, MQTT session. Pure. Any other payload is a ValueError with a text for the log.
"""

import json
from micropython import const

from firmware.cloud.fields import error_text, get, get_scalar, get_text
from firmware.cloud.payloads import desired_state, event
from firmware.core import outcomes

_NESTED = const(50)


def desired(command_id, payload):
    """The Desired of a message on the topic of that command. ValueError: it is none, with a text for the log."""
    found = desired_state(command_id, _object(payload))
    if not found:
        raise ValueError("no desired_id")
    return found


def publish(report):
    """The payload of one report: its topic has the rest."""
    return json.dumps(event(report)).encode()


def acknowledgement(payload):
    """(message_id, outcome, text for the log) of a message on the ack topic. ValueError: it is none.

    OK, CONFLICT, DROP, or RETRY, which needs `retryable`.
    """
    body = _object(payload)
    status = get_scalar(body, "status")
    if status in ("accepted", "replayed"):
        found = outcomes.OK
    elif get(body, "retryable") is True:
        found = outcomes.RETRY
    else:
        found = outcomes.CONFLICT if status == "conflict" else outcomes.DROP
    return get_text(body, "message_id"), found, "%s %s" % (status, error_text(body))


def _object(payload):
    try:
        body = json.loads(payload.decode())
    except (ValueError, RuntimeError):
        body = None
    except MemoryError:
        if payload.count(b"[") + payload.count(b"{") < _NESTED:
            raise  # it must not be taken for read
        body = None  # nested deeper than there is room for
    if not isinstance(body, dict):
        raise ValueError("no JSON object")
    # 1, "1" or "1.4": another major version may mean something else by the same names (assumption 7).
    if str(get_scalar(body, "version")).partition(".")[0] != "1":
        raise ValueError("unknown version")
    return body
