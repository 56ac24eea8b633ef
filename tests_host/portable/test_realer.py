"""The words of the Realer API: what is sent, and what is made of whatever comes back.

The sound bodies are the documentation's own examples (docs/protocol.md) with values of ours.
"""

import binascii
import json

from firmware.cloud import oauth, realer, realer_feed
from firmware.core import outcomes
from firmware.core.errors import LinkError
from firmware.core.models import EPOCH, Report, Secret
from tests_host.support.raising import raised

CFG = {
    "device_id": "12345",
    "client_id": "cdv_00000000000000000000000001",
    "client_secret": Secret("test-secret-not-real"),
}
WRONG = (None, True, 0, -1, 1.5, "", "text", [], [[]], {}, {"a": {}}, [None, "x", 7, {"id": []}])


# What is sent


def test_a_token_is_asked_for_with_the_keys_in_the_basic_header_only():
    method, target, headers, body = oauth.oauth(CFG)
    scheme, _, keys = dict(headers)["Authorization"].partition(" ")
    assert (method, target, scheme) == ("POST", "/oauth/token", "Basic")
    assert binascii.a2b_base64(keys) == b"cdv_00000000000000000000000001:test-secret-not-real"
    assert dict(headers)["Content-Type"] == "application/x-www-form-urlencoded"
    assert body == b"grant_type=client_credentials"


def test_long_keys_make_one_header_line():
    keys = dict(CFG, client_secret=Secret("x" * 300))
    assert "\n" not in dict(oauth.oauth(keys)[2])["Authorization"]


def test_keys_of_any_letters_go_as_they_are_or_form_encoded():
    keys = dict(CFG, client_id="cdv_1-a.b", client_secret=Secret("a% +:/\u00e4\u20ac"))
    for encoding, expected in (
        ("plain", "cdv_1-a.b:a% +:/\u00e4\u20ac".encode()),
        ("form", b"cdv_1-a.b:a%25%20%2B%3A%2F%C3%A4%E2%82%AC"),
    ):
        header = dict(oauth.oauth(dict(keys, basic_auth=encoding))[2])["Authorization"]
        assert binascii.a2b_base64(header[6:]) == expected


def test_a_token_of_any_letters_survives_the_form_that_revokes_it():
    method, target, _, body = oauth.oauth(CFG, Secret("a+/=&%"))
    assert (method, target) == ("POST", "/oauth/revoke")
    assert body == b"token=%61%2b%2f%3d%26%25"


def test_a_get_has_no_body_and_a_post_has_a_content_type():
    method, target, headers, body = realer.request(CFG, Secret("test-token"), "commands", "")
    assert (method, target, body) == ("GET", "/iot/v1/devices/12345/commands", None)
    assert dict(headers) == {"Authorization": "Bearer test-token", "Accept": "application/json"}
    method, target, headers, body = realer.request(CFG, Secret("test-token"), "feed-data", '{"a":"°"}')
    assert (method, target, body) == ("POST", "/iot/v1/devices/12345/feed-data", b'{"a":"\xc2\xb0"}')
    assert dict(headers)["Content-Type"] == "application/json"


def item(message_id, value, **more):
    return dict(more, value=value, value_received_at="2026-04-24T10:15:00Z", message_id=message_id)


def report(message_id, source, source_id, value, desired_id=None, status=None, sequence=None):
    return Report(message_id, source, source_id, value, 1777025700 - EPOCH, 0, desired_id, status, sequence)


LOCAL = report("1-0-1", "command", 7, "1.0")
FEED = (
    (LOCAL, item("1-0-1", "1.0", command_id=7)),
    (report("1-0-2", "sensor", "sns_1", "21.5"), item("1-0-2", "21.5", sensor_id="sns_1")),
    (
        report("1-0-3", "command", 7, "1.0", "des_1", "applied"),
        item("1-0-3", "1.0", command_id=7, desired_id="des_1", report_status="applied"),
    ),
    (
        report("1-0-4", "command", 7, "0.0", "des_2", "rejected", 0),
        item("1-0-4", "0.0", command_id=7, desired_id="des_2", report_status="rejected", sequence_number=0),
    ),
)


def test_a_feed_item_has_exactly_the_documented_fields():
    for report, expected in FEED:
        assert json.loads(realer_feed.feed_item(report)) == expected


def test_a_report_without_a_request_to_answer_carries_neither_status_nor_number():
    report = Report(*(LOCAL[:6] + (None, "applied", 4)))
    assert json.loads(realer_feed.feed_item(report)) == FEED[0][1]


def test_a_batch_is_its_items_in_order():
    text = realer_feed.batch([realer_feed.feed_item(report) for report, _ in FEED])
    assert json.loads(text) == {"items": [expected for _, expected in FEED]}


# Catalogs

COMMANDS = """{"code":2000,"commands":[
{"id":1,"value":"0.0","value_type":"NumericRange","kind":"relay","pin_port":"6"},
{"id":"cmd_2","value":18.5,"kind":"relay","pin_port":9,"new":[]},
{"id":3,"error":"unsupported"},
{"id":4,"error":{"type":"unsupported"},"value":"1.0"},
{"id":5,"kind":"relay","pin_port":"12"}]}"""


def test_commands_keep_their_ids_and_bring_the_desired_values():
    rows, desired = realer.commands(json.loads(COMMANDS))
    assert [(r.id, r.kind, r.pin_port) for r in rows[:2]] == [(1, "relay", "6"), ("cmd_2", "relay", "9")]
    assert [bool(r.error) for r in rows] == [False, False, True, True, False]
    assert "unsupported" in rows[2].error and "unsupported" in rows[3].error
    assert [(d.command_id, d.value) for d in desired] == [(1, "0.0"), ("cmd_2", 18.5)]
    assert [d[2:] for d in desired] == [(None, None, None)] * 2


def test_the_same_catalog_is_equal_with_other_desired_values():
    # Only a change of the rows may make the device read its sensors again.
    other = COMMANDS.replace('"0.0"', '"1.0"').replace("18.5", "19")
    assert realer.commands(json.loads(COMMANDS))[0] == realer.commands(json.loads(other))[0]
    assert (
        realer.commands(json.loads(COMMANDS.replace("relay", "motor")))[0]
        != realer.commands(json.loads(COMMANDS))[0]
    )


def test_sensors():
    text = """{"code":2000,"sensors":[{"id":1,"kind":"thermistor","qc":"celsius_temperature","mu":"degree_celsius:0",
"pin_port":"5"},{"id":2,"error":{}}]}"""
    rows = realer.sensors(json.loads(text))
    assert (rows[0].id, rows[0].kind, rows[0].pin_port, bool(rows[0].error)) == (1, "thermistor", "5", False)
    assert rows[1].error


def test_an_item_of_the_wrong_shape_is_kept_out_and_spoils_no_other():
    good = {"id": 1, "value": "1.0", "kind": "relay", "pin_port": "6"}
    for wrong in WRONG:
        items = [
            good,
            wrong,
            dict(good, id=[1]),
            dict(good, id=None),
            dict(good, pin_port=wrong),
            dict(good, kind=wrong),
        ]
        rows, desired = realer.commands({"commands": items})
        assert len(rows) == len(items) and not rows[0].error
        assert rows[1].error and rows[2].error and rows[3].error
        assert desired[0].value == "1.0"
        assert all([d.command_id == 1 for d in desired])
        assert [row.error for row in realer.sensors({"sensors": items})] == [row.error for row in rows]


def test_a_value_of_the_wrong_shape_becomes_a_desired_value_to_reject():
    for value in (None, [], {}, True, [["1.0"]]):
        _, desired = realer.commands({"commands": [{"id": 1, "pin_port": "6", "value": value}]})
        assert desired[0].value == ""


def test_a_catalog_without_its_list_is_an_error():
    for body in WRONG:
        raised(LinkError, realer.commands, body)
        raised(LinkError, realer.sensors, {"sensors": body} if not isinstance(body, list) else body)
    assert realer.commands({"commands": []}) == ([], [])


# Answers to batches

RESULTS = (
    ({"status": "created", "feed_data_id": 1}, outcomes.OK),
    ({"status": "idempotent"}, outcomes.OK),
    ({"status": "conflict"}, outcomes.CONFLICT),
    ({"status": "rejected", "error": {"type": "conflict"}}, outcomes.CONFLICT),
    ({"error": {"type": "message_conflict"}}, outcomes.CONFLICT),
    ({"error": "conflict"}, outcomes.CONFLICT),
    ({"error": {"type": "rate_limited"}}, outcomes.RETRY),
    ({"error": {"type": "service_unavailable"}}, outcomes.RETRY),
    ({"error": {"type": "validation_failed", "details": {"value": ["is invalid"]}}}, outcomes.DROP),
    ({"error": {"type": "not_found"}}, outcomes.DROP),
    ({"status": "rejected"}, outcomes.DROP),
    ({"status": "created", "error": {"type": "tomorrow"}}, outcomes.DROP),
    ({}, outcomes.DROP),
    ({"status": ["created"]}, outcomes.DROP),
    ({"error": [["conflict"]]}, outcomes.DROP),
    ({"error": {"type": {"a": 1}}}, outcomes.DROP),
)


def test_each_result_belongs_to_its_item():
    items = [dict(item, message_id="m%d" % i) for i, (item, _) in enumerate(RESULTS)]
    found = realer_feed.results({"code": 2000, "status": "processed", "results": items})
    assert len(found) == len(RESULTS)
    for i, (item, expected) in enumerate(RESULTS):
        assert found["m%d" % i][0] == expected, item
    assert "is invalid" in found["m8"][1]


def test_an_item_without_a_result_has_none():
    assert "m2" not in realer_feed.results({"results": [{"message_id": "m1", "status": "created"}]})


def test_results_of_the_wrong_shape_are_ignored():
    for wrong in WRONG:
        assert realer_feed.results(wrong) == {}
        assert "m1" not in realer_feed.results({"results": wrong})
        assert "m1" not in realer_feed.results(
            {"results": [wrong, {"message_id": wrong, "status": "created"}]}
        )
