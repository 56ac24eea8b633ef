"""The responses of the OAuth endpoints: /oauth/token and /oauth/revoke.

They grant client credentials as the Realer API documents them (RFC 6749 4.4 and 5.2, RFC 7009), and refuse every other
grant, JSON bodies, and credentials anywhere but in the Basic header.
"""

from __future__ import annotations

import base64
from typing import Any
from urllib.parse import parse_qsl, unquote_plus

from tools.cloud import contract
from tools.cloud.entities import ALL_SCOPES, DEFAULT_SCOPES, DESIRED_SCOPE, Device
from tools.cloud.messages import OAuthRefusal, Refusal, Request, Response, to_json
from tools.cloud.state import CloudState

_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}


def answer(model: CloudState, request: Request, path: str, now: float) -> tuple[Response, str]:
    """Response and the name of the schema it must keep. Raises OAuthRefusal."""
    verbs = {"/oauth/token": (_token, "oauth-token"), "/oauth/revoke": (_revoke, "oauth-revoke")}
    if path not in verbs or request.method != "POST":
        model.violation(now, request, "no such OAuth endpoint")
        raise Refusal(404)
    verb, name = verbs[path]
    device = _client(model, request, now)
    form = _form(model, request, name + "-request", now)
    return Response(200, _NO_STORE, to_json(verb(model, device, form, now))), name + "-response"


def refused(refusal: OAuthRefusal, request_id: str) -> Response:
    body = {"error": refusal.error, "error_description": refusal.description, "request_id": request_id}
    headers = dict(_NO_STORE)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Basic realm="Realer"'
    return Response(refusal.status, headers, to_json(body))


def _client(model: CloudState, request: Request, now: float) -> Device:
    """The device whose keys are in the Basic header."""
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    try:
        client_id, colon, secret = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:  # neither base64 nor UTF-8
        client_id = colon = secret = ""
    if scheme.lower() != "basic" or not colon:
        model.violation(now, request, "OAuth endpoints need a Basic header with client_id:client_secret")
        raise OAuthRefusal(401, "invalid_client", "Invalid client authentication.")
    if model.served.form_keys:
        client_id, secret = unquote_plus(client_id), unquote_plus(secret)
    device = known_client(model, client_id, secret, now)
    if device is None:
        raise OAuthRefusal(401, "invalid_client", "Invalid client authentication.")
    return device


def known_client(model: CloudState, client_id: str, secret: str, now: float) -> Device | None:
    """The device with these keys, None when there is none or they do not fit."""
    device = model.clients.get(client_id)
    if device is None or not device.keys or device.client_secret != secret:
        model.event(now, "token_refused", device and device.key, error="invalid_client")
        return None
    return device


def _form(model: CloudState, request: Request, schema: str, now: float) -> dict[str, str]:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        model.violation(now, request, "OAuth bodies are form-encoded")
        raise OAuthRefusal(400, "invalid_request", "The body must be application/x-www-form-urlencoded")
    pairs = parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True)
    form = dict(pairs)
    found = contract.problems(schema, form)
    if len(form) != len(pairs):
        found["base"] = ["a parameter is given twice"]
    if found:
        model.violation(now, request, f"breaks {schema}", details=found)
        field, sentences = next(iter(found.items()))
        text = f"{field} is required" if "can't be blank" in sentences else f"{field} {sentences[0]}"
        raise OAuthRefusal(400, "invalid_request", text)
    return form


def _token(model: CloudState, device: Device, form: dict[str, str], now: float) -> dict[str, Any]:
    if form["grant_type"] != "client_credentials":
        raise _refuse(model, device, now, "unsupported_grant_type", "grant_type must be client_credentials")
    later = () if model.served.bootstrap else (DESIRED_SCOPE,)  # what this generation does not know
    default = [*DEFAULT_SCOPES, DESIRED_SCOPE] if not later else list(DEFAULT_SCOPES)
    asked = form["scope"].split(" ") if "scope" in form else default
    granted = [scope for scope in asked if scope in device.scopes]
    if not granted or any(scope not in ALL_SCOPES or scope in later for scope in asked):
        raise _refuse(model, device, now, "invalid_scope", "The requested scope is unknown or not allowed.")
    scope = " ".join(dict.fromkeys(granted))
    token = model.issue_token(device, scope, now)
    life = {"expires_in": model.plan.token_s, "renew_after": model.plan.renew_s}
    return {"access_token": token, "token_type": "Bearer", **life, "scope": scope}


def _refuse(model: CloudState, device: Device, now: float, error: str, text: str) -> OAuthRefusal:
    model.event(now, "token_refused", device.key, error=error)
    return OAuthRefusal(400, error, text)


def _revoke(model: CloudState, device: Device, form: dict[str, str], now: float) -> dict[str, Any]:
    """Always succeeds: whether the token ever existed is nobody's business."""
    count = model.revoke(device, now, form["token"])
    model.event(now, "revoked", device.key, count=count, by="device")
    model.end_credentials(now, "revoked", device=device.key, token=form["token"])
    return {}
