"""The simulated Realino: what the documentation shows, and what a device must not get away with."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests_host.support.cloudclient import basic
from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET, demo_device
from tools.cloud.faults import Faults, answer
from tools.cloud.model import Model, Plan, Request, Response

VECTORS = Path(__file__).parents[1] / "vectors" / "realino"
JSON = {"content-type": "application/json"}
KEYS = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Device:
    def __init__(self, *forms: str, plan: Plan | None = None) -> None:
        self.model = Model(plan=plan, seed=1)
        self.model.add_device(demo_device())
        if forms:
            self.model.served.realino = forms
        self.token, self.now = "", 1_800_000_000.0

    def login(self, keys: dict | None = None, **headers: str) -> Response:
        body = json.dumps(keys).encode() if keys else b""
        headers = JSON | (headers or ({} if keys else {"authorization": basic()}))
        response = self.send("POST", "sessions.realino", headers, body)
        self.token = response.json().get("access_token", "")
        return response

    def get(self, path: str = "12345/commands.realino", kind: str = "Token") -> Response:
        return self.send("GET", path, {"authorization": f"{kind} {self.token}"})

    def put(self, value: Any, **headers: str) -> Response:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        headers = JSON | {"authorization": f"Token {self.token}"} | headers
        return self.send("PUT", "12345/feeds.realino", headers, body)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes = b"") -> Response:
        return self.model.handle(Request(method, "/control_devices/" + path, headers, body), self.now)


def outcome(response: Response) -> tuple[int, int]:
    body = response.json()
    assert isinstance(body["error"], str) and all(isinstance(text, str) for text in body["details"].values())
    return response.status, body["code"]


def test_a_login_has_the_documented_fields_and_no_others():
    device = Device(plan=Plan(min_interval_s=4.2))
    shown = json.loads((VECTORS / "login-200.json").read_text())
    body = device.login().json()
    assert set(body) == set(shown)
    for resource in ("commands", "sensors"):
        for mine, theirs in zip(body[resource], shown[resource], strict=True):
            assert set(mine) == set(theirs)
            for name in set(mine) - {"id"}:
                assert mine[name] == theirs[name], name
    assert body["plan_requests_period_interval"] == 5 and body["plan_requests_data_transfer"] == 5


def test_refusals():
    device = Device("basic", "body")
    assert outcome(device.login(KEYS | {"client_secret": "wrong"})) == (401, 4001)
    assert outcome(device.login(authorization=basic(secret="wrong"))) == (401, 4001)
    assert device.model.violations == []
    device.login()
    assert outcome(device.get("99/commands.realino")) == (404, 4004)
    device.model.set_subscription(12345, False)
    assert outcome(device.get()) == (403, 4002), "the status is not the code's"
    assert device.login().json()["subscription_status"] == "expired"
    device.model.set_subscription(12345, True)
    device.now += 3600
    assert outcome(device.get()) == (401, 4001)
    device.model.served.realino = ()
    assert outcome(device.login(KEYS)) == (404, 4004)


def test_the_plan_counts_every_request():
    device = Device(plan=Plan(min_interval_s=5, max_body_bytes=50))
    device.login()
    assert outcome(device.get()) == (429, 4029)
    device.now += 5
    assert device.get().status == 200
    device.now += 5
    assert outcome(device.put({"sensors": [{"sensor_id": "1", "value": "1" * 40}]})) == (413, 4013)


def test_a_feed_is_stored_as_a_whole_or_not_at_all():
    device = Device()
    device.login()
    good = {"sensor_id": "1", "value": "18.49"}
    bad = {"sensor_id": "7", "value": "1.0"}
    assert outcome(device.put({"sensors": [good, bad]})) == (422, 4022)
    assert device.model.feed(12345) == []
    assert device.put(json.loads((VECTORS / "feeds.json").read_text())).json() == {"code": 2000}
    assert device.model.reported(12345, "6") == "0"
    assert [item["value"] for item in device.model.feed(12345)] == ["0", "18.49"]
    assert device.model.violations == []


@pytest.mark.parametrize(
    "feed",
    [
        b"",
        b"[",
        [],
        {},
        {"sensors": []},
        {"sensors": [{"sensor_id": 1, "value": "1"}]},
        {"sensors": [{"sensor_id": "1", "value": 1}]},
        {"commands": [{"command_id": "1", "value": "1", "message_id": "x"}]},
        {"sensors": [{"sensor_id": "1", "value": "1"}, {"sensor_id": "1", "value": "2"}]},
    ],
    ids=str,
)
def test_a_feed_that_breaks_the_contract_is_a_violation(feed):
    device = Device()
    device.login()
    device.put(feed)
    assert len(device.model.violations) == 1


def test_tokens_of_one_generation_are_refused_by_the_other():
    device = Device()
    device.login()
    bearer = {"authorization": f"Bearer {device.token}"}
    response = device.model.handle(Request("GET", "/iot/v1/devices/12345/commands", bearer), device.now)
    assert response.status == 403
    assert device.get(kind="Bearer").status == 401 and len(device.model.violations) == 1


def test_faults_use_the_errors_of_this_generation():
    device, faults = Device(), Faults()
    for name, path in (
        ("token", "sessions.realino"),
        ("commands", "1/commands.realino"),
        ("feed-data", "1/feeds.realino"),
    ):
        faults.add(f"{name} status=403 code=4002 times=1")
        steps = answer(device.model, faults, Request("GET", "/control_devices/" + path), device.now)
        head, _, body = steps[0][1].partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 ")
        assert json.loads(body) | {"error": ""} == {"code": 4002, "error": "", "details": {}}
