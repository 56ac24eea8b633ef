"""The HTTPS responses that lead to MQTT: the MQTT catalog and the credentials, and the topics that credentials may use.

It has the topic names, and which scope opens which. What happens at the broker afterwards is in `mqtt_feed.py`.
"""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

from tools.cloud import contract
from tools.cloud.entities import MQTT_SCOPES, Credential, Device, Token
from tools.cloud.messages import Refusal, Request, Response, to_json
from tools.cloud.request_body import json_body
from tools.cloud.sessions import mqtt_client_id
from tools.cloud.state import CloudState

CONNECT, READ_ACKS, WRITE_FEED = MQTT_SCOPES
READ_DESIRED = "iot:mqtt:desired:read"
_ENDPOINT = "/iot/v1/mqtt-credentials"
_NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
_ROOT = "realer/iot/v1/devices/"


class Topics(NamedTuple):
    """What a credential may publish to and subscribe to: whole topics, no wildcards."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def acks_topic(client_id: str) -> str:
    return f"{_ROOT}{client_id}/acks"


def route_topic(client_id: str, route: str, tail: str) -> str:
    """`tail`: "feed-data" or "desired"."""
    return f"{_ROOT}{client_id}/routes/{route}/{tail}"


def parse_feed_topic(topic: str) -> tuple[str, str] | None:
    """(client id, route) of a feed-data topic, None for any other."""
    parts = topic.removeprefix(_ROOT).split("/")
    known = topic.startswith(_ROOT) and len(parts) == 4 and (parts[1], parts[3]) == ("routes", "feed-data")
    return (parts[0], parts[2]) if known else None


def route_id(device: str, role: str, source: int | str) -> str:
    """The route of a source: always the same one, and nothing to be guessed from."""
    return "rte_" + hashlib.sha256(f"{device}/{role}/{source}".encode()).hexdigest()[:26]


def routes(model: CloudState, device: Device) -> list[tuple[str, str, int | str]]:
    """(role, route, id of the source) for everything in the catalog that can be represented."""
    found = []
    for role in ("sensor", "command"):
        for item in device.sources(role):
            if item.error is None:
                route = route_id(device.key, role, item.id)
                model.routes[route] = device, role, item.id
                found.append((role, route, item.id))
    return found


def topics(model: CloudState, credential: Credential) -> Topics:
    """What the scopes stored on a credential open, as of now."""
    client_id, scopes = credential.client_id, credential.scopes
    found = routes(model, model.devices[credential.device])
    publish = [route_topic(client_id, route, "feed-data") for _, route, _ in found if WRITE_FEED in scopes]
    subscribe = [acks_topic(client_id)] if READ_ACKS in scopes else []
    if READ_DESIRED in scopes:
        subscribe += [
            route_topic(client_id, route, "desired") for role, route, _ in found if role == "command"
        ]
    return Topics(tuple(publish), tuple(subscribe))


def catalog(model: CloudState, device: Device, now: float) -> tuple[Response, str]:
    """The catalog of a device that may read it. Raises Refusal where this cloud has no MQTT."""
    offer = model.offer
    if not offer.url:
        raise Refusal(404)
    client_id = mqtt_client_id(device.client_id)
    mqtt = {"broker_url": offer.url, "protocol": offer.protocol, "client_id": client_id, "qos": 1}
    mqtt |= {"retain_policy": "disabled", "feed_data_ack_topic": acks_topic(client_id)}
    mqtt |= {"feed_data_ack_subscribe_scope": READ_ACKS}
    if offer.credentials:
        body = {"device_id": device.id, "scopes": list(MQTT_SCOPES)}
        mqtt["credential_endpoint"] = {"endpoint": _ENDPOINT, "http_method": "POST", "body": body}
    mqtt["limits"] = {"max_payload_bytes": model.plan.max_body_bytes}
    found = routes(model, device)
    model.event(now, "catalog_read", device.key, resource="mqtt routes", count=len(found))
    rows = [_route(client_id, offer.id_field, *item) for item in found]
    return Response(
        200, {}, to_json({"code": 2000, "mqtt": mqtt, "mqtt_routes": rows})
    ), "mqtt-catalog-response"


def _route(client_id: str, id_field: str, role: str, route: str, source: int | str) -> dict[str, Any]:
    name = f"{role}_id" if id_field == "role_id" else id_field
    mqtt = {
        "feed_data_topic": route_topic(client_id, route, "feed-data"),
        "feed_data_publish_scope": WRITE_FEED,
    }
    if role == "command":
        mqtt |= {
            "desired_topic": route_topic(client_id, route, "desired"),
            "desired_subscribe_scope": READ_DESIRED,
        }
    return {"source_type": role} | ({name: source} if name else {}) | {"mqtt": mqtt}


def requested_device(model: CloudState, request: Request, now: float) -> tuple[str, dict[str, Any]]:
    """Key of the device that a credential request is about, and the body. Raises Refusal."""
    if not (model.offer.url and model.offer.credentials):
        raise Refusal(404)
    body = json_body(model, request, now)
    found = contract.problems("mqtt-credential-request", body)
    if found:
        model.violation(now, request, "breaks mqtt-credential-request", details=found)
        raise Refusal(422, "the credential request is not valid", found)
    return str(body["device_id"]), body


def credential(
    model: CloudState, device: Device, token: Token, request: Request, body: dict[str, Any], now: float
) -> tuple[Response, str]:
    """Issue credentials to a device that this token may speak for. Raises Refusal."""
    scopes = tuple(body.get("scopes", MQTT_SCOPES))
    wrong = {}
    if body["device_id"] != device.id:
        wrong["device_id"] = ["is not what the MQTT catalog says"]
    if CONNECT not in scopes:
        wrong["scopes"] = [f"{CONNECT} is required"]
    if wrong:
        model.violation(now, request, "breaks mqtt-credential-request", details=wrong)
        raise Refusal(422, "the credential request is not valid", wrong)
    missing = [scope for scope in scopes if scope not in token.scope.split(" ")]
    if missing or not all(scope.startswith("iot:mqtt:") for scope in scopes):
        raise Refusal(403, "the token lacks a scope", {"scopes": [f"{name} is needed" for name in missing]})
    issued, secret = model.issue_credential(device, scopes, token.text, now)
    mqtt = {
        "mqtt_client_id": issued.client_id, "mqtt_username": issued.username, "mqtt_credential": secret,
        "scopes": list(scopes), "expires_in": model.plan.credential_s,
        "renew_after": model.plan.credential_renew_s, "session_hard_expires_in": model.plan.session_s,
    }  # fmt: skip
    return Response(201, _NO_STORE, to_json({"code": 2000, "mqtt": mqtt})), "mqtt-credential-response"
