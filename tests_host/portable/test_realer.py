"""The words of the Realer API: what is sent, and what is made of whatever comes back.

The sound bodies are the documentation's own examples (Realer API, sections 3 to 5 and 8) with values of ours.
"""

import binascii
import json

from firmware.cloud import realer
from firmware.core import verdict as v
from firmware.core.errors import AuthError, LinkError
from firmware.core.nouns import Report, Secret

CFG = {
    "device_id": "12345",
    "client_id": "cdv_00000000000000000000000001",
    "client_secret": Secret("test-secret-not-real"),
}
TOKEN = (
    '{"access_token":"test-token","token_type":"Bearer","expires_in":3600,"renew_after":2700,"scope":"a b"}'
)
INVALID = """{"code":4022,"error":{"type":"validation_failed","message":"Validation failed",
"details":{"sensor_id":["is invalid for this device"]}},"request_id":"00000000-0000-4000-8000-000000000000"}"""
WRONG = (None, True, 0, -1, 1.5, "", "text", [], [[]], {}, {"a": {}}, [None, "x", 7, {"id": []}])
DEEP = "[" * 2000 + "]" * 2000  # more than any stack here can follow


class Answer:
    def __init__(self, status, body="", retry_after_s=0):
        self.status = status
        self.body = bytearray(body if isinstance(body, bytes) else body.encode())
        self.retry_after_s = retry_after_s


def verdict(status, body=""):
    """The verdict on an answer, or the class of the error it becomes."""
    try:
        return realer.judge("commands", Answer(status, body))[0]
    except LinkError as e:
        return type(e)


def refused(call, *args):
    """The LinkError that `call` has to raise."""
    try:
        call(*args)
    except LinkError as e:
        return e
    raise AssertionError("accepted %r" % (args,))


# What is sent


def test_a_token_is_asked_for_with_the_keys_in_the_basic_header_only():
    method, target, headers, body = realer.oauth(CFG)
    scheme, _, keys = dict(headers)["Authorization"].partition(" ")
    assert (method, target, scheme) == ("POST", "/oauth/token", "Basic")
    assert binascii.a2b_base64(keys) == b"cdv_00000000000000000000000001:test-secret-not-real"
    assert dict(headers)["Content-Type"] == "application/x-www-form-urlencoded"
    assert body == b"grant_type=client_credentials"


def test_long_keys_make_one_header_line():
    keys = dict(CFG, client_secret=Secret("x" * 300))
    assert "\n" not in dict(realer.oauth(keys)[2])["Authorization"]


def test_a_token_of_any_letters_survives_the_form_that_revokes_it():
    method, target, _, body = realer.oauth(CFG, Secret("a+/=&%"))
    assert (method, target) == ("POST", "/oauth/revoke")
    assert body == b"token=%61%2b%2f%3d%26%25"


def test_a_get_has_no_body_and_a_post_says_what_it_carries():
    method, target, headers, body = realer.request(CFG, Secret("test-token"), "commands", "")
    assert (method, target, body) == ("GET", "/iot/v1/devices/12345/commands", None)
    assert dict(headers) == {"Authorization": "Bearer test-token", "Accept": "application/json"}
    method, target, headers, body = realer.request(CFG, Secret("test-token"), "feed-data", '{"a":"°"}')
    assert (method, target, body) == ("POST", "/iot/v1/devices/12345/feed-data", b'{"a":"\xc2\xb0"}')
    assert dict(headers)["Content-Type"] == "application/json"


LOCAL = Report("1-0-1", "command", 7, "1.0", 1777025700, 0, None, None, None)
FEED = (
    (
        LOCAL,
        {
            "command_id": 7,
            "value": "1.0",
            "value_received_at": "2026-04-24T10:15:00Z",
            "message_id": "1-0-1",
        },
    ),
    (
        Report("1-0-2", "sensor", "sns_1", "21.5", 1777025700, 0, None, None, None),
        {
            "sensor_id": "sns_1",
            "value": "21.5",
            "value_received_at": "2026-04-24T10:15:00Z",
            "message_id": "1-0-2",
        },
    ),
    (
        Report("1-0-3", "command", 7, "1.0", 1777025700, 0, "des_1", "applied", None),
        {
            "command_id": 7,
            "value": "1.0",
            "value_received_at": "2026-04-24T10:15:00Z",
            "message_id": "1-0-3",
            "desired_id": "des_1",
            "report_status": "applied",
        },
    ),
    (
        Report("1-0-4", "command", 7, "0.0", 1777025700, 0, "des_2", "rejected", 0),
        {
            "command_id": 7,
            "value": "0.0",
            "value_received_at": "2026-04-24T10:15:00Z",
            "message_id": "1-0-4",
            "desired_id": "des_2",
            "report_status": "rejected",
            "sequence_number": 0,
        },
    ),
)


def test_a_feed_item_has_exactly_the_documented_fields():
    for report, expected in FEED:
        assert json.loads(realer.feed_item(report)) == expected


def test_a_report_without_a_request_to_answer_carries_neither_status_nor_number():
    report = Report(*(LOCAL[:6] + (None, "applied", 4)))
    assert json.loads(realer.feed_item(report)) == FEED[0][1]


def test_a_batch_is_its_items_in_order():
    text = realer.batch([realer.feed_item(report) for report, _ in FEED])
    assert json.loads(text) == {"items": [expected for _, expected in FEED]}


# Any answer

ANSWERS = (
    (200, '{"code":2000}', v.OK),
    (201, '{"code":2000,"status":"created","feed_data_id":123,"message_id":"1-0-1","warnings":[]}', v.OK),
    (200, '{"code":2000,"status":"idempotent"}', v.OK),
    (201, '{"status":"created"}', v.OK),  # B0: no code
    (200, '{"code":2099,"new":[1]}', v.OK),  # a code of tomorrow
    (200, "{}", v.OK),
    (200, '{"code":4009}', v.CONFLICT),
    (200, '{"code":5003}', LinkError),
    (400, '{"code":4000,"error":{"type":"bad_request"}}', v.DROP),
    (400, "", v.DROP),
    (401, '{"code":4001,"error":{"type":"unauthorized"}}', v.REAUTH),
    (401, '{"error":{"type":"invalid_token"}}', v.REAUTH),
    (401, '{"error":"invalid_client","error_description":"..","request_id":".."}', v.REAUTH),
    (402, '{"error":{"type":"subscription_inactive"}}', v.UNPAID),
    (403, '{"code":4002,"error":"Payment required"}', v.UNPAID),
    (403, '{"code":4003}', v.FORBIDDEN),
    (404, "<html>no</html>", v.GONE),
    (409, '{"error":{"type":"message_conflict"}}', v.CONFLICT),
    (403, '{"code":4013}', v.SHRINK),
    (413, "too large", v.SHRINK),
    (429, '{"code":4029}', v.SLOW),
    (429, "", v.SLOW),
    (400, '{"code":"4009"}', v.DROP),  # a code is a number
    (400, '{"code":[4009]}', v.DROP),
    (400, '{"code":null}', v.DROP),
    (500, '{"code":2000}', LinkError),
    (302, '{"code":2000}', LinkError),
    (503, '{"code":5003}', LinkError),
    (502, "<html>", LinkError),
    (408, "", LinkError),
    (200, "", LinkError),
    (200, "[]", LinkError),
    (200, "null", LinkError),
    (200, '"text"', LinkError),
    (200, "true", LinkError),
    (200, "7", LinkError),
    (200, "<html>captive portal</html>", LinkError),
    (200, b'{"a":"\xff\xfe"}', LinkError),
    (200, b"\xff\xfe{\x00}\x00", LinkError),
    (200, DEEP, LinkError),
    (400, DEEP, v.DROP),
    (204, "", LinkError),
)


def test_every_answer_has_one_verdict():
    for status, body, expected in ANSWERS:
        assert verdict(status, body) == expected, (status, body[:60])


def test_a_validation_error_is_told_with_its_reasons():
    found, _, words, _ = realer.judge("feed-data", Answer(422, INVALID))
    assert found not in (v.OK, v.SLOW, v.CONFLICT)
    assert words.startswith("feed-data: HTTP 422 ") and "is invalid for this device" in words


def test_the_server_says_how_long_to_wait():
    assert realer.judge("commands", Answer(429, "", 40))[3] == 40
    error = refused(realer.judge, "commands", Answer(503, "", 50))
    assert error.retry_after_s == 50 and not isinstance(error, AuthError)


def test_the_words_about_an_error_are_short_whatever_it_is():
    # On MicroPython str() of the last one would end in a RuntimeError.
    for error in ('"%s"' % ("x" * 5000), '{"%s":1}' % ("x" * 5000), DEEP):
        _, _, words, _ = realer.judge("commands", Answer(400, '{"error":%s}' % error))
        assert len(words) < 240


# The token


def test_the_token_of_the_documentation():
    token, expires_s, renew_s = realer.grant(json.loads(TOKEN))
    assert (token.reveal(), expires_s, renew_s) == ("test-token", 3600, 2700)
    assert "test-token" not in repr((token, expires_s, renew_s))


def test_a_token_with_less_or_more_than_documented():
    for body, expected in (
        ({"access_token": "t", "expires_in": 3600}, (3600, 0)),
        ({"access_token": "t", "expires_in": "3600", "renew_after": "90"}, (3600, 90)),
        ({"access_token": "t", "expires_in": 59.9, "renew_after": None}, (59, 0)),
        ({"access_token": "t", "expires_in": 1, "renew_after": [], "new": {"a": 1}}, (1, 0)),
    ):
        assert realer.grant(body)[1:] == expected


def test_a_token_that_cannot_be_used_is_no_token():
    good = {"access_token": "test-token", "expires_in": 3600}
    for text in (None, "", 7, True, ["t"], "two words", "line\r\nX: y", "tab\t", "caf\u00e9", "\x7f", " "):
        refused(realer.grant, dict(good, access_token=text))
    for seconds in (None, 0, -5, 0.5, "", "soon", True, [3600], {}, 1e300):
        refused(realer.grant, dict(good, expires_in=seconds))
    for body in WRONG:
        refused(realer.grant, body)


def test_no_error_text_tells_the_token():
    error = refused(realer.grant, {"access_token": "test token", "expires_in": 3600})
    assert "test token" not in str(error)


# Catalogs

COMMANDS = """{"code":2000,"commands":[
{"id":1,"value":"0.0","value_type":"NumericRange","kind":"relay","pin_port":"6"},
{"id":"cmd_2","value":18.5,"kind":"relay","pin_port":9,"new":[]},
{"id":3,"error":"unsupported"},
{"id":4,"error":{"type":"unsupported"},"value":"1.0"},
{"id":5,"kind":"relay","pin_port":"12"}]}"""


def test_commands_keep_their_ids_and_bring_the_desired_values():
    rows, wanted = realer.commands(json.loads(COMMANDS))
    assert [(r.id, r.kind, r.pin_port) for r in rows[:2]] == [(1, "relay", "6"), ("cmd_2", "relay", "9")]
    assert [bool(r.error) for r in rows] == [False, False, True, True, False]
    assert "unsupported" in rows[2].error and "unsupported" in rows[3].error
    assert [(d.command_id, d.value) for d in wanted] == [(1, "0.0"), ("cmd_2", 18.5)]
    assert [d[2:] for d in wanted] == [(None, None, None)] * 2


def test_the_same_catalog_is_equal_whatever_is_wanted():
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
        rows, wanted = realer.commands({"commands": items})
        assert len(rows) == len(items) and not rows[0].error
        assert rows[1].error and rows[2].error and rows[3].error
        assert wanted[0].value == "1.0"
        assert all([d.command_id == 1 for d in wanted])
        assert [row.error for row in realer.sensors({"sensors": items})] == [row.error for row in rows]


def test_a_value_of_the_wrong_shape_is_a_wish_that_can_be_refused():
    for value in (None, [], {}, True, [["1.0"]]):
        _, wanted = realer.commands({"commands": [{"id": 1, "pin_port": "6", "value": value}]})
        assert wanted[0].value == ""


def test_a_catalog_without_its_list_is_no_catalog():
    for body in WRONG:
        refused(realer.commands, body)
        refused(realer.sensors, {"sensors": body} if not isinstance(body, list) else body)
    assert realer.commands({"commands": []}) == ([], [])


# Answers to batches

RESULTS = (
    ({"status": "created", "feed_data_id": 1}, v.OK),
    ({"status": "idempotent"}, v.OK),
    ({"status": "conflict"}, v.CONFLICT),
    ({"status": "rejected", "error": {"type": "conflict"}}, v.CONFLICT),
    ({"error": {"type": "message_conflict"}}, v.CONFLICT),
    ({"error": "conflict"}, v.CONFLICT),
    ({"error": {"type": "rate_limited"}}, v.RETRY),
    ({"error": {"type": "service_unavailable"}}, v.RETRY),
    ({"error": {"type": "validation_failed", "details": {"value": ["is invalid"]}}}, v.DROP),
    ({"error": {"type": "not_found"}}, v.DROP),
    ({"status": "rejected"}, v.DROP),
    ({"status": "created", "error": {"type": "tomorrow"}}, v.DROP),
    ({}, v.DROP),
    ({"status": ["created"]}, v.DROP),
    ({"error": [["conflict"]]}, v.DROP),
    ({"error": {"type": {"a": 1}}}, v.DROP),
)


def test_each_result_speaks_for_its_item():
    items = [dict(item, message_id="m%d" % i) for i, (item, _) in enumerate(RESULTS)]
    found = realer.results({"code": 2000, "status": "processed", "results": items})
    assert len(found) == len(RESULTS)
    for i, (item, expected) in enumerate(RESULTS):
        assert found["m%d" % i][0] == expected, item
    assert "is invalid" in found["m8"][1]


def test_an_item_without_a_result_has_none():
    assert "m2" not in realer.results({"results": [{"message_id": "m1", "status": "created"}]})


def test_results_of_the_wrong_shape_speak_for_nobody():
    for wrong in WRONG:
        assert realer.results(wrong) == {}
        assert "m1" not in realer.results({"results": wrong})
        assert "m1" not in realer.results({"results": [wrong, {"message_id": wrong, "status": "created"}]})
