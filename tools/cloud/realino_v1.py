"""The responses of Realino, the legacy generation: login with the catalog in its reply, polled values, feeds.

It has both forms of login, and errors as text under codes that need not match the HTTP status. It has no scopes, no
message ids and no times. What answers a feed is not documented; here it is the bare code.
"""

from __future__ import annotations

import base64
import json
import math
import time
from typing import Any

from tools.cloud import contract
from tools.cloud.entities import Command, Device, Sensor
from tools.cloud.ingest import ingest
from tools.cloud.iot_v1 import valid_token
from tools.cloud.messages import Refusal, Request, Response, to_json
from tools.cloud.oauth_server import known_client
from tools.cloud.state import CloudState

PREFIX = "/control_devices/"
_SCOPE = "realino"
_QUANTITIES = {"thermistor": ("temperature", "°C"), "ldr_sensor": ("illuminance", "lx")}


def answer(model: CloudState, request: Request, path: str, now: float) -> tuple[Response, str]:
    """Response and the name of the schema it must keep. Raises Refusal."""
    if not model.served.realino:
        raise Refusal(404)
    key, _, document = path.removeprefix(PREFIX).partition("/")
    if (key, document, request.method) == ("sessions.realino", "", "POST"):
        return _login(model, request, now), "realino-login-response"
    verbs = {("commands.realino", "GET"): _commands, ("feeds.realino", "PUT"): _feeds}
    if (document, request.method) not in verbs:
        model.violation(now, request, "unknown path")
        raise Refusal(404)
    token = valid_token(model, request, "Token", now)
    device = model.devices.get(key)
    if device is None:
        raise Refusal(404)
    if token.scope != _SCOPE or token.device != key:
        raise Refusal(403, "the token belongs to another device")
    if not device.subscription:
        raise Refusal(402)
    model.pace(key, now)
    body = verbs[document, request.method](model, device, request, now)
    return Response(
        200, {}, to_json({**body, "code": 2000})
    ), f"realino-{document.partition('.')[0]}-response"


def refused(refusal: Refusal, headers: dict[str, str]) -> Response:
    """The error as text; an inactive subscription comes under HTTP 403, as the documentation warns."""
    status = 403 if refusal.status == 402 else refusal.status
    body = {"code": refusal.code, "error": refusal.message, "details": refusal.details}
    return Response(status, headers, to_json(body))


# Login


def _login(model: CloudState, request: Request, now: float) -> Response:
    form, client_id, secret = _keys(model, request, now)
    if form not in model.served.realino:
        blank = "can't be blank"
        text = "Fix fields with errors: client id and client secret."
        raise Refusal(422, text, {"client_id": blank, "client_secret": blank})
    device = known_client(model, client_id, secret, now)
    if device is None or not isinstance(device.id, int):
        raise Refusal(401, "Invalid client id / client secret combination.")
    model.pace(device.key, now)
    token = model.issue_token(device, _SCOPE, now)
    body = {
        "id": device.id,
        "access_token": token,
        "token_type": "Bearer",
        "refresh_token": model.new_token(),
    }
    if form == "basic":
        body |= {
            "code": 2000,
            "access_token_expires_in": model.plan.token_s,
            "model_keyword": "realino_xp_dev",
        }
        body |= {
            "model_api_v": "2025-02-04",
            "plan_requests_period_interval": math.ceil(model.plan.min_interval_s),
            "plan_requests_data_transfer": model.plan.max_body_bytes // 1000,
            "subscription_status": "active" if device.subscription else "expired",
            "subscription_license_type": "cd_developer_license",
        }
    else:
        body |= {"expires_in": model.plan.token_s, "model_keyword": "realino_xp_dev_trl1_6_v1"}
    for role in ("command", "sensor"):
        body[role + "s"] = [_row(item) for item in device.sources(role)]
    return Response(200, {}, to_json(body))


def _keys(model: CloudState, request: Request, now: float) -> tuple[str, str, str]:
    """The form of the login, and the keys that came in it."""
    if request.headers.get("content-type") != "application/json":
        model.violation(now, request, "a login is application/json")
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    try:
        if scheme.lower() == "basic":
            if request.body:
                model.violation(now, request, "keys in the header need no body")
            client_id, _, secret = base64.b64decode(text, validate=True).decode().partition(":")
            return "basic", client_id, secret
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    found = contract.problems("realino-login-request", body)
    if found:
        model.violation(now, request, "breaks realino-login-request", details=found)
        raise Refusal(400)
    return "body", str(body["client_id"]), body["client_secret"]


def _row(item: Command | Sensor) -> dict[str, Any]:
    if item.error is not None:
        return {"id": item.id, "error": item.error}
    place = {"id": item.id, "kind": item.kind, "pin_port": item.pin_port}
    if isinstance(item, Sensor):
        pqc, mu = _QUANTITIES.get(item.kind, (item.qc, item.mu))
        return place | {"pqc": pqc, "mu": mu} | item.extra
    low, high, step = item.limits or (0, 1, 1)
    return {
        **place,
        "value_type": _value_type(item),
        "value_type_range_min": f"{low:.1f}",
        "value_type_range_max": f"{high:.1f}",
        "value_type_range_step": f"{step:.1f}",
        "value_type_mu": "°C" if item.limits else None,
        "value_type_pqc": "Temperature" if item.limits else None,
        **item.extra,
    }


def _value_type(command: Command) -> str:
    return "customary" if command.limits else "binary"


# Work


def _commands(model: CloudState, device: Device, request: Request, now: float) -> dict[str, Any]:
    model.event(now, "catalog_read", device.key, resource="commands", count=len(device.commands))
    return {"commands": [_command(item) for item in device.commands]}


def _command(item: Command) -> dict[str, Any]:
    if item.error is not None:
        return {"id": item.id, "error": item.error}
    try:
        value: float | str = float(item.value)
    except ValueError:
        value = item.value
    place = {"id": item.id, "kind": item.kind, "pin_port": item.pin_port}
    return place | {"value": value, "value_type": _value_type(item)}


def _feeds(model: CloudState, device: Device, request: Request, now: float) -> dict[str, Any]:
    """All of it or nothing."""
    if len(request.body) > model.plan.max_body_bytes:
        raise Refusal(413)
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        body = None
    found = contract.problems("realino-feeds-request", body)
    if found or request.headers.get("content-type") != "application/json":
        model.violation(now, request, "breaks realino-feeds-request", details=found)
        raise Refusal(400)
    reported = []
    for role in ("command", "sensor"):
        for item in body.get(role + "s", []):
            source = device.source(role, item[role + "_id"])
            if source is None or source.error is not None:
                raise Refusal(422, f"Fix fields with errors: {role} id.", {f"{role}_id": "is invalid"})
            reported.append((role, source.id, item["value"]))
    if len({place[:2] for place in reported}) < len(reported):
        model.violation(now, request, "a feed names a source twice")
    observed = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(now))
    for role, source_id, value in reported:
        facts = {"value": value, "value_received_at": observed, "message_id": model.new_request_id()}
        ingest(model, device, role, source_id, facts, now, via="realino")
    return {}
