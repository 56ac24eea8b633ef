"""The form that the answers of every generation of the Realer API have in common.

The sound bodies are the documentation's own examples (docs/protocol.md) with values of ours.
"""

import json

from firmware.cloud import keys, responses
from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from tests_host.support.raising import raised

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
        self.kind = b"application/json"
        self.body = bytearray(body if isinstance(body, bytes) else body.encode())
        self.retry_after_s = retry_after_s


def outcome(status, body=""):
    """The outcome on an answer, or the class of the error it becomes."""
    try:
        return responses.parse_response("commands", Answer(status, body))[0]
    except LinkError as e:
        return type(e)


# Any answer

ANSWERS = (
    (200, '{"code":2000}', outcomes.OK),
    (
        201,
        '{"code":2000,"status":"created","feed_data_id":123,"message_id":"1-0-1","warnings":[]}',
        outcomes.OK,
    ),
    (200, '{"code":2000,"status":"idempotent"}', outcomes.OK),
    (201, '{"status":"created"}', outcomes.OK),  # B0: no code
    (200, '{"code":2099,"new":[1]}', outcomes.OK),  # a code of tomorrow
    (200, "{}", outcomes.OK),
    (200, '{"code":4009}', outcomes.CONFLICT),
    (200, '{"code":5003}', LinkError),
    (400, '{"code":4000,"error":{"type":"bad_request"}}', outcomes.DROP),
    (400, "", outcomes.DROP),
    (401, '{"code":4001,"error":{"type":"unauthorized"}}', outcomes.REAUTH),
    (401, '{"error":{"type":"invalid_token"}}', outcomes.REAUTH),
    (401, '{"error":"invalid_client","error_description":"..","request_id":".."}', outcomes.REAUTH),
    (402, '{"error":{"type":"subscription_inactive"}}', outcomes.PAYMENT_REQUIRED),
    (403, '{"code":4002,"error":"Payment required"}', outcomes.PAYMENT_REQUIRED),
    (403, '{"code":4003}', outcomes.FORBIDDEN),
    (404, "<html>no</html>", outcomes.NOT_FOUND),
    (409, '{"error":{"type":"message_conflict"}}', outcomes.CONFLICT),
    (403, '{"code":4013}', outcomes.TOO_LARGE),
    (413, "too large", outcomes.TOO_LARGE),
    (429, '{"code":4029}', outcomes.RATE_LIMITED),
    (429, "", outcomes.RATE_LIMITED),
    (400, '{"code":"4009"}', outcomes.DROP),  # a code is a number
    (400, '{"code":[4009]}', outcomes.DROP),
    (400, '{"code":null}', outcomes.DROP),
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
    (200, DEEP, LinkError),
    (400, DEEP, outcomes.DROP),
    (204, "", LinkError),
)


def test_every_answer_has_one_outcome():
    for status, body, expected in ANSWERS:
        assert outcome(status, body) == expected, (status, body[:60])


def test_a_validation_error_includes_its_details():
    found, _, reported, _ = responses.parse_response("feed-data", Answer(422, INVALID))
    assert found not in (outcomes.OK, outcomes.RATE_LIMITED, outcomes.CONFLICT)
    assert reported.startswith("feed-data: HTTP 422 ") and "is invalid for this device" in reported


def test_retry_after_is_returned():
    assert responses.parse_response("commands", Answer(429, "", 40))[3] == 40
    error = raised(LinkError, responses.parse_response, "commands", Answer(503, "", 50))
    assert error.retry_after_s == 50 and not isinstance(error, AuthError)


def test_error_texts_are_short():
    # On MicroPython str() of the last one would end in a RuntimeError.
    for error in ('"%s"' % ("x" * 5000), '{"%s":1}' % ("x" * 5000), DEEP):
        _, _, reported, _ = responses.parse_response("commands", Answer(400, '{"error":%s}' % error))
        assert len(reported) < 240


def error_text(what, body, kind=b"text/html; charset=utf-8", status=200):
    answer = Answer(status, body)
    answer.kind = kind
    return str(raised(LinkError, responses.parse_response, what, answer))


def test_a_page_in_place_of_json_is_an_error_with_type_beginning_and_remedy():
    for what, status in (("token", 200), ("commands", 200), ("commands", 302), ("token", 503)):
        text = error_text(what, "\n<!DOCTYPE html><html>\x07\u00e4" + "x" * 900, status=status)
        assert "text/html" in text and "<!DOCTYPE html>" in text and "instead of JSON" in text
        assert ("cloud.base_url" in text) == (status < 500), "a proxy answers for a server that is down"
        assert len(text) < 200 and "\x07" not in text and "\n" not in text
    assert "upstream down" in error_text("commands", "upstream down", b"text/plain", 502)
    # Of a redirection, or of a page without a word, there is only that it is none.
    for what, status, body in (
        ("token", 200, ""),
        ("commands", 204, ""),
        ("commands", 302, ""),
        ("sensors", 200, "[]"),
    ):
        text = error_text(what, body, status=status)
        assert "instead of JSON; check cloud.base_url" in text, (what, status)
    assert "instead" not in error_text("commands", "", status=503)
    assert "instead" not in error_text("commands", '{"error":"no"}', b"application/json", 503)


def test_a_refusal_names_what_has_to_be_corrected():
    for status, error, words in (
        (401, "invalid_client", "client_secret"),
        (400, "invalid_client", "client_secret"),  # RFC 6749, section 5.2, leaves it to the server
        (400, "invalid_scope", "policy"),
        (402, "expired", "subscription"),
        (403, "forbidden", "device_id"),
        (404, "not_found", "device_id"),
    ):
        outcome, _, text, _ = responses.parse_response("token", Answer(status, '{"error":"%s"}' % error))
        assert words in responses.remedy(outcome, text), (status, error)


def test_a_possible_token_is_never_in_an_error_text():
    for what in ("token", "login", "/iot/v1/mqtt-credentials"):
        for body in ('{"access_token":"secret12', "access_token=secret12", "secret12", '"secret12"'):
            assert "secret12" not in error_text(what, body, b"application/json")


# The token


def test_the_token_of_the_documentation():
    token, expires_s, renew_s = keys.grant(json.loads(TOKEN))
    assert (token.reveal(), expires_s, renew_s) == ("test-token", 3600, 2700)
    assert "test-token" not in repr((token, expires_s, renew_s))


def test_a_token_with_less_or_more_than_documented():
    for body, expected in (
        ({"access_token": "t", "expires_in": 3600}, (3600, 0)),
        ({"access_token": "t", "expires_in": "3600", "renew_after": "90"}, (3600, 90)),
        ({"access_token": "t", "expires_in": 59.9, "renew_after": None}, (59, 0)),
        ({"access_token": "t", "expires_in": 1, "renew_after": [], "new": {"a": 1}}, (1, 0)),
        ({"access_token": "t"}, (3600, 0)),
        ({"access_token": "t", "expires_in": None, "renew_after": 90}, (3600, 90)),
    ):
        assert keys.grant(body)[1:] == expected


def test_an_unusable_token_is_an_error():
    good = {"access_token": "test-token", "expires_in": 3600}
    for text in (None, "", 7, True, ["t"], "two words", "line\r\nX: y", "tab\t", "caf\u00e9", "\x7f", " "):
        raised(LinkError, keys.grant, dict(good, access_token=text))
    for seconds in (0, -5, 0.5, "", "soon", True, [3600], {}, 1e300):
        raised(LinkError, keys.grant, dict(good, expires_in=seconds))
    for body in WRONG:
        raised(LinkError, keys.grant, body)


def test_no_error_text_contains_the_token():
    error = raised(LinkError, keys.grant, {"access_token": "test token", "expires_in": 3600})
    assert "test token" not in str(error)
