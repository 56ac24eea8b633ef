"""Requests byte for byte, and everything that must not get into one."""

from http1.message import encode


def refusal(**changes):
    """What `encode` says when one part of a good request is replaced."""
    parts = {
        "method": "GET",
        "target": "/x",
        "host": "api.realer.test",
        "headers": (("A", "b"),),
        "body": None,
    }
    parts.update(changes)
    try:
        encode(parts["method"], parts["target"], parts["host"], parts["headers"], parts["body"])
    except ValueError as e:
        return str(e)
    return None


def test_without_body():
    assert encode("GET", "/iot/v1?x=1", "api.realer.test") == (
        b"GET /iot/v1?x=1 HTTP/1.1\r\nHost: api.realer.test\r\nAccept-Encoding: identity\r\n\r\n"
    )


def test_headers_keep_their_order_and_the_body_its_length():
    headers = (("Authorization", "Bearer test-token-not-real"), ("Content-Type", "application/json"))
    assert encode("POST", "/p", "h:8443", headers, b'{"a":1}') == (
        b"POST /p HTTP/1.1\r\nHost: h:8443\r\nAccept-Encoding: identity\r\n"
        b"Authorization: Bearer test-token-not-real\r\n"
        b'Content-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a":1}'
    )


def test_an_empty_body_has_content_length_zero():
    assert encode("POST", "/p", "h", (), b"").endswith(b"Content-Length: 0\r\n\r\n")


def test_body_kinds():
    for body in (b"ab", bytearray(b"ab"), memoryview(b"ab")):
        assert encode("POST", "/p", "h", (), body).endswith(b"Content-Length: 2\r\n\r\nab")


def test_no_value_can_split_a_request():
    for poison in ("\r", "\n", "\r\nX: y", "\0", "\x7f", "\t", "é", "☃"):
        assert refusal(method="GET" + poison) == "http: bad method"
        assert refusal(target="/" + poison) == "http: bad target"
        assert refusal(host="h" + poison) == "http: bad host"
        assert refusal(headers=(("A" + poison, "b"),)) == "http: bad header name"
        assert refusal(headers=(("A", "b" + poison),)) == "http: bad header value"


def test_spaces_only_in_values():
    assert refusal(headers=(("A", "b c"),)) is None
    assert refusal(target="/a b") == "http: bad target"
    assert refusal(headers=(("A b", "c"),)) == "http: bad header name"


def test_empty_or_missing_values_are_refused():
    for nothing in ("", None, 5, b"x"):
        assert refusal(target=nothing) == "http: bad target"
        assert refusal(headers=(("A", nothing),)) == "http: bad header value"


def test_framing_headers_of_the_caller_are_refused():
    for name in ("Host", "content-length", "Transfer-Encoding", "A:", "A:b"):
        assert refusal(headers=((name, "1"),)) == "http: bad header name"


def test_head_and_connect_are_refused():
    assert refusal(method="HEAD") == refusal(method="CONNECT") == "http: bad method"


def test_error_never_shows_the_value():
    assert "not-real" not in refusal(headers=(("Authorization", "test-secret-not-real\n"),))
