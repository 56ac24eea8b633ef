"""The responses of iot/v1 in the generation with integer ids: catalogs whose values are the desired state, feed data.

A request is checked in this order: token, device, subscription, cadence, scope, then the endpoint itself. The responses
about MQTT are in `mqtt_v1.py`, those of the generation after it (bootstrap, desired-states) in `runtime_v1.py`; where
that one is not served they answer 404.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from tools.cloud import contract, mqtt_v1, runtime_v1
from tools.cloud.catalog_items import catalog_row
from tools.cloud.entities import DESIRED_SCOPE, Command, Device, Sensor, Token
from tools.cloud.ingest import Outcome, ingest, rejected
from tools.cloud.messages import Refusal, Request, Response, to_json
from tools.cloud.request_body import json_body
from tools.cloud.state import CloudState

_SCOPES = {
    "commands": "iot:catalog:read",
    "sensors": "iot:catalog:read",
    "mqtt": "iot:catalog:read",
    "feed-data": "iot:feed-data:write",
    "bootstrap": "iot:catalog:read",
    "desired-states": DESIRED_SCOPE,
}
_PROTOCOLS = {"desired-states": "https", "feed-data": "https", "mqtt": "mqtt"}
"""What is served only where the descriptor lists that protocol."""
_REFUSALS = {"conflict": 409, "rejected": 422}


def answer(model: CloudState, request: Request, path: str, now: float) -> tuple[Response, str]:
    """Response and the name of the schema it must keep. Raises Refusal."""
    token = valid_token(model, request, "Bearer", now)
    parts = path.split("/")[3:]
    if parts == ["mqtt-credentials"] and request.method == "POST":
        key, body = mqtt_v1.requested_device(model, request, now)
        return mqtt_v1.credential(model, _device(model, key, token, now), token, request, body, now)
    key, resource, rest = (
        (parts[1], parts[2], parts[3:]) if parts[0] == "devices" and len(parts) > 2 else ("", "", [])
    )
    if resource not in _SCOPES:
        model.violation(now, request, "unknown path")
        raise Refusal(404)
    if resource in runtime_v1.VERBS and not model.served.bootstrap:
        raise Refusal(404)
    device = _device(model, key, token, now)
    protocol = _PROTOCOLS.get(resource, "")
    if model.served.bootstrap and protocol and protocol not in model.served.protocols:
        model.event(now, "protocol_refused", device.key, protocol=protocol)
        raise Refusal(403, f"{protocol} is not enabled for this device")
    if _SCOPES[resource] not in token.scope.split(" "):
        raise Refusal(403, "the token lacks a scope", {"scope": [f"{_SCOPES[resource]} is needed"]})
    if resource in runtime_v1.VERBS and request.method == "GET" and not rest:
        return runtime_v1.VERBS[resource](model, device, now)
    if resource == "mqtt" and request.method == "GET" and not rest:
        return mqtt_v1.catalog(model, device, now)
    if resource in ("commands", "sensors") and request.method == "GET" and len(rest) < 2:
        return _catalog(model, device, request, resource[:-1], rest, now)
    if resource == "feed-data" and request.method == "POST" and rest in ([], ["batches"]):
        return _feed(model, device, request, bool(rest), now)
    model.violation(now, request, "this path has no such method")
    raise Refusal(404)


def valid_token(model: CloudState, request: Request, kind: str, now: float) -> Token:
    """The token in the Authorization header of this `kind`."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != kind.lower() or not text:
        model.violation(now, request, f"this path needs a {kind} token")
        raise Refusal(401)
    token = model.tokens.get(text)
    if token is None or not token.good(now):
        reason = "unknown" if token is None else "revoked" if token.revoked else "expired"
        model.event(now, "unauthorized", token and token.device, reason=reason)
        raise Refusal(401)
    return token


def _device(model: CloudState, key: str, token: Token, now: float) -> Device:
    """The addressed device, if this token may speak for it and its plan allows a request now."""
    device = model.devices.get(key)
    if device is None:
        raise Refusal(404)
    if key != token.device:
        raise Refusal(403, "the token belongs to another device")
    if not device.subscription:
        raise Refusal(402)
    model.pace(key, now)
    return device


def _catalog(
    model: CloudState, device: Device, request: Request, role: str, rest: list[str], now: float
) -> tuple[Response, str]:
    if rest:
        item = device.source(role, rest[0])
        if item is None:
            raise Refusal(404)
        items: Sequence[Command | Sensor] = [item]
    else:
        items = device.sources(role)
    model.event(now, "catalog_read", device.key, resource=role + "s", count=len(items))
    body = {"code": 2000, role + "s": [catalog_row(role, item) for item in items]}
    return _unless_known(model, request, to_json(body)), f"http-{role}-catalog-response"


def _unless_known(model: CloudState, request: Request, body: bytes) -> Response:
    """The body, or that it is what the device has already (RFC 9110, sections 8.8.3 and 13.1.2)."""
    if not model.served.etags:
        return Response(200, {}, body)
    tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
    known = request.headers.get("if-none-match") == tag
    return Response(304, {"ETag": tag}) if known else Response(200, {"ETag": tag}, body)


def _feed(
    model: CloudState, device: Device, request: Request, batch: bool, now: float
) -> tuple[Response, str]:
    if len(request.body) > model.plan.max_body_bytes:
        raise Refusal(413)
    return (_batch if batch else _single)(model, device, request, json_body(model, request, now), now)


def _single(
    model: CloudState, device: Device, request: Request, item: Any, now: float
) -> tuple[Response, str]:
    outcome = _ingest(model, device, request, item, now)
    if outcome.status in _REFUSALS:
        raise Refusal(_REFUSALS[outcome.status], details=outcome.details)
    body = {"code": 2000, "status": outcome.status, "feed_data_id": outcome.feed_data_id}
    body |= {"message_id": item["message_id"], "warnings": []}
    return Response(201 if outcome.status == "created" else 200, {}, to_json(body)), "http-feed-data-response"


def _batch(
    model: CloudState, device: Device, request: Request, value: Any, now: float
) -> tuple[Response, str]:
    """Each item is checked on its own: refused ones do not keep the others out."""
    found = contract.problems("http-feed-data-batch", value)
    if found:
        model.violation(now, request, "breaks http-feed-data-batch", details=found)
        raise Refusal(422, details=found)
    if len(value["items"]) > model.plan.max_batch:
        raise Refusal(413, details={"items": [f"at most {model.plan.max_batch} in one batch"]})
    results = [_result(item, _ingest(model, device, request, item, now)) for item in value["items"]]
    body = {"code": 2000, "status": "processed", "results": results}
    return Response(200, {}, to_json(body)), "http-feed-data-batch-response"


def _result(item: dict[str, Any], outcome: Outcome) -> dict[str, Any]:
    message_id = item.get("message_id")
    result = {"message_id": message_id if isinstance(message_id, str) else None, "status": outcome.status}
    if outcome.status in _REFUSALS:
        return result | {"error": Refusal(_REFUSALS[outcome.status], details=outcome.details).error()}
    return result | {"feed_data_id": outcome.feed_data_id}


def _ingest(model: CloudState, device: Device, request: Request, item: Any, now: float) -> Outcome:
    found = contract.problems("http-feed-data-item", item)
    if found:
        model.violation(now, request, "breaks http-feed-data-item", details=found)
        return rejected(model, device.key, found, now)
    role = "sensor" if "sensor_id" in item else "command"
    rest = {name: value for name, value in item.items() if name != f"{role}_id"}
    return ingest(model, device, role, item[f"{role}_id"], rest, now)
