"""The messages of the simulated cloud: one request, one response, and the registry of error codes.

The model, the fault planner and every server share them. A `Date` header is computed from a moment that the caller
passes in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

# HTTP status -> (numeric code, error.type, message). docs/protocol.md, Response codes.
REGISTRY: dict[int, tuple[int, str, str]] = {
    400: (4000, "bad_request", "the request is malformed"),
    401: (4001, "unauthorized", "the access token is missing, unknown, expired or revoked"),
    402: (4002, "payment_required", "the subscription of this device is not active"),
    403: (4003, "forbidden", "the device may not do this"),
    404: (4004, "not_found", "there is no such resource"),
    409: (4009, "conflict", "message_id was already used for another payload"),
    413: (4013, "payload_too_large", "the body is over the plan's byte budget"),
    415: (4015, "unsupported_media_type", "the body must be application/json"),
    422: (4022, "validation_failed", "feed data ingestion failed"),
    429: (4029, "rate_limited", "requests come faster than the plan allows"),
    503: (5003, "service_unavailable", "a service that this request needs is down for now"),
}

# OAuth errors carry RFC 6749 names (section 5.2 there) instead of numeric codes.
OAUTH_ERRORS: dict[int, tuple[str, str]] = {
    400: ("invalid_request", "The request is malformed."),
    401: ("invalid_client", "Invalid client authentication."),
    429: ("temporarily_unavailable", "Too many token requests."),
    503: ("temporarily_unavailable", "The authorization server is down for now."),
}

# Realino's documents, by the endpoint of iot/v1 that does the same.
REALINO = {"sessions.realino": "token", "commands.realino": "commands", "feeds.realino": "feed-data"}

REASONS: dict[int, str] = {
    100: "Continue", 103: "Early Hints", 200: "OK", 201: "Created", 301: "Moved Permanently", 302: "Found",
    304: "Not Modified", 307: "Temporary Redirect", 308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized",
    402: "Payment Required", 403: "Forbidden", 404: "Not Found", 409: "Conflict", 413: "Content Too Large",
    415: "Unsupported Media Type", 422: "Unprocessable Content", 429: "Too Many Requests",
    500: "Internal Server Error", 502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One complete HTTP request. `headers` has lower-case names; `path` may carry a query string."""

    method: str
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Response:
    """One complete HTTP answer. `headers` leaves out the framing (length, chunking, connection)."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    def json(self) -> Any:
        return json.loads(self.body)


class Passed(NamedTuple):
    """One message as it went over the wire, for whoever watches. It holds secrets as they were sent.

    `at`: unix seconds; `via`: "https" or "mqtt"; `up`: whether a device sent it; `what`: method and path, or the topic;
    `status`: of a response, 0 where there is none.
    """

    at: float
    via: str
    up: bool
    what: str
    status: int
    body: bytes


class Refusal(Exception):
    """A request that is answered with an error of the registry.

    `message` defaults to the registry's words; `details` is field -> list of sentences, with Realino field -> sentence.
    """

    def __init__(self, status: int, message: str = "", details: Mapping[str, object] | None = None) -> None:
        super().__init__(status, message)
        self.status = status
        self.code, self.type, default_message = REGISTRY[status]
        self.message = message or default_message
        self.details = details or {}

    def error(self) -> dict[str, Any]:
        """The `error` object, the same in a response and in one result of a batch."""
        return {"type": self.type, "message": self.message, "details": self.details}


class OAuthRefusal(Exception):
    """A refused OAuth request: three fields of its own, no numeric code."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(status, error)
        self.status, self.error, self.description = status, error, description


def to_json(value: Any) -> bytes:
    """Compact UTF-8. Half of a surrogate pair, which only a hostile request echoes, stays an escape."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode("utf-8", "backslashreplace")


def endpoint_of(path: str) -> str:
    """Short name of the endpoint behind a path: token, revoke, commands, ..., mqtt-credentials, or "other". Realino's
    go by the names of what does the same in iot/v1."""
    parts = path.split("?", maxsplit=1)[0].strip("/").split("/")
    if parts[0] == "control_devices":
        return REALINO.get(parts[-1], "other")
    if parts[0] == "oauth":
        return parts[1] if len(parts) == 2 and parts[1] in ("token", "revoke") else "other"
    if parts == ["iot", "v1", "mqtt-credentials"]:
        return parts[2]
    if parts[:3] != ["iot", "v1", "devices"]:
        return "other"
    if parts[4:] == ["feed-data", "batches"]:
        return "batches"
    return parts[4] if len(parts) > 4 else "other"
