"""The payloads of MQTT: a device's publish to its application acknowledgement, and desired-state messages.

It says what an acknowledgement contains; the outcome of an observation is `ingest.py`'s, the same as over HTTPS.
"""

from __future__ import annotations

import json
import time
from typing import Any

from tools.cloud import contract
from tools.cloud.entities import Command, DesiredState, Device
from tools.cloud.ingest import Outcome, ingest, rejected
from tools.cloud.messages import REGISTRY, Request, to_json
from tools.cloud.mqtt_v1 import acks_topic, parse_feed_topic, route_id, route_topic
from tools.cloud.sessions import Message, mqtt_client_id
from tools.cloud.state import CloudState

_STATUS = {"created": "accepted", "idempotent": "replayed"}
_ERROR = {"conflict": 409, "rejected": 422, "error": 503}
_COMMAND_ONLY = ("desired_id", "report_status", "sequence_number")


def publish(
    model: CloudState, topic: str, payload: bytes, now: float, qos: int = 1, retain: bool = False
) -> Message | None:
    """Take one publish of a device; returns its acknowledgement, None when there is nowhere to send it.

    `qos` and `retain` as the device sent them: anything but 1 and False breaks the contract, and is taken all the same.
    """
    request = Request("PUBLISH", topic)
    if qos != 1 or retain:
        model.violation(
            now, request, f"feed data goes with QoS 1 and retain off, not QoS {qos}, retain {int(retain)}"
        )
    client_id, name = parse_feed_topic(topic) or ("", "")
    route = model.routes.get(name)
    if route is None or mqtt_client_id(route[0].client_id) != client_id:
        model.violation(now, request, "this topic is in no catalog")
        return None
    return _message(client_id, _acknowledge(model, request, *route, payload, now))


def unseen(topic: str, payload: bytes) -> Message | None:
    """What a broken front end would acknowledge: the cloud never saw the publish and asks for it again."""
    client_id, _ = parse_feed_topic(topic) or ("", "")
    item = _json(payload)
    return _message(client_id, _ack(item, "error", 503, {})) if client_id else None


def desired(
    model: CloudState, device: Device, command: Command, state: DesiredState, now: float
) -> tuple[Message, dict[str, Any]]:
    """The message about a desired state, and what to remember it by."""
    valid_s = model.plan.desired_s
    expires = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now + valid_s))
    body = {"version": 1, "desired_id": state.id, "value": command.value, "valid_for_seconds": valid_s}
    payload = to_json(body | {"expires_at": expires, "sequence_number": state.sequence})
    contract.assert_own("mqtt-desired-state", payload)
    topic = route_topic(
        mqtt_client_id(device.client_id), route_id(device.key, "command", command.id), "desired"
    )
    facts = {
        "device": device.key,
        "command_id": command.id,
        "desired_id": state.id,
        "sequence": state.sequence,
    }
    return Message(topic, payload), facts


def _acknowledge(
    model: CloudState,
    request: Request,
    device: Device,
    role: str,
    source: int | str,
    payload: bytes,
    now: float,
) -> dict[str, Any]:
    if len(payload) > model.plan.max_body_bytes:
        return _ack(None, "rejected", 413, {})
    item = _json(payload)
    if not device.subscription:
        return _ack(item, "rejected", 402, {})
    if item is None:
        model.violation(now, request, "the payload is not a JSON object")
        return _ack(None, "rejected", 400, {})
    found = contract.problems("mqtt-feed-data-publish", item)
    if role == "sensor":
        found |= {name: ["belongs to commands"] for name in _COMMAND_ONLY if name in item}
    if found:
        model.violation(now, request, "breaks mqtt-feed-data-publish", details=found)
        outcome = rejected(model, device.key, found, now)
    else:
        outcome = ingest(model, device, role, source, item, now, via="mqtt")
    return _answer(item, outcome)


def _answer(item: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    status = _STATUS.get(outcome.status, outcome.status)
    return _ack(item, status, _ERROR.get(status, 0), outcome.details)


def _ack(
    item: dict[str, Any] | None, status: str, error: int, details: dict[str, list[str]]
) -> dict[str, Any]:
    """`error`: status of the registry whose words are used, 0 for none. Only `error` is worth another attempt."""
    item = item or {}
    ack: dict[str, Any] = {"version": 1, "status": status, "retryable": status == "error"}
    ack["message_id"] = item.get("message_id") if isinstance(item.get("message_id"), str) else None
    for name in ("desired_id", "sequence_number"):
        if name in item and name not in contract.problems("mqtt-feed-data-publish", {name: item[name]}):
            ack[name] = item[name]
    if error:
        _, kind, text = REGISTRY[error]
        ack["error"] = {"type": kind, "message": text, "details": details}
    return ack


def _message(client_id: str, ack: dict[str, Any]) -> Message:
    body = to_json(ack)
    contract.assert_own("mqtt-feed-data-ack", body)
    return Message(acks_topic(client_id), body)


def _json(payload: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
