"""The words of iot/v1 in the generation with integer ids: catalogs whose values are the desired state, feed data.

Owns the order in which a request is judged: token, device, subscription, cadence, scope, then the endpoint itself.
Refuses later words (bootstrap, desired-states, MQTT): those answer 404, as for a device that does not have them.
Source: Realer API, sections "Device catalog", "HTTPS runtime", "Response codes".
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tools.cloud import contract
from tools.cloud.messages import Refusal, Request, Response, to_json
from tools.cloud.nouns import Command, Sensor

if TYPE_CHECKING:
    from tools.cloud.model import Model

_LATER = ("bootstrap", "desired-states", "mqtt")
_SCOPES = {"commands": "iot:catalog:read", "sensors": "iot:catalog:read", "feed-data": "iot:feed-data:write"}
_FIELDS = {
    "command": ("id", "value", "value_type", "kind", "pin_port"),
    "sensor": ("id", "kind", "qc", "mu", "pin_port"),
}


def answer(model: Model, request: Request, path: str, now: float) -> tuple[Response, str]:
    """Response and the name of the schema it must keep. Raises Refusal."""
    token = _token(model, request, now)
    parts = path.split("/")[3:]
    key, noun, rest = (
        (parts[1], parts[2], parts[3:]) if parts[0] == "devices" and len(parts) > 2 else ("", "", [])
    )
    if noun not in _SCOPES:
        if noun not in _LATER:
            model.violation(now, request, "unknown path")
        raise Refusal(404)
    device = _device(model, key, token, now)
    if _SCOPES[noun] not in token["scope"].split(" "):
        raise Refusal(403, "the token lacks a scope", {"scope": [f"{_SCOPES[noun]} is needed"]})
    if noun != "feed-data" and request.method == "GET" and len(rest) < 2:
        return _catalog(model, device, noun[:-1], rest, now)
    if noun == "feed-data" and request.method == "POST" and rest in ([], ["batches"]):
        return _feed(model, device, request, bool(rest), now)
    model.violation(now, request, "this path has no such method")
    raise Refusal(404)


def _token(model: Model, request: Request, now: float) -> Any:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text:
        model.violation(now, request, "iot/v1 needs a Bearer token")
        raise Refusal(401)
    token = model.store.token(text)
    if token is None or token["revoked"] or now >= token["expires"]:
        reason = "unknown" if token is None else "revoked" if token["revoked"] else "expired"
        model.event(now, "unauthorized", token and token["device"], reason=reason)
        raise Refusal(401)
    return token


def _device(model: Model, key: str, token: Any, now: float) -> str:
    """The key of the addressed device, if this token may speak for it and its plan allows a request now."""
    device = model.store.device(key)
    if device is None:
        raise Refusal(404)
    if key != token["device"]:
        raise Refusal(403, "the token belongs to another device")
    if not device["subscription"]:
        raise Refusal(402)
    last = model.last_request.get(key)
    # A refused request does not move the mark: a hasty device gets through once its interval has passed.
    if last is not None and 0 <= now - last < model.plan.min_interval_s:
        model.event(
            now, "cadence_exceeded", key, after_s=round(now - last, 3), allowed_s=model.plan.min_interval_s
        )
        raise Refusal(429)
    model.last_request[key] = now
    return key


def _catalog(model: Model, device: str, role: str, rest: list[str], now: float) -> tuple[Response, str]:
    if rest:
        item = model.store.source(device, role, rest[0])
        if item is None:
            raise Refusal(404)
        items = [item]
    else:
        items = model.store.sources(device, role)
    model.event(now, "catalog_read", device, noun=role + "s", count=len(items))
    body = {"code": 2000, role + "s": [_row(role, item) for item in items]}
    return Response(200, {}, to_json(body)), f"http-{role}-catalog-response"


def _row(role: str, item: Command | Sensor) -> dict[str, Any]:
    if item.error is not None:
        return {"id": item.id, "error": item.error}
    return {field: getattr(item, field) for field in _FIELDS[role]} | item.extra


def _feed(model: Model, device: str, request: Request, batch: bool, now: float) -> tuple[Response, str]:
    if len(request.body) > model.plan.max_body_bytes:
        raise Refusal(413)
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/json":
        model.violation(now, request, "feed data is application/json")
        raise Refusal(415)
    try:
        value = json.loads(request.body)
    except ValueError:
        model.violation(now, request, "the body is not JSON")
        raise Refusal(400) from None
    if batch:
        return _batch(model, device, request, value, now)
    status, feed_data_id = _store_item(model, device, request, value, now)
    body = {"code": 2000, "status": status, "feed_data_id": feed_data_id}
    body |= {"message_id": value["message_id"], "warnings": []}
    return Response(201 if status == "created" else 200, {}, to_json(body)), "http-feed-data-response"


def _batch(model: Model, device: str, request: Request, value: Any, now: float) -> tuple[Response, str]:
    found = contract.problems("http-feed-data-batch", value)
    if found:
        model.violation(now, request, "breaks http-feed-data-batch", details=found)
        raise Refusal(422, details=found)
    if len(value["items"]) > model.plan.max_batch:
        raise Refusal(413, details={"items": [f"at most {model.plan.max_batch} in one batch"]})
    results = [_result(model, device, request, item, now) for item in value["items"]]
    body = {"code": 2000, "status": "processed", "results": results}
    return Response(200, {}, to_json(body)), "http-feed-data-batch-response"


def _result(model: Model, device: str, request: Request, item: dict[str, Any], now: float) -> dict[str, Any]:
    """One item of a batch: refused items do not keep the others out."""
    message_id = item.get("message_id")
    result: dict[str, Any] = {"message_id": message_id if isinstance(message_id, str) else None}
    try:
        result["status"], result["feed_data_id"] = _store_item(model, device, request, item, now)
    except Refusal as refusal:
        result["status"] = "conflict" if refusal.status == 409 else "rejected"
        result["error"] = refusal.error()
    return result


def _store_item(model: Model, device: str, request: Request, item: Any, now: float) -> tuple[str, int]:
    """Judge and keep one item; returns ("created" | "idempotent", feed_data_id). Raises Refusal 409 or 422."""
    found = contract.problems("http-feed-data-item", item)
    if found:
        model.violation(now, request, "breaks http-feed-data-item", details=found)
        raise _rejected(model, device, found, now)
    role = "sensor" if "sensor_id" in item else "command"
    key = item[role + "_id"]
    source = model.store.source(device, role, str(key))
    payload = json.dumps(item, sort_keys=True)
    facts = {role + "_id": key, "message_id": item["message_id"], "value": item["value"]}
    # A replay is recognised before the catalog is asked: the source may have vanished since the first delivery.
    earlier = model.store.find_feed(device, role, key, item["message_id"])
    if earlier is not None:
        same = earlier["payload"] == payload
        model.event(now, "feed_replayed" if same else "feed_conflict", device, **facts)
        if not same:
            raise Refusal(409, details={"message_id": ["has already been used for another payload"]})
        return "idempotent", earlier["feed_data_id"]
    if source is None or source.error is not None:
        raise _rejected(model, device, {role + "_id": ["is invalid for this device"]}, now)
    wish = item.get("desired_id")
    if wish is not None and not model.store.has_desired(device, str(key), _number(wish)):
        raise _rejected(model, device, {"desired_id": ["is invalid for this command"]}, now)
    number = model.store.add_feed(device, role, key, item["message_id"], payload, now)
    model.store.set_reported(device, role, str(key), item["value"], item["value_received_at"])
    model.event(
        now, "feed_stored", device, feed_data_id=number, received_at=item["value_received_at"], **facts
    )
    if isinstance(source, Command) and source.adopt and wish is None and source.value != item["value"]:
        model.desire(device, source, item["value"], "device", now)
    return "created", number


def _rejected(model: Model, device: str, details: dict[str, list[str]], now: float) -> Refusal:
    model.event(now, "feed_rejected", device, details=details)
    return Refusal(422, details=details)


def _number(desired_id: str) -> int:
    """The number inside a desired_id of ours; -1 (nobody's) for a well-formed id from elsewhere."""
    text = desired_id.removeprefix("des_")
    return int(text) if text.isascii() and text.isdigit() and len(text.lstrip("0")) <= 18 else -1
