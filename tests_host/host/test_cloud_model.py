"""The simulated cloud's model: every row of the response table, the owner's side, and what a restart must remember."""

import json

import pytest

from tests_host.support.cloudclient import Client, basic, reading
from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET, demo_device
from tools.cloud.model import Command, Device, Model, Plan, Request, Sensor


def online(plan: Plan | None = None, scope: str | None = None) -> Client:
    model = Model(plan, seed=1)
    model.add_device(demo_device())
    client = Client(model)
    assert client.login(scope).status == 200
    return client


def outcome(response) -> tuple:
    body = response.json()
    return response.status, body["code"], body["error"]["type"]


def test_a_token_names_its_life_and_the_granted_scopes():
    client = online()
    body = client.login().json()
    assert body["token_type"] == "Bearer"
    assert (body["expires_in"], body["renew_after"]) == (3600, 2700)
    assert body["scope"] == "iot:catalog:read iot:feed-data:write"


def test_catalogs_have_the_documented_fields_and_no_others():
    client = online()
    commands, sensors = client.get("commands").json(), client.get("sensors").json()
    assert commands["code"] == sensors["code"] == 2000
    assert commands["commands"][0] == {
        "id": 1, "value": "0.0", "value_type": "NumericRange", "kind": "relay", "pin_port": "6",
    }  # fmt: skip
    assert sensors["sensors"][1] == {
        "id": 2, "kind": "ldr_sensor", "qc": "illuminance", "mu": "lux:0", "pin_port": "15",
    }  # fmt: skip


def test_a_catalog_that_is_what_it_was_is_not_sent_again_where_there_are_etags():
    client = online()
    assert "ETag" not in client.get("commands").headers
    client.model.served.etags = True
    first = client.get("commands")
    tag = first.headers["ETag"]
    same = client.get("commands", {"if-none-match": tag})
    assert (same.status, same.body, same.headers["ETag"]) == (304, b"", tag)
    assert "Content-Type" not in same.headers
    client.model.set_desired(client.device, "6", 1, client.now)
    changed = client.get("commands", {"if-none-match": tag})
    assert changed.status == 200 and changed.headers["ETag"] != tag
    assert changed.json()["commands"][0]["value"] == "1.0"


# The response table, row by row.


def test_400_for_a_body_that_is_not_json():
    client = online()
    assert outcome(client.post(b'{"sensor_id":')) == (400, 4000, "bad_request")
    assert len(client.model.violations) == 1


@pytest.mark.parametrize(
    "end", ["never issued", "expired", "revoked by the owner", "revoked by the device", "aged"]
)
def test_401_for_a_token_that_is_good_for_nothing(end):
    client = online()
    if end == "never issued":
        client.token = "0" * 30
    elif end == "expired":
        assert client.model.expire_tokens(12345) == 1
    elif end == "revoked by the owner":
        assert client.model.revoke_tokens(12345) == 1
    elif end == "revoked by the device":
        client.oauth("revoke", {"token": client.token})
    else:
        client.now += 3600
    assert outcome(client.get("commands")) == (401, 4001, "unauthorized")
    assert client.login().status == 200
    assert client.get("commands").status == 200
    assert client.model.violations == []


def test_renewal_leaves_the_older_token_alone():
    client = online()
    older = client.token
    client.login()
    assert client.token != older
    client.token = older
    assert client.get("commands").status == 200


def test_403_for_another_device():
    client = online()
    client.model.add_device(Device(777, "cdv_00000000000000000000000777", "test-other-not-real"))
    client.device = 777
    assert outcome(client.get("commands")) == (403, 4003, "forbidden")


@pytest.mark.parametrize(
    ("scope", "works", "fails"),
    [("iot:catalog:read", "commands", "feed-data"), ("iot:feed-data:write", "feed-data", "sensors")],
)
def test_403_without_the_scope(scope, works, fails):
    client = online(scope=scope)

    def ask(resource):
        return client.post(reading()) if resource == "feed-data" else client.get(resource)

    assert ask(works).status in (200, 201)
    assert outcome(ask(fails)) == (403, 4003, "forbidden")


def test_404_for_an_unknown_device_command_or_sensor():
    client = online()
    assert outcome(client.get("commands/99")) == (404, 4004, "not_found")
    assert outcome(client.get("sensors/99")) == (404, 4004, "not_found")
    client.device = 99
    assert outcome(client.get("commands")) == (404, 4004, "not_found")
    assert client.model.violations == []


def test_404_but_no_violation_for_endpoints_of_newer_generations():
    client = online()
    for tail in ("bootstrap", "desired-states", "mqtt"):
        assert outcome(client.get(tail)) == (404, 4004, "not_found")
    assert client.model.violations == []


def test_409_for_another_payload_under_the_same_message_id():
    client = online()
    assert client.post(reading("m", "1")).status == 201
    assert outcome(client.post(reading("m", "2"))) == (409, 4009, "conflict")
    moved = reading("m", "1", value_received_at="2026-04-24T10:15:01Z")
    assert outcome(client.post(moved)) == (409, 4009, "conflict")
    assert [row["value"] for row in client.model.feed(12345)] == ["1"]


def test_413_for_a_body_over_the_plan_and_for_too_many_items():
    client = online(Plan(max_body_bytes=400, max_batch=2))
    assert client.batch(reading("a"), reading("b")).status == 200
    assert outcome(client.batch(reading("c"), reading("d"), reading("e"))) == (413, 4013, "payload_too_large")
    assert outcome(client.post(b" " * 401)) == (413, 4013, "payload_too_large")
    assert len(client.model.feed(12345)) == 2


def test_415_for_another_media_type():
    client = online()
    assert outcome(client.post(reading(), kind="text/plain")) == (415, 4015, "unsupported_media_type")
    assert len(client.model.violations) == 1
    assert client.post(reading(), kind="application/json; charset=utf-8").status == 201


def test_422_names_the_field_as_the_documentation_does():
    client = online()
    response = client.post(reading(sensor_id=7))
    assert outcome(response) == (422, 4022, "validation_failed")
    assert response.json()["error"]["details"] == {"sensor_id": ["is invalid for this device"]}
    assert client.model.violations == []


def test_429_for_requests_faster_than_the_plan():
    client = online(Plan(min_interval_s=5))
    assert client.get("commands").status == 200
    client.now += 4.9
    response = client.get("sensors")
    assert outcome(response) == (429, 4029, "rate_limited")
    assert "Retry-After" not in response.headers
    client.now += 0.1
    assert client.get("sensors").status == 200
    assert len(client.model.named("cadence_exceeded")) == 1


def test_429_has_retry_after_when_the_plan_has_it():
    client = online(Plan(min_interval_s=5, retry_after=True))
    client.get("commands")
    assert client.get("commands").headers["Retry-After"] == "5"


# Feed data


def test_a_reading_is_stored_as_it_was_sent():
    client = online()
    body = client.post(reading("m")).json()
    assert body == {"code": 2000, "status": "created", "feed_data_id": 1, "message_id": "m", "warnings": []}
    (row,) = client.model.feed(12345)
    assert {**reading("m"), "feed_data_id": 1, "received": client.now} == row


def test_a_replay_is_success_and_stores_nothing():
    client = online()
    client.post(reading("m"))
    response = client.post(json.dumps(reading("m"), indent=3).encode())  # the same payload, written otherwise
    assert response.status == 200
    assert (response.json()["status"], response.json()["feed_data_id"]) == ("idempotent", 1)
    assert len(client.model.feed(12345)) == 1
    assert len(client.model.named("feed_replayed")) == 1


def test_a_message_id_belongs_to_one_source():
    client = online()
    assert client.post(reading("m")).status == 201
    assert client.post(reading("m", sensor_id=2)).status == 201
    assert client.post(reading("m", sensor_id=None, command_id=1)).status == 201


def test_a_batch_has_one_result_per_item_in_order():
    client = online()
    client.post(reading("old", "1"))
    items = [
        reading("new"),
        reading("old", "1"),
        reading("old", "2"),
        reading("lost", sensor_id=9),
        {"value": 3},
    ]
    body = client.batch(*items).json()
    assert [(r["message_id"], r["status"]) for r in body["results"]] == [
        ("new", "created"), ("old", "idempotent"), ("old", "conflict"), ("lost", "rejected"), (None, "rejected"),
    ]  # fmt: skip
    assert body["results"][3]["error"]["type"] == "validation_failed"
    assert [row["message_id"] for row in client.model.feed(12345)] == ["old", "new"]


def test_reports_change_the_reported_and_not_the_desired_value():
    client = online()
    client.model.set_desired(12345, "6", 1, client.now)
    client.post(reading("r", "0.0", sensor_id=None, command_id=1))
    assert client.model.reported(12345, "6") == "0.0"
    assert client.get("commands/1").json()["commands"][0]["value"] == "1.0"


def test_an_applied_local_report_becomes_the_desired_value():
    client = online()
    client.model.set_apply_local(12345, 1, True)
    client.post(reading("r", "1.0", sensor_id=None, command_id=1))
    assert client.get("commands/1").json()["commands"][0]["value"] == "1.0"
    assert client.model.named("desired_set")[-1]["by"] == "device"


def test_an_answer_to_a_request_is_never_applied_as_one():
    client = online()
    client.model.set_apply_local(12345, 1, True)
    client.model.set_desired(12345, "6", 1, client.now)
    desired_id = client.model.named("desired_set")[-1]["desired_id"]
    report = reading(
        "r", "0.0", sensor_id=None, command_id=1, desired_id=desired_id, report_status="rejected"
    )
    assert client.post(report).status == 201
    assert client.model.desired(12345, "6") == "1.0"


@pytest.mark.parametrize(
    "desired_state", ["des_" + "0" * 25 + "9", "des_01ARZ3NDEKTSV4RRFFQ69G5FAV", "des_" + "9" * 26]
)
def test_an_unknown_desired_id_is_refused(desired_state):
    client = online()
    response = client.post(reading(sensor_id=None, command_id=1, desired_id=desired_state))
    assert response.json()["error"]["details"] == {"desired_id": ["is invalid for this command"]}


# OAuth


@pytest.mark.parametrize("auth", [basic(secret="test-wrong-not-real"), basic(client_id="cdv_nobody")])
def test_wrong_keys_are_invalid_client(auth):
    client = online()
    response = client.oauth("token", {"grant_type": "client_credentials"}, auth)
    assert (response.status, response.json()["error"]) == (401, "invalid_client")
    assert "code" not in response.json()
    assert client.model.violations == []


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "client_credentials", "scope": "iot:everything"}, "invalid_scope"),
        ({"grant_type": "client_credentials", "client_secret": CLIENT_SECRET}, "invalid_request"),
    ],
)
def test_bad_grants(form, error):
    response = online().oauth("token", form)
    assert (response.status, response.json()["error"]) == (400, error)


def test_a_scope_that_the_device_may_not_have_is_left_out():
    model = Model(seed=1)
    device = demo_device()
    device.scopes = ("iot:catalog:read",)
    model.add_device(device)
    client = Client(model)
    assert client.login().json()["scope"] == "iot:catalog:read"
    assert client.login("iot:feed-data:write").json()["error"] == "invalid_scope"


def test_revocation_always_succeeds_without_details():
    client = online()
    for token in ("unknown", client.token, client.token):
        response = client.oauth("revoke", {"token": token})
        assert (response.status, response.body) == (200, b"{}")
    assert [event["count"] for event in client.model.named("revoked")] == [0, 1, 0]


# Requests no device may send


@pytest.mark.parametrize(
    "request_",
    [
        Request("GET", "/"),
        Request("GET", "/iot/v1/devices/12345/commands"),  # no token
        Request(
            "GET", "/iot/v1/devices/12345/commands", {"authorization": basic()}
        ),  # secret where a token belongs
        Request(
            "POST", "/oauth/token", {"content-type": "application/x-www-form-urlencoded"}, b"grant_type=x"
        ),
        Request("POST", "/oauth/token", {"authorization": "Basic ?", "content-type": "text/plain"}),
        Request(
            "POST", "/oauth/token", {"authorization": basic(), "content-type": "application/json"}, b"{}"
        ),
        Request("GET", "/oauth/token", {"authorization": basic()}),
        Request("POST", "/oauth/login", {"authorization": basic()}),
        Request("GET", "/iot/v1/", {"authorization": "Bearer x"}),
        Request("GET", "/iot/v1/devices", {"authorization": "Bearer x"}),
    ],
    ids=lambda request: f"{request.method} {request.path}",
)
def test_breaking_the_contract_is_recorded_without_secrets(request_):
    client = online()
    if request_.headers.get("authorization") == "Bearer x":
        request_ = Request(request_.method, request_.path, {"authorization": f"Bearer {client.token}"})
    assert 400 <= client.send(request_).status < 500
    assert client.model.violations
    printed = json.dumps(client.model.violations)
    assert CLIENT_SECRET not in printed and client.token not in printed and basic() not in printed


def test_methods_queries_and_bodies_that_are_not_in_the_contract():
    client = online()
    bearer = {"authorization": f"Bearer {client.token}"}
    for request in (
        Request("PUT", client.path("commands/1"), bearer, b"{}"),
        Request("GET", client.path("commands?page=2"), bearer),
        Request("GET", client.path("commands"), bearer, b"{}"),
        Request("GET", client.path("feeds"), bearer),
    ):
        before = len(client.model.violations)
        client.send(request)
        assert len(client.model.violations) == before + 1


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 5000,
        b"\xff\xfe",
        b'{"sensor_id":' + b"9" * 4500 + b"}",
        b'{"items":[{"message_id":"\\ud800"}]}',
    ],
)
def test_no_bytes_make_the_cloud_fail(body):
    client = online()
    for tail in ("feed-data", "feed-data/batches"):
        assert 200 <= client.post(body, tail).status < 500
    assert client.model.feed(12345) == []


# The owner's side


@pytest.mark.parametrize(("value", "text"), [(1, "1.0"), ("0", "0.0"), ("18.50", "18.5"), (-3.25, "-3.25")])
def test_desired_values_are_decimal_text(value, text):
    client = online()
    assert client.model.set_desired(12345, "6", value, client.now) == text
    assert client.get("commands/1").json()["commands"][0]["value"] == text


@pytest.mark.parametrize("value", ["", "on", "nan", "inf", "1e3", "0x1", True])
def test_a_desired_value_must_be_a_decimal(value):
    client = online()
    with pytest.raises(ValueError, match="is not a decimal number"):
        client.model.set_desired(12345, "6", value, client.now)
    assert client.model.desired(12345, "6") == "0.0"


def test_text_names_a_port_first_and_a_number_names_an_id_first():
    client = online()
    client.model.put_command(12345, Command(6, "1"))
    assert client.model.find_command(12345, "6").id == 1
    assert client.model.find_command(12345, 6).id == 6
    with pytest.raises(KeyError, match="its ports: 6, 9, 1"):
        client.model.find_command(12345, "30")


def test_catalog_items_may_be_broken_strange_or_gone():
    client = online()
    client.model.find_command(12345, 1).error = {"reason": "not representable"}
    client.model.remove_command(12345, 2)
    client.model.put_command(12345, Command(3, "x1", kind="valve", extra={"label": "Garden"}))
    client.model.put_sensor(12345, Sensor(1, "14", kind="barometer"))
    first, second = client.get("commands").json()["commands"]
    assert first == {"id": 1, "error": {"reason": "not representable"}}
    assert (second["kind"], second["label"]) == ("valve", "Garden")
    assert client.get("sensors").json()["sensors"][0]["kind"] == "barometer"
    assert client.post(reading(sensor_id=None, command_id=1)).status == 422


def test_the_view_shows_no_secret():
    client = online()
    client.post(reading())
    text = json.dumps(client.model.show(client.now)) + json.dumps(client.model.events)
    assert CLIENT_ID in text
    assert CLIENT_SECRET not in text and client.token not in text


def test_listeners_receive_events_and_the_list_is_bounded():
    client = online()
    client.model.keep_events = 10
    received = []
    client.model.listeners.append(received.append)
    for _ in range(40):
        client.get("commands")
    assert [event["n"] for event in received] == list(range(2, 42))
    assert len(client.model.events) <= 10
    assert client.model.events[-1] is received[-1]
