"""The words of the Realer API about MQTT. The sound bodies are the documentation's own (docs/protocol.md)."""

import json

from firmware.cloud import mqtt_catalog, mqtt_credentials, mqtt_messages, mqtt_topics, oauth
from firmware.core import outcomes
from firmware.core.errors import LinkError
from firmware.core.models import EPOCH, Catalog, Command, Report, Sensor
from tests_host.support.raising import raised

DEVICE = "cdv_00000000000000000000000001"
ROOT = "realer/iot/v1/devices/" + DEVICE
WRONG = (None, True, 0, -1, 1.5, "", "text", [], [[]], {}, {"a": {}}, [None, "x", 7, {"id": []}])


def catalog(**changes):
    mqtt = {
        "broker_url": "mqtts://mqtt.therealer.com:8883",
        "protocol": "mqtt-5.0",
        "client_id": DEVICE,
        "qos": 1,
        "retain_policy": "disabled",
        "feed_data_ack_topic": ROOT + "/acks",
        "credential_endpoint": {
            "endpoint": "/iot/v1/mqtt-credentials",
            "http_method": "POST",
            "body": {"device_id": 12345, "scopes": ["iot:mqtt:connect", "iot:mqtt:ack:read"]},
        },
    }
    mqtt.update(changes)
    return {"code": 2000, "mqtt": mqtt, "mqtt_routes": [route("sensor", 1), route("command", 1)]}


def route(kind, name, field="source_id", **changes):
    topic = "%s/routes/rte_%s_%s/" % (ROOT, kind, name)
    mqtt = {"feed_data_topic": topic + "feed-data"}
    if kind == "command":
        mqtt["desired_topic"] = topic + "desired"
    mqtt.update(changes)
    return {"source_type": kind, field: name, "mqtt": mqtt}


def routes(*items):
    return mqtt_catalog.catalog(dict(catalog(), mqtt_routes=list(items)))


def refused(call, *args):
    return str(raised(LinkError, call, *args))


# Scopes


def test_only_needed_scopes_are_requested():
    assert oauth.scopes({"transport": "mqtt", "commands": 0}).split(" ") == [
        "iot:catalog:read",
        "iot:mqtt:connect",
        "iot:mqtt:ack:read",
        "iot:mqtt:feed-data:write",
    ]
    assert (
        oauth.scopes({"transport": "mqtt", "commands": 2})
        == oauth.scopes({"transport": "mqtt", "commands": 0}) + " iot:mqtt:desired:read"
    )
    assert (
        oauth.scopes({"transport": "auto", "commands": 2})
        == oauth.scopes({"transport": "mqtt", "commands": 2}) + " iot:feed-data:write"
    )


# The catalog


def test_the_documented_catalog_is_parsed():
    catalog_read = mqtt_catalog.catalog(catalog())
    assert (catalog_read.host, catalog_read.port, catalog_read.version, catalog_read.acks) == (
        "mqtt.therealer.com",
        8883,
        5,
        ROOT + "/acks",
    )
    assert catalog_read.endpoint == "/iot/v1/mqtt-credentials" and catalog_read.notes == []
    body = json.loads(catalog_read.body)
    assert body["device_id"] == 12345
    assert body["scopes"] == ["iot:mqtt:connect", "iot:mqtt:ack:read", "iot:mqtt:desired:read"]
    assert catalog_read.routes["sensor", "1"].desired is None
    assert catalog_read.routes["command", "1"].desired == ROOT + "/routes/rte_command_1/desired"


def test_without_desired_topics_the_body_is_that_of_the_catalog():
    catalog_read = routes(route("sensor", 1))
    assert json.loads(catalog_read.body) == catalog()["mqtt"]["credential_endpoint"]["body"]


def test_protocol_and_address_are_the_catalogs():
    catalog_read = mqtt_catalog.catalog(catalog(broker_url="mqtts://b.test", protocol="mqtt-3.1.1"))
    assert (catalog_read.host, catalog_read.port, catalog_read.version) == ("b.test", 8883, 4)
    assert mqtt_catalog.catalog(catalog(broker_url="mqtts://b.test:1/")).port == 1


def test_insecure_or_foreign_addresses_are_refused():
    for url in ("mqtt://b.test", "http://b.test", "mqtts://u:p@b.test", "mqtts://b.test/x", "mqtts://b.test:0",
                "mqtts://b.test:65536", "mqtts://", "mqtts://b test", "mqtts://" + "b" * 200):  # fmt: skip
        assert "broker_url" in refused(mqtt_catalog.catalog, catalog(broker_url=url))
    for topic in ("", "a/+", "#", "a\0", "t" * 200, 7, None):
        assert "ack topic" in refused(mqtt_catalog.catalog, catalog(feed_data_ack_topic=topic))
    assert "protocol" in refused(mqtt_catalog.catalog, catalog(protocol="mqtt-6"))
    own = catalog()["mqtt"]["credential_endpoint"]
    for change in ({"endpoint": "https://elsewhere.test/x"}, {"endpoint": "//elsewhere.test/x"[1:] + " x"},
                   {"http_method": "PUT"}, {"body": None}, {"body": []}, {"endpoint": 7}):  # fmt: skip
        assert "credential_endpoint" in refused(
            mqtt_catalog.catalog, catalog(credential_endpoint=dict(own, **change))
        )


def test_without_a_credential_endpoint_there_is_no_mqtt():
    body = catalog()
    body["mqtt"].pop("credential_endpoint")
    assert mqtt_catalog.catalog(body).endpoint is None


def test_any_shape_is_parsed_or_refused():
    for wrong in WRONG:
        refused(mqtt_catalog.catalog, wrong)
        refused(mqtt_catalog.catalog, {"mqtt": wrong})
        assert mqtt_catalog.catalog(dict(catalog(), mqtt_routes=wrong)).routes == {}
        for key in catalog()["mqtt"]:
            try:
                mqtt_catalog.catalog(catalog(**{key: wrong}))
            except LinkError:
                pass


def test_a_route_names_its_source_in_one_of_two_fields():
    for field in ("source_id", "sensor_id"):
        assert list(routes(route("sensor", 7, field)).routes) == [("sensor", "7")]
    assert list(routes(route("command", "cmd_1", "command_id")).routes) == [("command", "cmd_1")]
    both = dict(route("sensor", 7), sensor_id="7")
    assert list(routes(both).routes) == [("sensor", "7")]


def test_an_ambiguous_route_is_ignored():
    for bad in (route("sensor", 7, "id"), route("sensor", 7, "command_id"), route("motor", 7), route("sensor", ""),
                dict(route("sensor", 7), sensor_id=8), route("sensor", [7]), route("sensor", 7, feed_data_topic=""),
                route("sensor", 7, feed_data_topic="a/+/b")):  # fmt: skip
        catalog_read = routes(bad, route("sensor", 1))
        assert list(catalog_read.routes) == [("sensor", "1")]
        assert len(catalog_read.notes) == 1 and "ignored" in catalog_read.notes[0]


def test_two_routes_of_one_source_are_both_ignored():
    catalog_read = routes(route("sensor", 7), route("sensor", "7"), route("sensor", 7), route("sensor", 1))
    assert list(catalog_read.routes) == [("sensor", "1")]
    assert catalog_read.notes == ["MQTT routes of sensor 7 ignored: there are several"]


def test_a_row_without_a_route_is_ignored():
    row = Command(1, "relay", "6", None, None, None, "")
    broken = Command(3, "relay", "8", None, None, None, "cannot be represented")
    other = Command("2", "relay", "9", None, None, None, "")
    sensors = [Sensor(1, "thermistor", "14", ""), Sensor(2, "ldr_sensor", "15", "")]
    catalog_read = routes(route("command", "1"), route("command", 2, desired_topic=None), route("sensor", 1))
    routed = mqtt_topics.with_routes(Catalog([row, other, broken], sensors), catalog_read.routes)
    assert [bool(c.error) for c in routed.commands] == [False, True, True]
    assert routed.commands[0] == row and routed.commands[2] == broken
    assert [s.error for s in routed.sensors] == ["", "it has no MQTT route"]
    assert mqtt_topics.desired_topics(routed, catalog_read.routes) == {
        ROOT + "/routes/rte_command_1/desired": 1
    }


def test_a_row_with_a_route_again_is_served_again():
    catalog = Catalog([Command(1, "relay", "6", None, None, None, "")], [Sensor(1, "thermistor", "14", "")])
    without = mqtt_topics.with_routes(catalog, {})
    assert without.commands[0].error and without.sensors[0].error
    catalog_read = routes(route("command", 1), route("sensor", 1))
    assert mqtt_topics.with_routes(without, catalog_read.routes) == catalog


# The credentials


def reply(**changes):
    mqtt = {
        "mqtt_client_id": DEVICE,
        "mqtt_username": "realer-x-cred-v12",
        "mqtt_credential": "not-a-real-one",
    }
    mqtt.update({"expires_in": 3600, "renew_after": 2700, "session_hard_expires_in": 3600})
    mqtt.update(changes)
    return {"code": 2000, "mqtt": mqtt}


def test_credentials_have_the_arguments_of_connect_and_hide_the_password():
    found = mqtt_credentials.credentials(reply())
    assert found[:2] == (DEVICE, "realer-x-cred-v12") and found[3:] == (3600, 2700)
    assert found.password.reveal() == "not-a-real-one" and "not-a-real-one" not in repr(found)


def test_the_shorter_lifetime_counts_and_renewal_is_before_its_end():
    table = (
        ({"session_hard_expires_in": 1000}, (1000, 750)),
        ({"session_hard_expires_in": 9000}, (3600, 2700)),
        ({"session_hard_expires_in": None}, (3600, 2700)),
        ({"session_hard_expires_in": 0}, (3600, 2700)),
        ({"session_hard_expires_in": -5}, (1, 0)),
        ({"renew_after": 3600}, (3600, 2700)),
        ({"renew_after": None}, (3600, 2700)),
        ({"renew_after": "600"}, (3600, 600)),
        ({"expires_in": "100"}, (100, 75)),
    )
    for change, lives in table:
        assert mqtt_credentials.credentials(reply(**change))[3:] == lives, change


def test_a_reply_without_credentials_is_refused():
    for key in ("mqtt_client_id", "mqtt_username", "mqtt_credential", "expires_in"):
        for wrong in (None, "", [], {}, True, -1, "x" if key == "expires_in" else 7):
            if (key, wrong) != ("expires_in", None):
                refused(mqtt_credentials.credentials, reply(**{key: wrong}))
    for wrong in WRONG:
        refused(mqtt_credentials.credentials, wrong)


def test_credentials_without_an_expiry_last_for_an_hour():
    changes = {"expires_in": None, "renew_after": None, "session_hard_expires_in": None}
    found = mqtt_credentials.credentials(reply(**changes))
    assert (found.expires_s, found.renew_s) == (3600, 2700)


# Messages


def desired_state(**changes):
    body = {
        "version": 1,
        "desired_id": "des_00000000000000000000000001",
        "value": "18.5",
        "valid_for_seconds": 300,
        "expires_at": "2026-04-29T10:05:00Z",
        "sequence_number": 42,
    }
    body.update(changes)
    return json.dumps(body).encode()


def invalid_state(payload):
    return str(raised(ValueError, mqtt_messages.desired, 1, payload))


def test_a_desired_state_has_identity_sequence_and_window():
    assert mqtt_messages.desired(1, desired_state()) == (1, "18.5", "des_00000000000000000000000001", 42, 300)
    for version in ("1", "1.3", 1.0):
        assert mqtt_messages.desired(1, desired_state(version=version)).sequence == 42


def test_a_window_that_is_not_numeric_has_closed():
    for wrong in (None, "soon", -1, True, [], {}):
        assert mqtt_messages.desired(1, desired_state(valid_for_seconds=wrong)).valid_s == 0
    assert mqtt_messages.desired(1, desired_state(valid_for_seconds="7.5")).valid_s == 7.5


def test_values_and_numbers_pass_unchanged_or_are_ignored():
    assert mqtt_messages.desired(1, desired_state(value=[1])).value == ""
    assert mqtt_messages.desired(1, desired_state(value=0)).value == 0
    for wrong in (None, "42", 4.5, True, []):
        assert mqtt_messages.desired(1, desired_state(sequence_number=wrong)).sequence is None


def test_an_invalid_desired_state_is_a_value_error():
    for wrong in (b"", b"[]", b"null", b"\xff", b"7", b'"x"', b"[" * 4000):
        assert invalid_state(wrong) == "no JSON object"
    assert (
        invalid_state(desired_state(version=2))
        == invalid_state(desired_state(version=None))
        == "unknown version"
    )
    for wrong in (None, "", True, []):
        assert invalid_state(desired_state(desired_id=wrong)) == "no desired_id"


def test_a_report_does_not_repeat_its_topic():
    report = Report("1-2-3", "command", 1, "1.0", 1777025700 - EPOCH, 0, "des_1", "applied", 42)
    assert json.loads(mqtt_messages.publish(report)) == {
        "message_id": "1-2-3",
        "value": "1.0",
        "value_received_at": "2026-04-24T10:15:00Z",
        "desired_id": "des_1",
        "report_status": "applied",
        "sequence_number": 42,
    }
    local = Report("1-2-4", "sensor", 1, "21.5", 1777025700 - EPOCH, 0, None, None, None)
    assert sorted(json.loads(mqtt_messages.publish(local))) == ["message_id", "value", "value_received_at"]


def ack(status, retryable=False, **more):
    body = dict({"version": 1, "status": status, "retryable": retryable, "message_id": "1-2-3"}, **more)
    return mqtt_messages.acknowledgement(json.dumps(body).encode())


def test_only_retryable_true_repeats_a_report():
    table = (
        ("accepted", False, outcomes.OK),
        ("replayed", False, outcomes.OK),
        ("accepted", True, outcomes.OK),
        ("conflict", False, outcomes.CONFLICT),
        ("conflict", True, outcomes.RETRY),
        ("rejected", False, outcomes.DROP),
        ("rejected", True, outcomes.RETRY),
        ("error", True, outcomes.RETRY),
        ("error", False, outcomes.DROP),
        ("error", "yes", outcomes.DROP),
        ("error", 1, outcomes.DROP),
        ("news", False, outcomes.DROP),
        ("news", True, outcomes.RETRY),
    )
    for status, retryable, outcome in table:
        assert ack(status, retryable)[:2] == ("1-2-3", outcome), (status, retryable)


def test_an_acknowledgement_has_the_reason():
    assert "validation_failed" in ack("rejected", error={"type": "validation_failed"})[2]
    assert ack("accepted", message_id=None)[0] == "" == ack("accepted", message_id=[1])[0]


def test_an_identity_too_long_to_be_stored_is_ignored():
    for size, taken in ((512, True), (513, False), (5000, False)):
        payload = json.dumps({"version": 1, "desired_id": "d" * size, "value": 1}).encode()
        try:
            found = len(mqtt_messages.desired(1, payload).desired_id) == size
        except ValueError:
            found = False
        assert found == taken, size
