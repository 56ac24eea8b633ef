"""MQTT in the simulated cloud's model, without any broker: catalog, credentials, answers, desired states, faults."""

import json

import pytest

from tests_host.support.cloudclient import reading
from tests_host.support.mqttdevice import DESIRED, SCOPES, MqttDevice, report
from tools.cloud import contract, mqtt_feed
from tools.cloud.demo_device import CLIENT_ID, demo_device
from tools.cloud.entities import MQTT_SCOPES
from tools.cloud.fault_proxy import FaultProxy
from tools.cloud.faults import Faults
from tools.cloud.model import Device, Model, MqttOffer, Plan
from tools.cloud.mqtt_faults import MqttFault, plan
from tools.cloud.sessions import Message, mqtt_client_id

URL = "mqtts://mqtt.realer.test:8883"
NOW = 1_800_000_000.0


class Port:
    """A broker that only remembers what it got."""

    def __init__(self):
        self.admitted, self.dismissed, self.messages = [], [], []

    def admit(self, credential, secret):
        self.admitted.append((credential, secret))

    def dismiss(self, credential):
        self.dismissed.append(credential.username)

    def desired(self, message, facts):
        self.messages.append(message)


def device(prepare=True, **plan):
    model = Model(Plan(**plan), seed=1)
    model.offer.url, model.port = URL, Port()
    model.add_device(demo_device())
    found = MqttDevice(model, NOW)
    if prepare:
        found.prepare()
    return found


def outcome(response):
    body = response.json()
    return response.status, body["code"], body["error"]["type"]


def ack(device, topic, item, **sent):
    payload = item if isinstance(item, bytes) else json.dumps(item).encode()
    message = mqtt_feed.publish(device.model, topic, payload, device.now, **sent)
    assert message.topic == device.acks
    return json.loads(message.payload)


def reasons(device):
    return [violation["reason"] for violation in device.model.violations]


# The catalog.


def test_the_catalog_is_as_documented():
    found = device().catalog
    assert found["mqtt"] == {
        "broker_url": URL, "protocol": "mqtt-5.0", "client_id": CLIENT_ID, "qos": 1, "retain_policy": "disabled",
        "feed_data_ack_topic": f"realer/iot/v1/devices/{CLIENT_ID}/acks",
        "feed_data_ack_subscribe_scope": "iot:mqtt:ack:read",
        "credential_endpoint": {
            "endpoint": "/iot/v1/mqtt-credentials", "http_method": "POST",
            "body": {"device_id": 12345, "scopes": list(MQTT_SCOPES)},
        },
        "limits": {"max_payload_bytes": 5120},
    }  # fmt: skip
    assert [route["source_type"] for route in found["mqtt_routes"]] == [
        "sensor",
        "sensor",
        "command",
        "command",
    ]
    assert "desired_topic" not in found["mqtt_routes"][0]["mqtt"]


@pytest.mark.parametrize(
    ("field", "expected"),
    [("source_id", {"source_id": 1}), ("role_id", {"sensor_id": 1}), ("resource", {"resource": 1}), ("", {})],
)
def test_the_undocumented_field_that_names_a_source_can_be_another_or_missing(field, expected):
    found = device()
    found.model.offer.id_field = field
    route = found.get("mqtt").json()["mqtt_routes"][0]
    assert {name: route[name] for name in route if name not in ("source_type", "mqtt")} == expected


def test_a_source_that_cannot_be_represented_has_no_route():
    found = device()
    found.model.find_command(12345, 1).error = "broken"
    assert len(found.get("mqtt").json()["mqtt_routes"]) == 3


def test_without_a_broker_there_is_no_mqtt_endpoint():
    found = device(prepare=False)
    found.model.offer = MqttOffer()
    found.login(" ".join(SCOPES))
    assert outcome(found.get("mqtt")) == (404, 4004, "not_found")
    assert outcome(found.ask({"device_id": 12345})) == (404, 4004, "not_found")
    assert found.model.violations == []


def test_a_catalog_without_credential_endpoint_means_not_yet():
    found = device()
    found.model.offer.credentials = False
    assert "credential_endpoint" not in found.get("mqtt").json()["mqtt"]
    assert found.ask({"device_id": 12345}).status == 404


# Credentials.


def test_credentials_are_shown_once_and_last_as_long_as_stated():
    found = device(credential_s=100, credential_renew_s=75, session_s=90)
    response = found.ask({"device_id": 12345, "scopes": [*MQTT_SCOPES, DESIRED]})
    assert (response.headers["Cache-Control"], response.headers["Pragma"]) == ("no-store", "no-cache")
    mqtt = response.json()["mqtt"]
    assert (mqtt["expires_in"], mqtt["renew_after"], mqtt["session_hard_expires_in"]) == (100, 75, 90)
    assert mqtt["mqtt_username"] == f"realer-{CLIENT_ID}-cred-v2"
    assert mqtt["scopes"] == [*MQTT_SCOPES, DESIRED]
    secret = mqtt["mqtt_credential"]
    assert secret not in json.dumps(found.model.events) + json.dumps(found.model.show(NOW))
    keys = CLIENT_ID, mqtt["mqtt_username"], secret
    assert found.model.admits(*keys, NOW + 89).scopes == (*MQTT_SCOPES, DESIRED)
    assert found.model.admits(*keys, NOW + 90) is None


@pytest.mark.parametrize(
    ("body", "expected", "broken"),
    [
        ({"device_id": "12345"}, (422, 4022, "validation_failed"), True),
        ({"device_id": 12345, "scopes": ["iot:mqtt:ack:read"]}, (422, 4022, "validation_failed"), True),
        ({"device_id": 12345, "scopes": []}, (422, 4022, "validation_failed"), True),
        ({"device_id": 12345, "client_secret": "x"}, (422, 4022, "validation_failed"), True),
        ({}, (422, 4022, "validation_failed"), True),
        ([], (422, 4022, "validation_failed"), True),
        (b"{", (400, 4000, "bad_request"), True),
        ({"device_id": 99}, (404, 4004, "not_found"), False),
        ({"device_id": 2}, (403, 4003, "forbidden"), False),
        ({"device_id": 12345, "scopes": [*MQTT_SCOPES, "iot:catalog:read"]}, (403, 4003, "forbidden"), False),
        ({"device_id": 12345, "scopes": [*MQTT_SCOPES, "iot:mqtt:all"]}, (403, 4003, "forbidden"), False),
    ],
)
def test_each_bad_request_for_credentials_is_refused(body, expected, broken):
    found = device()
    found.model.add_device(Device(2, "cdv_" + "2" * 26, "test-secret-not-real"))
    assert outcome(found.ask(body)) == expected
    assert bool(found.model.violations) == broken
    assert len(found.model.port.admitted) == 1


def test_a_token_without_the_scope_gets_no_credentials_with_it():
    found = device(prepare=False)
    found.login("iot:catalog:read iot:mqtt:connect")
    response = found.ask({"device_id": 12345})
    assert outcome(response) == (403, 4003, "forbidden")
    assert response.json()["error"]["details"]["scopes"] == [
        "iot:mqtt:ack:read is needed", "iot:mqtt:feed-data:write is needed",
    ]  # fmt: skip


def test_an_expired_token_or_another_revoked_one_keeps_the_credentials():
    found = device()
    found.login()
    found.oauth("revoke", {"token": found.token})
    found.model.expire_tokens(12345, NOW)
    found.model.expire_credentials(NOW + 3599)
    assert found.model.port.dismissed == []


def test_a_device_without_a_public_id_gets_one():
    assert mqtt_client_id(CLIENT_ID) == CLIENT_ID
    made = mqtt_client_id("123456789012345")
    assert made == mqtt_client_id("123456789012345") != mqtt_client_id("1")
    assert len(made) == 30


# Acknowledgements.


def test_the_four_fates_of_a_reading():
    found = device()
    topic = found.topic("sensor", 1)
    base = {"version": 1, "retryable": False, "message_id": "m-1"}
    assert ack(found, topic, report()) == base | {"status": "accepted"}
    assert ack(found, topic, report()) == base | {"status": "replayed"}
    conflict = ack(found, topic, report(value="2.0"))
    assert (conflict["status"], conflict["retryable"], conflict["error"]["type"]) == (
        "conflict",
        False,
        "conflict",
    )
    found.model.remove_sensor(12345, 1)
    rejected = ack(found, topic, report("m-2"))
    assert (rejected["status"], rejected["error"]["details"]) == (
        "rejected", {"sensor_id": ["is invalid for this device"]},
    )  # fmt: skip
    assert ack(found, topic, report())["status"] == "replayed"
    assert found.model.violations == []
    assert [row["value"] for row in found.model.feed(12345)] == ["1.0"]


def test_a_message_id_means_the_same_on_both_transports():
    found = device()
    assert found.post(reading("m-1", "1.0", value_received_at="2026-04-29T10:00:01Z")).status == 201
    assert ack(found, found.topic("sensor", 1), report())["status"] == "replayed"
    assert ack(found, found.topic("sensor", 2), report())["status"] == "accepted"
    assert ack(found, found.topic("command", 1), report("c-1"))["status"] == "accepted"
    again = reading("c-1", "2.0", sensor_id=None, command_id=1)
    assert outcome(found.post(again)) == (409, 4009, "conflict")
    assert [event["via"] for event in found.model.named("feed_stored")] == ["https", "mqtt", "mqtt"]


@pytest.mark.parametrize("status", ["applied", "rejected", "stale", None])
def test_an_answer_is_kept_and_echoed(status):
    found = device()
    found.model.set_desired(12345, "6", 1, NOW)
    name = found.model.events[-1]["desired_id"]
    assert found.model.outcome(12345, name) is None
    answer = report("c-1", "0.0", desired_id=name, sequence_number=1, report_status=status)
    got = ack(found, found.topic("command", 1), answer)
    assert (got["status"], got["desired_id"], got["sequence_number"]) == ("accepted", name, 1)
    assert found.model.outcome(12345, name) == (status or "applied")
    assert found.model.desired(12345, "6") == "1.0"
    assert found.model.show(NOW)[0]["commands"][0]["answer"] == (status or "applied")


def test_an_acknowledgement_for_another_command_is_rejected():
    found = device()
    found.model.set_desired(12345, "6", 1, NOW)
    desired_state = found.model.events[-1]["desired_id"]
    got = ack(found, found.topic("command", 2), report("c-1", desired_id=desired_state))
    assert (got["status"], got["error"]["details"]) == (
        "rejected",
        {"desired_id": ["is invalid for this command"]},
    )


def test_an_applied_local_change_counts_as_executed_and_is_not_asked_for():
    found = device()
    found.model.set_apply_local(12345, 1, True)
    assert ack(found, found.topic("command", 1), report("c-1"))["status"] == "accepted"
    assert found.model.desired(12345, "6") == "1.0"
    assert found.model.port.messages == []
    assert found.model.outcome(12345, found.model.named("desired_set")[-1]["desired_id"]) == "applied"


@pytest.mark.parametrize(
    ("item", "field"),
    [
        (report(sensor_id=1), "sensor_id"),
        (report(value=1.0), "value"),
        (report(value=None), "value"),
        (report(value_received_at=None), "value_received_at"),
        (report(message_id=None), "message_id"),
        (report(report_status="applied"), "report_status"),
        (report(desired_id="des_" + "0" * 26), "desired_id"),
        (report(sequence_number=1), "sequence_number"),
    ],
)
def test_each_broken_rule_of_a_publish_is_named_and_a_violation(item, field):
    found = device()
    got = ack(found, found.topic("sensor", 1), item)
    assert (got["status"], got["retryable"], got["error"]["type"]) == ("rejected", False, "validation_failed")
    assert field in got["error"]["details"]
    assert reasons(found) == ["breaks mqtt-feed-data-publish"]
    assert got["message_id"] == item.get("message_id")


@pytest.mark.parametrize("payload", [b"", b"{", b"[]", b"\xff\xfe", b"[" * 5000])
def test_a_payload_that_is_no_json_object_is_rejected_without_a_message_id(payload):
    found = device()
    got = ack(found, found.topic("sensor", 1), payload)
    assert (got["status"], got["message_id"], got["error"]["type"]) == ("rejected", None, "bad_request")
    assert reasons(found) == ["the payload is not a JSON object"]


def test_a_payload_over_the_plan_and_an_expired_subscription_are_rejected():
    found = device(max_body_bytes=200)
    assert ack(found, found.topic("sensor", 1), b" " * 201)["error"]["type"] == "payload_too_large"
    found.model.set_subscription(12345, False, NOW)
    assert ack(found, found.topic("sensor", 1), report())["error"]["type"] == "payment_required"
    assert found.model.feed(12345) == []


@pytest.mark.parametrize("topic", ["", "realer", f"realer/iot/v1/devices/{CLIENT_ID}/acks"])
def test_a_topic_of_no_catalog_is_a_violation_and_meets_silence(topic):
    found = device()
    assert mqtt_feed.publish(found.model, topic, b"{}", NOW) is None
    foreign = found.topic("sensor", 1).replace(CLIENT_ID, "cdv_" + "2" * 26)
    assert mqtt_feed.publish(found.model, foreign, b"{}", NOW) is None
    assert reasons(found) == ["this topic is in no catalog"] * 2


@pytest.mark.parametrize("sent", [{"qos": 0}, {"qos": 2}, {"retain": True}])
def test_another_qos_or_retain_is_a_violation(sent):
    found = device()
    assert ack(found, found.topic("sensor", 1), report(), **sent)["status"] == "accepted"
    assert len(found.model.violations) == 1


# Desired states.


def test_a_desired_state_has_the_documented_fields_and_counts_for_each_command():
    found = device(desired_s=60)
    for port, value in (("6", 1), ("9", 20.5), ("6", 0)):
        found.model.set_desired(12345, port, value, NOW)
    bodies = [json.loads(message.payload) for message in found.model.port.messages]
    assert bodies[0] == {
        "version": 1, "desired_id": "des_" + "1".zfill(26), "value": "1.0", "valid_for_seconds": 60,
        "expires_at": "2027-01-15T08:01:00Z", "sequence_number": 1,
    }  # fmt: skip
    assert [body["sequence_number"] for body in bodies] == [1, 1, 2]
    topics = [message.topic for message in found.model.port.messages]
    assert topics == [found.topic("command", n, "desired") for n in (1, 2, 1)]


def test_without_a_broker_a_desired_value_is_in_the_catalog():
    found = device()
    found.model.port = None
    found.model.set_desired(12345, "6", 1, NOW)
    assert found.get("commands").json()["commands"][0]["value"] == "1.0"


# Faults.

ACK = Message("a", b'{"version":1,"status":"accepted","retryable":false,"message_id":"m-1"}')
DESIRED_STATE = Message(
    "d", b'{"version":1,"desired_id":"d-1","value":"1.0","valid_for_seconds":60,"sequence_number":4}'
)


def spoilt(text, message):
    ((after_s, got),) = plan(MqttFault.parse(text), message)
    assert (after_s, got.topic) == (0, message.topic)
    return json.loads(got.payload)


def test_lost_late_and_twice():
    assert plan(MqttFault.parse("ack lost"), ACK) == []
    assert [after_s for after_s, _ in plan(MqttFault.parse("ack delay=2.5"), ACK)] == [2.5]
    assert len(plan(MqttFault.parse("ack copies"), ACK)) == 2
    assert len(plan(MqttFault.parse("desired copies=3"), DESIRED_STATE)) == 3


def test_reordered_messages_come_in_reverse_when_there_are_enough():
    fault = MqttFault.parse("ack reorder=3")
    messages = [Message("a", b'{"status":"accepted","n":%d}' % n) for n in range(6)]
    out = [[json.loads(m.payload)["n"] for _, m in plan(fault, message)] for message in messages]
    assert out == [[], [], [2, 1, 0], [], [], [5, 4, 3]]


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("desired value=99", {"value": "99"}),
        ("desired value=warm", {"value": "warm"}),
        ("desired valid_s=0", {"valid_for_seconds": 0}),
        ("desired sequence=1", {"sequence_number": 1}),
        ("desired version=2", {"version": 2}),
        ("ack version=2", {"version": 2}),
        ("ack version=beta", {"version": "beta"}),
        ("ack stray", {"message_id": "nobody-sent-this"}),
        ("ack retryable", {"retryable": True}),
        ("ack status=replayed", {"status": "replayed"}),
    ],
)
def test_spoilt_messages(text, changes):
    message = ACK if text.startswith("ack") else DESIRED_STATE
    assert spoilt(text, message) == json.loads(message.payload) | changes


@pytest.mark.parametrize(
    ("status", "retryable", "kind"),
    [
        ("error", True, "service_unavailable"),
        ("rejected", False, "validation_failed"),
        ("conflict", False, "conflict"),
    ],
)
def test_a_negative_status_keeps_the_contract(status, retryable, kind):
    body = spoilt(f"ack status={status}", ACK)
    assert (body["status"], body["retryable"], body["error"]["type"]) == (status, retryable, kind)
    assert contract.problems("mqtt-feed-data-ack", body) == {}
    other = spoilt(f"ack status={status} retryable={'no' if retryable else 'yes'} error=odd", ACK)
    assert (other["retryable"], other["error"]["type"]) == (not retryable, "odd")


def test_broken_json():
    ((_, half),) = plan(MqttFault.parse("desired badjson"), DESIRED_STATE)
    with pytest.raises(ValueError):
        json.loads(half.payload)


@pytest.mark.parametrize(
    "text",
    [
        "ack", "ack times=2", "ack value=1", "desired status=error", "desired refused", "connect", "connect lost",
        "ack lost=maybe", "ack status=fine", "ack copies=many", "ack explode", "desired badjson=odd",
    ],
)  # fmt: skip
def test_an_invalid_fault_is_refused(text):
    with pytest.raises(ValueError):
        Faults().add(text)


@pytest.mark.parametrize(
    "text",
    [
        "ack lost times=2",
        "ack status=error retryable=no skip=1",
        "desired value=99 valid_s=0",
        "connect refused",
    ],
)
def test_the_text_of_a_fault_is_kept(text):
    rule = Faults().add(text)
    assert sorted(str(rule).split()) == sorted(text.split())


def test_rules_for_messages_and_for_requests_do_not_meet():
    faults = Faults()
    faults.add("any status=503")
    lost = faults.add("ack lost skip=1 times=1")
    assert faults.take_message("desired") is None
    assert faults.take_message("ack") is None
    assert faults.take_message("ack") is lost
    assert faults.take_message("ack") is None
    assert faults.take("/oauth/token").status == 503
    faults.add("mqtt-credentials status=503")
    assert [rule.endpoint for rule in faults.rules] == ["any", "mqtt-credentials"]


# The proxy: order of fault and model.


def sent(device, proxy, item):
    steps = proxy.received(device.topic("sensor", 1), json.dumps(item).encode(), 1, False, NOW)
    return [(after_s, json.loads(message.payload)["status"]) for after_s, message in steps]


def test_a_lost_acknowledgement_was_stored_and_a_negative_one_was_not():
    found, faults = device(), Faults()
    proxy = FaultProxy(found.model, faults)
    for text in ("ack lost times=1", "ack status=error times=1", "ack delay=3 times=1"):
        faults.add(text)
    assert sent(found, proxy, report("a")) == []
    assert sent(found, proxy, report("b")) == [(0, "error")]
    assert [row["message_id"] for row in found.model.feed(12345)] == ["a"]
    assert sent(found, proxy, report("a")) == [(3, "replayed")]
    assert sent(found, proxy, report("b")) == [(0, "accepted")]
    assert len(found.model.named("fault")) == 3
