"""Requests as a browser, a phone and somebody unkind send them."""

from http1.request import MAX_BODY, MAX_HEAD, Request, RequestError, form, response
from tests_host.support.raising import raised

GET = b"GET / HTTP/1.1\r\nHost: 192.168.4.1\r\nAccept: */*\r\n\r\n"
POST = b"POST /save HTTP/1.1\r\nhost:192.168.4.1\r\nContent-Length: 7\r\n\r\na=1&b=2"


def parsed(data, step=None):
    request = Request()
    for i in range(0, len(data), step or len(data)):
        assert not request.done
        request.feed(data[i : i + (step or len(data))])
    return request


def refused(data, step=None):
    return raised(RequestError, parsed, data, step).status


def test_a_request_is_the_same_in_pieces_of_any_size():
    for step in (None, 1, 2, 3, 7, 50):
        request = parsed(GET, step)
        assert request.done
        assert (request.method, request.target, request.host) == ("GET", "/", "192.168.4.1")
        assert request.body == b""
        request = parsed(POST, step)
        assert request.done and (request.method, request.target) == ("POST", "/save")
        assert request.host == "192.168.4.1" and request.body == b"a=1&b=2"


def test_it_is_not_done_before_its_end():
    for end in range(len(POST)):
        assert not parsed(POST[:end] or b"P", 5).done


def test_bytes_behind_a_request_are_ignored():
    assert parsed(POST + b"GET / HTTP/1.1\r\n").body == b"a=1&b=2"


def test_without_a_host_it_is_empty():
    assert parsed(b"GET /x HTTP/1.0\r\n\r\n").host == ""


REFUSED = (
    (400, b"\r\n\r\n"),
    (400, b"GET /\r\n\r\n"),
    (400, b"GET / HTTP/2.0\r\n\r\n"),
    (400, b"GET  / HTTP/1.1\r\n\r\n"),
    (400, b"\x16\x03\x01\x02\x00\x01\r\n\r\n"),
    (400, b"GET /\xff HTTP/1.1\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost: \xc3\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nno colon\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\nA: \0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nContent-Length:\r\n\r\n"),
    (400, b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\na"),
    (411, b"POST / HTTP/1.1\r\nHost: a\r\n\r\n"),
    (413, b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % (MAX_BODY + 1)),
    (413, b"POST / HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n"),
    (431, b"GET / HTTP/1.1\r\nA: " + b"x" * MAX_HEAD + b"\r\n\r\n"),
    (431, b"x" * (MAX_HEAD + 5)),
    (501, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"),
)


def test_a_request_that_cannot_be_served_gets_an_error_response():
    for status, data in REFUSED:
        for step in (None, 1, 64):
            assert refused(data, step) == status, (status, data[:60], step)


def test_the_largest_head_and_body_are_taken():
    line = b"GET / HTTP/1.1\r\nA: "
    assert parsed(line + b"x" * (MAX_HEAD - len(line)) + b"\r\n\r\n", 100).done
    body = b"x" * MAX_BODY
    request = parsed(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % MAX_BODY + body, 100)
    assert request.done and request.body == body


def test_an_endless_head_is_refused_before_it_fills_the_memory():
    request = Request()
    taken = status = 0
    while not status and taken < 100000:
        try:
            request.feed(b"x" * 100)
            taken += 100
        except RequestError as e:
            status = e.status
    assert status == 431 and taken <= MAX_HEAD + 4


def test_forms():
    assert form(b"a=1&b=two+words&c=") == {"a": "1", "b": "two words", "c": ""}
    assert form(b"ssid=caf%C3%A9%20%26%2b&x=%3D") == {"ssid": "café &+", "x": "="}
    assert form(b"a") == {"a": ""} and form(b"") == {"": ""}
    assert form("ssid=ö".encode()) == {"ssid": "ö"}


def test_an_invalid_form_is_a_value_error():
    for body in (b"a=%", b"a=%4", b"a=%zz", b"a=%ff", b"a=\xff", b"%+1=2", b"a=%C3"):
        raised(ValueError, form, body)


def test_responses():
    assert response(405, "Allow: GET\r\n") == [
        b"HTTP/1.1 405 \r\nAllow: GET\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    ]
    head, *body = response(200, "", ["<p>ö</p>", "more"])
    assert b"Content-Length: 13\r\n" in head and b"".join(body) == "<p>ö</p>more".encode()
