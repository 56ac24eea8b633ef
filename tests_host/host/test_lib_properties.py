"""What the codecs of `lib` promise for every input, tried with generated ones."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsstub import resolver as dns
from http1.message import HttpError, Response, encode
from netio.errors import NetError
from tools.cloud import dns as dns_server

pytestmark = pytest.mark.gate

GOOD = (
    b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 500 Oops\r\nRetry-After: 3\r\n\r\nuntil the end",
    b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n",
)


@given(st.binary(max_size=500), st.lists(st.integers(1, 100), min_size=1))
def test_http_chunking_is_undone(body: bytes, sizes: list[int]):
    data, at = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0
    for size in sizes:
        piece = body[at : at + size]
        at += len(piece)
        data += b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b""
    parser = Response()
    parser.feed(data + b"0\r\n\r\n")
    assert parser.done
    assert parser.body == body[:at]


def test_http_memory_stays_small_whatever_comes():
    def endless(start: bytes, more: bytes) -> None:
        parser = Response()
        parser.feed(start)
        for _ in range(100_000):
            try:
                parser.feed(more)
            except HttpError:
                return

    tracemalloc.start()
    for more in (b"x" * 100, b"A: b\r\n", b"1\r\nx\r\n", b"HTTP/1.1 100 C\r\n\r\n", b"\r\n", b"0\r\n\r\n"):
        for start in (b"", b"HTTP/1.1 200 OK\r\n", GOOD[1][:60], GOOD[0]):
            endless(start, more)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 64 * 1024


printable = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=20)


@given(printable, st.text(max_size=20), st.binary(max_size=50) | st.none())
def test_http_request_never_gets_a_line_more(name: str, value: str, body: bytes | None):
    framing = name.lower() in ("host", "content-length", "transfer-encoding")
    if ":" in name or framing or not value or not all(" " <= c <= "~" for c in value):
        with pytest.raises(ValueError, match=r"^http: bad header (name|value)$"):
            encode("POST", "/x", "h", ((name, value),), body)
        return
    data = encode("POST", "/x", "h", ((name, value),), body)
    head, _, rest = data.partition(b"\r\n\r\n")
    assert head.count(b"\r\n") == (4 if body is not None else 3)
    assert rest == (body or b"")


labels = st.text("abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=20)
names = st.lists(labels, min_size=1, max_size=5).map(".".join)


@given(names, st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_dns_understands_an_independent_server(name: str, ident: int, ttl_s: int):
    host = name + ".realer.test"
    answer = dns_server.answer(dns.query(ident, host), addresses=("192.0.2.7",), ttl_s=ttl_s)
    assert answer is not None
    assert dns.parse(answer, ident, host) == (["192.0.2.7"], min(ttl_s, 3600))


def only_net_error(parse: Callable[[], Any], kind: str) -> None:
    kinds = []
    try:
        parse()
    except NetError as error:
        kinds.append(error.kind)
    assert kinds in ([], [kind])


@given(st.text(max_size=300))
def test_dns_query_survives_any_name(name: str):
    only_net_error(lambda: dns.query(7, name), "dns")
