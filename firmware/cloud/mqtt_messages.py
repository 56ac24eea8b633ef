"""The payloads on the MQTT topics of the Realer API: desired states, reports, acknowledgements.

Source: docs/protocol.md, MQTT session. Pure. Payloads are bytes; an invalid one is a ValueError with a text for the
log.
"""

import json
from micropython import const

from firmware.cloud.fields import error_text, get, get_scalar, get_text
from firmware.cloud.payloads import desired_state, event
from firmware.core import outcomes

_NESTED = const(50)


def desired(command_id, payload):
    """Return the Desired in a message on a command's desired topic. ValueError."""
    found = desired_state(command_id, _object(payload))
    if not found:
        raise ValueError("no desired_id")
    return found


def publish(report):
    """Return the payload that publishes one report. The topic identifies the source."""
    return json.dumps(event(report)).encode()


def acknowledgement(payload):
    """Return (message_id, outcome, text for the log) of a message on the ack topic. ValueError.

    The outcome is OK if the report was accepted, RETRY if the message says `retryable`, else CONFLICT or DROP.
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
            raise  # a valid message must not be treated as an invalid one
        body = None  # nested too deeply
    if not isinstance(body, dict):
        raise ValueError("no JSON object")
    # 1, "1" or "1.4": in another major version the same names may have another meaning (assumption 7).
    if str(get_scalar(body, "version")).partition(".")[0] != "1":
        raise ValueError("unknown version")
    return body
