"""Faults: their text form, which request they meet, and the exact bytes that come of them."""

import json

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests_host.support.cloudclient import basic, reading
from tools.cloud import contract
from tools.cloud.demo_device import demo_device
from tools.cloud.faults import Fault, Faults, answer, plan_response
from tools.cloud.messages import REGISTRY, Response
from tools.cloud.model import Model, Request
from tools.cloud.wire import Wire

SOUND = Response(200, {"Content-Type": "application/json"}, b'{"code":2000,"commands":[]}')
FORM = {"authorization": basic(), "content-type": "application/x-www-form-urlencoded"}
LOGIN = Request("POST", "/oauth/token", FORM, b"grant_type=client_credentials")
NOW = 1_800_000_000.0


def cloud(*rules):
    model, faults = Model(seed=1), Faults()
    model.add_device(demo_device())
    for rule in rules:
        faults.add(rule)
    return model, faults


def sent(steps) -> bytes:
    return b"".join(step[1] for step in steps if step[0] == "send")


def read(data: bytes, closed: bool = False):
    """What a strict HTTP client makes of the bytes: (status, headers, body, number of 1xx before)."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(data)
    if closed:
        client.receive_data(b"")
    head, body, interim = None, b"", 0
    while True:
        event = client.next_event()
        if isinstance(event, h11.InformationalResponse):
            interim += 1
        elif isinstance(event, h11.Response):
            head = event
        elif isinstance(event, h11.Data):
            body += event.data
        else:
            assert isinstance(event, h11.EndOfMessage), event
            return head.status_code, {k.decode(): v.decode() for k, v in head.headers}, body, interim


def planned(text: str, response: Response = SOUND):
    return plan_response(response, Fault.parse("any " + text))


# The bytes


def test_without_a_fault_the_response_is_one_piece_and_the_connection_stays():
    (step,) = plan_response(SOUND)
    assert step == (
        "send",
        b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{"code":2000,"commands":[]}',
    )


@pytest.mark.parametrize("size", [1, 2, 17, 1000])
def test_a_chunked_body_is_legal_and_the_same(size):
    steps = planned(f"chunked={size}")
    status, headers, body, _ = read(sent(steps))
    assert (status, body) == (200, SOUND.body)
    assert headers["transfer-encoding"] == "chunked" and "content-length" not in headers
    assert steps[-1][0] == "send"


def test_chunks_come_in_every_legal_shape():
    data = sent(planned("chunked", Response(200, {}, b"0123456789" * 20)))
    for shape in (
        b"\r\n0001\r\n",
        b'\r\n7;note="a,b"\r\n',
        b"\r\n10\r\n",
        b"\r\n0;last\r\nX-Checked: yes\r\n\r\n",
    ):
        assert shape in data


@given(body=st.binary(max_size=300), size=st.integers(1, 40), interim=st.integers(0, 3))
def test_legal_oddities_never_change_a_body(body, size, interim):
    fault = Fault(chunked=size, extra_1xx=interim, huge_headers=900)
    assert read(sent(plan_response(Response(201, {}, body), fault)))[2:] == (body, interim)


@pytest.mark.parametrize("cut", [0, 1, 20, -1, -5])
def test_cut_ends_the_connection_after_so_many_bytes(cut):
    whole = sent(plan_response(SOUND))
    steps = planned(f"cut={cut}")
    assert sent(steps) == whole[:cut]
    assert steps[-1] == ("close",)


def test_drop_and_hang_send_nothing():
    assert planned("drop") == [("close",)]
    assert planned("hang") == [("hang",)]


def test_delay_waits_before_anything_else():
    assert planned("delay=2.5 drop") == [("wait", 2.5), ("close",)]
    assert planned("delay=1")[0] == ("wait", 1.0)


def test_slow_keeps_its_pace():
    steps = planned("slow=50")
    assert sent(steps) == sent(plan_response(SOUND))
    seconds = sum(step[1] for step in steps if step[0] == "wait")
    assert seconds == pytest.approx(len(sent(steps)) / 50, abs=0.11)
    assert max(len(step[1]) for step in steps if step[0] == "send") == 5


@pytest.mark.parametrize("size", [100, 65536])
def test_an_oversized_body_is_valid_except_for_its_size(size):
    body = read(sent(planned(f"oversized={size}")))[2]
    assert size <= len(body) < size + 20
    assert json.loads(body)["commands"] == []


@pytest.mark.parametrize("kind", ["half", "text", "utf8", "deep"])
def test_broken_json_cannot_be_used_but_is_framed_well(kind):
    body = read(sent(planned(f"badjson={kind}")))[2]
    if kind == "deep":
        assert len(body) == 800
    else:
        with pytest.raises((json.JSONDecodeError, UnicodeDecodeError)):
            json.loads(body.decode())


@pytest.mark.parametrize(("kind", "value"), [("list", []), ("null", None)])
def test_json_of_another_shape(kind, value):
    assert json.loads(read(sent(planned(f"badjson={kind}")))[2]) == value


def test_bodies_and_headers_of_other_kinds():
    assert read(sent(planned("empty")))[2] == b""
    assert read(sent(planned("content_type=text/html")))[1:3] == (
        {"content-type": "text/html", "content-length": "27"}, SOUND.body,
    )  # fmt: skip
    assert len(sent(planned("huge_headers=5000"))) > 5000
    steps = planned("close")
    assert read(sent(steps))[1]["connection"] == "close" and steps[-1] == ("close",)
    assert read(sent(planned("extra_1xx=3")))[3] == 3


@pytest.mark.parametrize("kind", ["body", "plain", "headers"])
def test_endless_repeats_and_never_ends(kind):
    steps = planned(f"endless={kind}")
    assert [step[0] for step in steps] == ["send", "repeat"]
    client = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    client.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(steps[0][1] + steps[1][1] * 50)
    seen = []
    while (event := client.next_event()) is not h11.NEED_DATA:
        seen.append(type(event))
    assert h11.EndOfMessage not in seen
    assert (h11.Response in seen) is (kind != "headers")


# Errors of the registry


@pytest.mark.parametrize("status", REGISTRY)
def test_every_status_of_the_registry_has_its_body(status):
    model, faults = cloud(f"commands status={status}")
    status_, _, body, _ = read(sent(answer(model, faults, Request("GET", "/iot/v1/devices/1/commands"), NOW)))
    assert (status_, json.loads(body)["code"]) == (status, REGISTRY[status][0])
    assert contract.problems("http-error-response", json.loads(body)) == {}


@pytest.mark.parametrize("status", [400, 401, 429, 503])
def test_oauth_errors_have_three_fields_of_their_own(status):
    model, faults = cloud(f"token status={status} retry_after=7")
    _, headers, body, _ = read(sent(answer(model, faults, LOGIN, NOW)))
    assert contract.problems("oauth-error-response", json.loads(body)) == {}
    assert headers["retry-after"] == "7"


def test_codes_and_types_of_older_and_newer_generations():
    model, faults = cloud("any status=403 code=4002 times=1", "any status=403 error=insufficient_scope times=1",
                          "any status=418 code=4777 times=1")  # fmt: skip
    request = Request("GET", "/iot/v1/devices/1/commands")
    bodies = [json.loads(read(sent(answer(model, faults, request, NOW)))[2]) for _ in range(3)]
    seen = [(body["code"], body["error"]["type"]) for body in bodies]
    assert seen == [(4002, "payment_required"), (4003, "insufficient_scope"), (4777, "unexpected")]


def test_a_status_outside_the_registry_comes_from_a_gateway():
    model, faults = cloud("any status=502")
    status, headers, body, _ = read(sent(answer(model, faults, LOGIN, NOW)))
    assert (status, headers["content-type"]) == (502, "text/html")
    assert body.startswith(b"<html>")


def test_a_redirect_names_its_goal():
    model, faults = cloud("token redirect=https://evil.test/x")
    status, headers, _, _ = read(sent(answer(model, faults, LOGIN, NOW)))
    assert (status, headers["location"]) == (307, "https://evil.test/x")


# What takes effect


def logged_in(*rules):
    model, faults = cloud()
    token = json.loads(read(sent(answer(model, faults, LOGIN, NOW)))[2])["access_token"]
    for rule in rules:
        faults.add(rule)
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    body = json.dumps(reading("m")).encode()
    return model, faults, Request("POST", "/iot/v1/devices/12345/feed-data", headers, body)


@pytest.mark.parametrize(
    ("rule", "stored"),
    [("drop", 1), ("cut=3", 1), ("hang", 1), ("badjson", 1), ("status=503 unseen=no", 1), ("status=503", 0),
     ("redirect=/x", 0), ("drop unseen", 0), ("hang unseen=yes", 0)],
)  # fmt: skip
def test_a_spoilt_answer_may_or_may_not_mean_a_stored_reading(rule, stored):
    model, faults, post = logged_in(f"feed-data {rule} times=1")
    answer(model, faults, post, NOW)
    assert len(model.feed(12345)) == stored
    status, _, body, _ = read(sent(answer(model, faults, post, NOW)))
    assert (status, json.loads(body)["status"]) == ((200, "idempotent") if stored else (201, "created"))
    assert len(model.feed(12345)) == 1


# Rules


def test_the_first_rule_that_fits_is_applied_until_it_is_used_up():
    _, faults = cloud("sensors drop", "any hang times=2", "token drop skip=1 times=1")
    taken = [faults.take(path) for path in ("/oauth/token", "/oauth/token", "/oauth/token", "/oauth/token")]
    assert [str(fault).split()[1] if fault else None for fault in taken] == ["hang", "hang", None, "drop"]
    assert faults.take("/oauth/token") is None
    assert faults.take("/iot/v1/devices/1/sensors") is not None
    faults.clear()
    assert faults.take("/iot/v1/devices/1/sensors") is None


def test_globs_are_matched_against_the_path():
    _, faults = cloud("/iot/*/commands/2 drop")
    assert faults.take("/iot/v1/devices/1/commands") is None
    assert faults.take("/iot/v1/devices/1/commands/2") is not None


@pytest.mark.parametrize(
    "text",
    ["feed-data status=503 times=3", "any hang", "token cut=-4 chunked=3 delay=0.5", "batches badjson=nan skip=2",
     "commands endless=headers", "revoke redirect=https://x.test/?a=b", "any unseen=no status=503"],
)  # fmt: skip
def test_text_and_rule_are_the_same_thing(text):
    fault = Fault.parse(text)
    assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    ("text", "sentence"),
    [("", "unknown endpoint"), ("feeds hang", "unknown endpoint 'feeds'; one of token"),
     ("any", "this fault does nothing"), ("any times=3", "this fault does nothing"),
     ("any explode", "unknown fault 'explode'"), ("any status=many", "'many' is no value for status"),
     ("any status", "status needs a value"), ("any badjson=odd", "badjson is one of half"),
     ("any code=4002", "need a status"), ("any drop=perhaps", "'perhaps' is no value for drop")],
)  # fmt: skip
def test_mistakes_in_a_rule_are_explained(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        Fault.parse(text)


# The connection without a socket

WIRE_LOGIN = (
    b"POST /oauth/token HTTP/1.1\r\nHost: api.realer.test\r\nAuthorization: " + basic().encode() + b"\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 29\r\n\r\ngrant_type=client_credentials"
)


@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_requests_may_arrive_in_any_pieces(piece):
    model, faults = cloud()
    wire = Wire(model, faults)
    data = WIRE_LOGIN * 2
    steps = [step for n in range(0, len(data), piece) for step in wire.feed(data[n : n + piece], NOW)]
    assert [step[0] for step in steps] == ["send", "send"]
    assert wire.requests == len(model.named("token_issued")) == 2
    assert model.violations == []


def test_connection_close_is_honoured():
    model, faults = cloud()
    request = WIRE_LOGIN.replace(b"Host:", b"Connection: close\r\nHost:")
    assert Wire(model, faults).feed(request, NOW)[-1] == ("close",)


@pytest.mark.parametrize(
    "data", [b"HELLO\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello\r\n\r\n"]
)
def test_broken_http_is_a_violation_and_the_end(data):
    model, faults = cloud()
    steps = Wire(model, faults).feed(data, NOW)
    assert sent(steps).startswith(b"HTTP/1.1 400 ") and steps[-1] == ("close",)
    assert len(model.violations) == 1


def test_a_device_that_disconnects_in_a_request_is_no_violation():
    model, faults = cloud()
    wire = Wire(model, faults)
    assert wire.feed(WIRE_LOGIN[:-3], NOW) == []
    assert wire.feed(b"", NOW) == [("close",)]
    assert Wire(model, faults).feed(b"", NOW) == []
    assert model.events == []
