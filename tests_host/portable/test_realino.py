"""The words of Realino. The files in vectors/realino are the documentation's own examples, broken as they are there."""

import binascii
import json

from firmware.cloud import keys, responses
from firmware.cloud import realino_dialect as realino
from firmware.core import outcomes
from firmware.core.catalog import bind
from firmware.core.errors import LinkError
from firmware.core.models import EPOCH, Report, Secret
from tests_host.support.raising import raised

CFG = {"client_id": "123456789012345", "client_secret": Secret("test-secret-not-real")}
WRONG = (None, True, 0, -1, 1.5, "", "text", [], [[]], {}, {"a": {}}, [None, "x", 7, {"id": []}])


def vector(name):
    with open(__file__.rsplit("/", 2)[0] + "/vectors/realino/" + name) as f:
        return f.read()


class Answer:
    def __init__(self, status, body=""):
        self.status = status
        self.body = bytearray(body.encode())
        self.retry_after_s = 0
        self.kind = b""


def reply(**changes):
    body = json.loads(vector("login-200.json"))
    body.update(changes)
    return {key: value for key, value in body.items() if value is not ...}


# Login


def test_the_keys_go_into_the_header_or_into_the_body_never_both():
    method, target, headers, body = realino.login(CFG, False)
    assert (method, target, body) == ("POST", "/control_devices/sessions.realino", b"")
    scheme, _, keys = dict(headers)["Authorization"].partition(" ")
    assert (scheme, binascii.a2b_base64(keys)) == ("Basic", b"123456789012345:test-secret-not-real")
    assert dict(headers)["Content-Type"] == "application/json"
    method, target, headers, body = realino.login(CFG, True)
    assert (method, target) == ("POST", "/control_devices/sessions.realino")
    assert "Authorization" not in dict(headers) and dict(headers)["Content-Type"] == "application/json"
    assert json.loads(body) == {"client_id": 123456789012345, "client_secret": "test-secret-not-real"}


def test_a_non_numeric_client_id_stays_text():
    body = realino.login(dict(CFG, client_id="cdv_1"), True)[3]
    assert json.loads(body)["client_id"] == "cdv_1"


def test_the_login_of_the_documentation():
    found, body, _, _ = responses.parse_response("login", Answer(200, vector("login-200.json")))
    assert found == outcomes.OK
    token, expires_s, renew_s = keys.grant(body)
    assert (token.reveal(), expires_s, renew_s) == ("b11db7f6c816568eb3b156df3aeaa5", 3600, 0)
    device, catalog, interval_s, most_bytes, subscription = realino.account(body)
    assert (device, interval_s, most_bytes, subscription) == (1, 5, 5000, "active")
    assert [tuple(row) for row in catalog.commands] == [
        (1, "relay", "6", 0, 1, 1, ""),
        (2, "relay", "9", 5, 35, 0.5, ""),
    ]
    assert [tuple(row) for row in catalog.sensors] == [
        (1, "thermistor", "14", ""),
        (2, "ldr_sensor", "15", ""),
    ]


def test_the_refusals_of_the_documentation():
    found, _, reported, _ = responses.parse_response("login", Answer(401, vector("login-401.json")))
    assert found == outcomes.REAUTH and "Invalid client id / client secret combination." in reported
    # A comma is missing in it. One interpreter reads it nevertheless; the other has the HTTP status.
    assert responses.parse_response("login", Answer(422, vector("login-422.txt")))[0] == outcomes.INVALID


def test_the_code_counts_where_it_differs_from_the_status():
    for status, code, expected in (
        (403, 4002, outcomes.PAYMENT_REQUIRED), (403, 4013, outcomes.TOO_LARGE), (403, 4003, outcomes.FORBIDDEN),
        (200, 4001, outcomes.REAUTH), (400, 4029, outcomes.RATE_LIMITED), (422, 4000, outcomes.DROP),
        (404, None, outcomes.NOT_FOUND),
    ):  # fmt: skip
        for error in ('"a sentence"', '{"type":"x","message":"a sentence"}', "null"):
            text = '{"code":%s,"error":%s,"details":{}}' % (json.dumps(code), error)
            assert responses.parse_response("commands", Answer(status, text))[0] == expected, (status, code)


def test_the_login_of_the_oldest_servers_has_fewer_fields():
    body = reply(
        code=...,
        access_token_expires_in=...,
        expires_in=1800,
        plan_requests_period_interval=...,
        plan_requests_data_transfer=...,
        subscription_status=...,
    )
    assert keys.grant(body)[1:] == (1800, 0)
    assert realino.account(body)[2:] == (5, 5000, None)


def test_only_the_status_active_is_an_active_subscription():
    for status in ("expired", "Active", "", None, 7, True, [], {}, ["active"]):
        subscription = realino.account(reply(subscription_status=status))[4]
        assert subscription not in (None, "active"), status
    assert realino.account(reply(subscription_status=...))[4] is None, "the first request shows it"


def test_a_plan_of_the_wrong_shape_counts_as_the_documented_one():
    for wrong in (None, True, "", "soon", [], {}, "1e9"):
        found = realino.account(reply(plan_requests_period_interval=wrong, plan_requests_data_transfer=wrong))
        assert found[2:4] == (5, 5000), wrong
    assert realino.account(reply(plan_requests_period_interval=0))[2] == 0
    assert realino.account(reply(plan_requests_period_interval="30"))[2] == 30


def test_a_login_without_a_device_or_its_lists_is_none():
    for device in (None, True, "", "1", "1/../2", 1.5, [], {}):
        raised(LinkError, realino.account, reply(id=device))
    for key in ("commands", "sensors"):
        for wrong in WRONG:
            if not isinstance(wrong, list):
                raised(LinkError, realino.account, reply(**{key: wrong}))
    for wrong in WRONG:
        raised(LinkError, realino.account, wrong)


# The catalog

RANGE = {"value_type_range_min": "5.0", "value_type_range_max": "35.0", "value_type_range_step": "0.5"}


def command(**item):
    item = dict({"id": 1, "kind": "relay", "pin_port": "6", "value_type": "customary"}, **item)
    return realino.account(reply(commands=[item]))[1].commands[0]


def test_a_range_is_enforced_as_the_cloud_gives_it():
    assert command(**RANGE)[3:] == (5, 35, 0.5, "")
    assert command(value_type="binary", **RANGE)[3:] == (0, 1, 1, ""), "binary is binary"
    assert command(value_type="binary")[3:] == (0, 1, 1, "")


def test_a_command_without_a_usable_range_is_ignored():
    for key in RANGE:
        for wrong in (None, "", "warm", True, [], {}, "nan"):
            assert command(**dict(RANGE, **{key: wrong})).error, (key, wrong)
    for kind in ("NumericRange", "", None, 7, [], "Binary"):
        assert command(**dict(RANGE, value_type=kind)).error, kind


def test_an_ignored_command_is_bound_to_no_output():
    cfg = {"pin_port": "6", "mode": "switch"}
    notes = []
    assert (
        bind([command(value_type="scale", **RANGE)], [cfg["pin_port"]], [cfg], "command", notes) == [None]
        and notes
    )
    assert bind([command(value_type="binary")], [cfg["pin_port"]], [cfg], "command", []) != [None]


# Work


def test_requests_use_the_device_id_of_the_login():
    method, target, headers, body = realino.request(7, Secret("test-token"), "commands", "")
    assert (method, target, body) == ("GET", "/control_devices/7/commands.realino", None)
    assert dict(headers)["Authorization"] == "Token test-token"
    method, target, headers, body = realino.request(7, Secret("test-token"), "feeds", '{"a":1}')
    assert (method, target, body) == ("PUT", "/control_devices/7/feeds.realino", b'{"a":1}')
    assert dict(headers)["Content-Type"] == "application/json"


ROWS = realino.account(json.loads(vector("login-200.json")))[1].commands
PLACES = [(1, "relay", "6"), (2, "relay", "9")]


def test_the_values_of_the_documentation():
    seen, desired = realino.commands(json.loads(vector("commands-200.json")), ROWS)
    assert seen == PLACES == realino.places(ROWS)
    assert [tuple(d) for d in desired] == [(1, 0.0, None, None, None), (2, 18.5, None, None, None)]


def test_a_value_for_a_moved_command_is_no_desired_value():
    good = json.loads(vector("commands-200.json"))["commands"]
    for change in ({"pin_port": "9"}, {"kind": "motor"}, {"id": 3}, {"error": "broken"}, {"id": [1]}):
        seen, desired = realino.commands({"commands": [dict(good[0], **change), good[1]]}, ROWS)
        assert [d.command_id for d in desired] == [2], change
        assert seen != PLACES or "error" in change
    assert realino.commands({"commands": good}, [])[1] == []


def test_polls_of_the_wrong_shape():
    for wrong in WRONG:
        raised(LinkError, realino.commands, wrong, ROWS)
        _, desired = realino.commands({"commands": [wrong, {"id": 1, "pin_port": wrong, "value": 1.0}]}, ROWS)
        assert desired == []
        item = {"id": 1, "kind": "relay", "pin_port": "6", "value": wrong}
        _, desired = realino.commands({"commands": [item]}, ROWS)
        assert type(desired[0].value) in (str, int, float), "a desired value that can be refused"


def report(source, source_id, value):
    return Report("x", source, source_id, value, 1777025700 - EPOCH, 0, None, None, None)


def test_the_feed_of_the_documentation():
    text = realino.feed([report("command", 1, "0"), report("sensor", 1, "18.49")])
    assert json.loads(text) == json.loads(vector("feeds.json"))


def test_empty_lists_are_left_out_of_a_feed():
    assert json.loads(realino.feed([report("sensor", 2, "7.0")])) == {
        "sensors": [{"sensor_id": "2", "value": "7.0"}]
    }


def test_an_answer_to_a_feed_may_be_empty_but_no_other():
    for status in (200, 204):
        assert responses.parse_response("feeds", Answer(status))[0] == outcomes.OK
        raised(LinkError, responses.parse_response, "commands", Answer(status))
    raised(LinkError, responses.parse_response, "feeds", Answer(200, "<html>"))
    assert responses.parse_response("feeds", Answer(200, '{"code":4022}'))[0] == outcomes.INVALID
