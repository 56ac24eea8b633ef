"""The JSON Schemas: they are schemas, they accept what the documentation shows, and they refuse each broken rule."""

import json

import pytest
from jsonschema import Draft202012Validator

from tests_host.support.cloudclient import reading
from tools.cloud import contract

NAMES = sorted(path.name.removesuffix(".schema.json") for path in contract.SCHEMAS.glob("*.schema.json"))

DOCUMENTED = """
http-feed-data-item
{"sensor_id":7,"value":"21.4","value_received_at":"2026-04-24T10:15:00Z","message_id":"sensor-7-20260424T101500Z"}

http-feed-data-response
{"code":2000,"status":"created","feed_data_id":123,"message_id":"sensor-7-20260424T101500Z","warnings":[]}

http-error-response
{"code":4022,"error":{"type":"validation_failed","message":"feed data ingestion failed",
"details":{"sensor_id":["is invalid for this device"]}},"request_id":"58f4f1f5-9c02-4f6b-9f0e-4077ed9a9a1b"}

oauth-token-response
{"access_token":"b11db7f6c816568eb3b156df3aeaa5","token_type":"Bearer","expires_in":3600,"renew_after":2700,
"scope":"iot:catalog:read iot:feed-data:write"}

oauth-error-response
{"error":"invalid_request","error_description":"grant_type is required",
"request_id":"58f4f1f5-9c02-4f6b-9f0e-4077ed9a9a1b"}

http-command-catalog-response
{"code":2000,"commands":[{"id":1,"value":"0.0","value_type":"NumericRange","kind":"relay","pin_port":"6"}]}

mqtt-credential-request
{"device_id":12345,"scopes":["iot:mqtt:connect","iot:mqtt:ack:read","iot:mqtt:feed-data:write"]}

mqtt-credential-response
{"code":2000,"mqtt":{"mqtt_client_id":"cdv_aaaaaaaaaaaaaaaaaaaaaaaaaa",
"mqtt_username":"realer-cdv_aaaaaaaaaaaaaaaaaaaaaaaaaa-cred-v12","mqtt_credential":"plaintext-returned-once",
"scopes":["iot:mqtt:connect","iot:mqtt:ack:read","iot:mqtt:feed-data:write"],"expires_in":3600,"renew_after":2700,
"session_hard_expires_in":3600}}

mqtt-catalog-response
{"code":2000,"mqtt":{"broker_url":"mqtts://mqtt.therealer.com:8883","protocol":"mqtt-5.0",
"client_id":"cdv_aaaaaaaaaaaaaaaaaaaaaaaaaa","qos":1,"retain_policy":"disabled",
"feed_data_ack_topic":"realer/iot/v1/devices/cdv_aaaaaaaaaaaaaaaaaaaaaaaaaa/acks",
"feed_data_ack_subscribe_scope":"iot:mqtt:ack:read","credential_endpoint":{"endpoint":"/iot/v1/mqtt-credentials",
"http_method":"POST","body":{"device_id":12345,"scopes":["iot:mqtt:connect","iot:mqtt:ack:read",
"iot:mqtt:feed-data:write"]}}},"mqtt_routes":[]}

mqtt-feed-data-publish
{"message_id":"sensor-temp-20260429T100001Z","value":"21.5","value_received_at":"2026-04-29T10:00:01Z"}

mqtt-feed-data-publish
{"message_id":"m","value":"1.0","value_received_at":"2026-04-29T10:00:01Z",
"desired_id":"des_00000000000000000000000001","report_status":"applied","sequence_number":42}
"""
"""What the documentation shows: the name of its schema, and the JSON below it."""
EXAMPLES = [text.split("\n", 1) for text in DOCUMENTED.strip().split("\n\n")]


@pytest.mark.parametrize("name", NAMES)
def test_a_schema_is_draft_2020_12_and_named_like_its_file(name):
    schema = contract.load(name)
    Draft202012Validator.check_schema(schema)
    assert schema["$id"].endswith(f"/{name}.schema.json")


@pytest.mark.parametrize(("name", "text"), EXAMPLES)
def test_documented_examples_are_accepted(name, text):
    assert contract.problems(name, json.loads(text)) == {}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"command_id": 1}, "base"),
        ({"sensor_id": None}, "base"),
        ({"sensor_id": "1"}, "sensor_id"),
        ({"sensor_id": True}, "sensor_id"),
        ({"value": 21.4}, "value"),
        ({"value": "21,4"}, "value"),
        ({"value": "nan"}, "value"),
        ({"value": "1e3"}, "value"),
        ({"value": None}, "value"),
        ({"message_id": None}, "message_id"),
        ({"message_id": "a b"}, "message_id"),
        ({"message_id": "x" * 65}, "message_id"),
        ({"value_received_at": None}, "value_received_at"),
        ({"value_received_at": "2026-04-24 10:15:00"}, "value_received_at"),
        ({"value_received_at": "1970-01-01T00:00:00Z"}, "value_received_at"),
        ({"value_received_at": "2026-13-01T00:00:00Z"}, "value_received_at"),
        ({"report_status": "reported"}, "base"),
        ({"sensor_id": None, "command_id": 1, "report_status": "applied"}, "report_status"),
        ({"sensor_id": None, "command_id": 1, "desired_id": "1"}, "desired_id"),
        (
            {
                "sensor_id": None,
                "command_id": 1,
                "desired_id": "des_" + "0" * 26,
                "report_status": "reported",
            },
            "report_status",
        ),
        ({"unit": "C"}, "unit"),
    ],
)
def test_each_broken_rule_of_an_item_is_named(changes, field):
    assert field in contract.problems("http-feed-data-item", reading(**changes))


CDV = "cdv_" + "a" * 26
FEED = {"feed_data_topic": f"realer/iot/v1/devices/{CDV}/routes/rte_{'a' * 26}/feed-data"}
FEED |= {"feed_data_publish_scope": "iot:mqtt:feed-data:write"}
DESIRED_STATE = {"desired_topic": f"realer/iot/v1/devices/{CDV}/routes/rte_{'a' * 26}/desired"}
DESIRED_STATE |= {"desired_subscribe_scope": "iot:mqtt:desired:read"}


@pytest.mark.parametrize(
    ("route", "good"),
    [
        ({"source_type": "sensor", "mqtt": FEED}, True),
        ({"source_type": "command", "mqtt": FEED | DESIRED_STATE}, True),
        ({"source_type": "sensor", "source_id": 1, "mqtt": FEED}, True),
        ({"source_type": "sensor", "mqtt": FEED | DESIRED_STATE}, False),
        ({"source_type": "command", "mqtt": FEED}, False),
        ({"source_type": "valve", "mqtt": FEED}, False),
    ],
)
def test_desired_topics_belong_to_command_routes(route, good):
    documented = json.loads(next(text for name, text in EXAMPLES if name == "mqtt-catalog-response"))
    assert (contract.problems("mqtt-catalog-response", documented | {"mqtt_routes": [route]}) == {}) == good


@pytest.mark.parametrize(
    ("ack", "good"),
    [
        ({"status": "accepted", "retryable": False}, True),
        ({"status": "accepted", "retryable": True}, False),
        (
            {"status": "replayed", "retryable": False, "error": {"type": "t", "message": "", "details": {}}},
            False,
        ),
        ({"status": "rejected", "retryable": False}, False),
        ({"status": "error", "retryable": True, "error": {"type": "t", "message": "", "details": {}}}, True),
        ({"status": "lost", "retryable": False}, False),
    ],
)
def test_an_acknowledgement_has_an_error_when_it_is_negative(ack, good):
    found = contract.problems("mqtt-feed-data-ack", {"version": 1, "message_id": "m"} | ack)
    assert (found == {}) == good


def test_a_missing_field_is_named_once():
    assert contract.problems("http-feed-data-item", {"sensor_id": 1})["value"] == ["can't be blank"]


def test_sentences_never_repeat_a_value():
    found = contract.problems(
        "oauth-token-request", {"grant_type": "", "client_secret": "test-secret-not-real"}
    )
    assert found and "test-secret-not-real" not in json.dumps(found)


def test_the_cloud_holds_itself_to_its_contract():
    with pytest.raises(AssertionError, match="the simulated cloud broke http-error-response"):
        contract.assert_own("http-error-response", b'{"code":4000}')
