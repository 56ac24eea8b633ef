"""A well-behaved device as plain calls on the simulated cloud's model: what tests of the cloud itself talk with."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET
from tools.cloud.model import Model, Request, Response

FORM = "application/x-www-form-urlencoded"


def basic(client_id: str = CLIENT_ID, secret: str = CLIENT_SECRET) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def reading(message_id: str = "b1-1", value: str = "21.4", **changes: Any) -> dict[str, Any]:
    """A reading of sensor 1; a change to None removes the field."""
    item = {
        "sensor_id": 1,
        "value": value,
        "value_received_at": "2026-04-24T10:15:00Z",
        "message_id": message_id,
    }
    return {name: value for name, value in (item | changes).items() if value is not None}


class Client:
    """Keeps a token and the time. Each verb returns the Response."""

    def __init__(self, model: Model, now: float = 1_800_000_000.0, device: int = 12345) -> None:
        self.model, self.now, self.device = model, now, device
        self.token = ""

    def login(self, scope: str | None = None) -> Response:
        form = {"grant_type": "client_credentials"} | ({"scope": scope} if scope else {})
        response = self.oauth("token", form)
        if response.status == 200:
            self.token = response.json()["access_token"]
        return response

    def oauth(self, verb: str, form: dict[str, str], auth: str | None = None, kind: str = FORM) -> Response:
        headers = {"authorization": basic() if auth is None else auth, "content-type": kind}
        return self.send(Request("POST", f"/oauth/{verb}", headers, urlencode(form).encode()))

    def get(self, tail: str, headers: Mapping[str, str] | None = None) -> Response:
        authorized = {"authorization": f"Bearer {self.token}", **(headers or {})}
        return self.send(Request("GET", self.path(tail), authorized))

    def post(self, value: Any, tail: str = "feed-data", kind: str = "application/json") -> Response:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = {"authorization": f"Bearer {self.token}", "content-type": kind}
        return self.send(Request("POST", self.path(tail), headers, body))

    def batch(self, *items: Any) -> Response:
        return self.post({"items": items}, "feed-data/batches")

    def send(self, request: Request) -> Response:
        return self.model.handle(request, self.now)

    def path(self, tail: str) -> str:
        return f"/iot/v1/devices/{self.device}/{tail}"
