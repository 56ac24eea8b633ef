"""Response framing. Every input is fed whole and in small pieces: the outcome must be the same."""

from http1 import message
from http1.message import HttpError, Response
from tests_host.support.raising import raised

OK = b"HTTP/1.1 200 OK\r\n"
BAD = b"HTTP/1.1 502 Bad gateway\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def fed(data, step, end, limits):
    """(status, retry_after_s, body, keep_alive) or the text of the HttpError, or "more" when it is not done."""
    limits_before = message.MAX_HEAD, message.MAX_BODY
    message.MAX_HEAD, message.MAX_BODY = limits
    parser = Response()
    try:
        for at in range(0, len(data), step):
            parser.feed(data[at : at + step])
        if end:
            parser.eof()
    except HttpError as e:
        return str(e)
    finally:
        message.MAX_HEAD, message.MAX_BODY = limits_before
    if not parser.done:
        return "more"
    return parser.status, parser.retry_after_s, bytes(parser.body), parser.keep_alive


def outcome(data, end=False, limits=(4096, 16384)):
    results = [fed(data, step, end, limits) for step in (len(data) or 1, 1, 2, 3, 7)]
    assert all(result == results[0] for result in results), results
    return results[0]


def test_length():
    assert outcome(OK + b"Content-Length: 5\r\n\r\nhello") == (200, 0, b"hello", True)


def test_empty_bodies():
    assert outcome(OK + b"Content-Length: 0\r\n\r\n") == (200, 0, b"", True)
    assert outcome(b"HTTP/1.1 204 No Content\r\n\r\n") == (204, 0, b"", True)
    assert outcome(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n") == (304, 0, b"", True)
    assert outcome(CHUNKED + b"0\r\n\r\n") == (200, 0, b"", True)


def test_chunks():
    body = b"5\r\nhello\r\n6 ; a=b\r\n world\r\n00\r\nX-Trailer: 1\r\n\r\n"
    assert outcome(CHUNKED + body) == (200, 0, b"hello world", True)
    assert outcome(CHUNKED + b"0" * 99 + b"5\r\nhello\r\n" + b"0" * 40 + b"\r\n\r\n")[2] == b"hello"
    assert outcome(CHUNKED + b"F" * 99 + b"\r\n") == "body too large"
    assert outcome(CHUNKED + b"A\r\n0123456789\r\na;\r\n0123456789\r\n0\r\n\r\n")[2] == b"0123456789" * 2


def test_a_body_without_a_length_is_read_until_the_peer_closes():
    for line, status in (
        (OK, 200),
        (b"HTTP/1.0 200 OK\r\n", 200),
        (b"HTTP/1.1 302 Found\r\n", 302),
        (BAD, 502),
    ):
        assert outcome(line + b"\r\nabc", end=True) == (status, 0, b"abc", False)
        assert outcome(line + b"\r\n", end=True) == (status, 0, b"", False)
        assert outcome(line + b"\r\nabc") == "more"
        parser = Response()
        parser.feed(line + b"\r\nabc")
        assert not parser.framed


def test_the_media_type_is_kept():
    for line, kind in ((b"Content-Type: Text/HTML; charset=x", b"text/html; charset=x"), (b"Date: x", b"")):
        parser = Response()
        parser.feed(OK + line + b"\r\nContent-Length: 0\r\n\r\n")
        assert parser.kind == kind and parser.framed


def test_an_etag_is_kept_as_it_is_where_a_request_can_have_it():
    for value, etag in (
        (b'"aB1"', '"aB1"'),
        (b'W/"aB1"', 'W/"aB1"'),
        (b"", ""),
        (b'"a b"', ""),
        (b'"\xc3\xa4"', ""),
    ):
        parser = Response()
        parser.feed(b"HTTP/1.1 304 Not Modified\r\neTag: " + value + b"\r\n\r\n")
        assert parser.done and parser.etag == etag, value
    parser = Response()
    parser.feed(OK + b"Content-Length: 0\r\n\r\n")
    assert parser.etag == ""


class Sink:
    def __init__(self, most=1 << 30):
        self.body, self.opened, self.most = b"", 0, most

    def __call__(self):
        self.opened += 1
        return self.take

    def take(self, piece):
        self.body += piece
        if len(self.body) > self.most:
            raise HttpError("enough")


def streamed(data, step, sink, end=False):
    parser = Response(sink)
    for at in range(0, len(data), step):
        parser.feed(data[at : at + step])
        assert len(parser.body) <= message.MAX_KEPT
    if end:
        parser.eof()
    return parser


def test_a_large_body_goes_to_the_sink_in_pieces():
    body = b"0123456789" * 5000
    whole = OK + b"Content-Length: %d\r\n\r\n" % len(body) + body
    chunked = CHUNKED + b"".join([b"fa0\r\n%s\r\n" % body[at : at + 4000] for at in range(0, 48000, 4000)])
    chunked += b"7d0\r\n%s\r\n0\r\n\r\n" % body[48000:]
    for data, end in ((whole, False), (chunked, False), (OK + b"\r\n" + body, True)):
        for step in (100, 1024, len(data)):
            sink = Sink()
            parser = streamed(data, step, sink, end)
            assert (parser.done, parser.keep_alive) == (True, not end)
            assert sink.body == body and sink.opened == 1


def test_a_small_body_without_a_length_goes_to_the_sink_too():
    sink = Sink()
    assert streamed(b"HTTP/1.0 200 OK\r\n\r\nabc", 1, sink, True).done
    assert sink.body == b"abc" and sink.opened == 1


def test_small_bodies_and_errors_do_not_go_to_the_sink():
    sink = Sink()
    assert streamed(OK + b"Content-Length: 2\r\n\r\nab", 1, sink).body == b"ab"
    parser = streamed(BAD + b"Content-Length: 99999\r\n\r\n" + b"x" * 99999, 1024, sink)
    assert parser.done and parser.keep_alive and parser.body == b"x" * message.MAX_KEPT
    assert not sink.opened


def test_a_sink_may_stop_the_body():
    data = OK + b"Content-Length: 9999\r\n\r\n" + b"x" * 9999
    assert str(raised(HttpError, streamed, data, 100, Sink(5000))) == "enough"


def test_cut_anywhere_is_incomplete():
    for whole in (OK + b"Content-Length: 3\r\n\r\nabc", CHUNKED + b"3\r\nabc\r\n0\r\n\r\n"):
        for size in range(len(whole)):
            assert outcome(whole[:size]) == "more"
            assert outcome(whole[:size], end=True) == "cut short"


def test_other_headers_do_not_matter():
    head = (
        b"content-TYPE:application/json\r\nRetry-After:  7 \r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
        b"Set-Cookie: a=b\r\nX-Odd: \xff\xfe\r\nX-Empty:\r\nContent-Length: 0\r\n\r\n"
    )
    assert outcome(OK + head) == (200, 7, b"", True)


def test_retry_after():
    end = b"\r\nContent-Length: 0\r\n\r\n"
    for value, seconds in (
        (b"0", 0),
        (b"120", 120),
        (b"007", 7),
        (b"9999999", 9999999),
        (b"10000000", 9999999),
        (b"9" * 99, 9999999),
    ):
        assert outcome(OK + b"RETRY-after:" + value + end)[1] == seconds
    for value in (
        b"",
        b"-1",
        b"+1",
        b"1.5",
        b"1,2",
        b"Thu, 01 Jan 2026 00:00:00 GMT",
        b"\xff",
    ):
        assert outcome(OK + b"Retry-After: " + value + end)[1] == 0
    assert outcome(OK + b"Retry-After: 1\r\nRetry-After: 2" + end)[1] == 0


def test_keep_alive():
    end = b"Content-Length: 0\r\n\r\n"
    assert outcome(OK + b"Connection: close\r\n" + end)[3] is False
    assert outcome(OK + b"CONNECTION: Upgrade, Close\r\n" + end)[3] is False
    assert outcome(OK + b"Connection: close\r\nConnection: keep-alive\r\n" + end)[3] is False
    assert outcome(OK + b"Connection: keep-alive\r\n" + end)[3] is True
    assert outcome(b"HTTP/1.0 200 OK\r\n" + end)[3] is False


def test_surplus_bytes_make_the_connection_unusable():
    assert outcome(OK + b"Content-Length: 1\r\n\r\nabc") == (200, 0, b"a", False)
    assert outcome(b"HTTP/1.1 204 x\r\n\r\n\r\n")[3] is False


def test_an_end_after_the_end_makes_the_connection_unusable():
    assert outcome(OK + b"Content-Length: 1\r\n\r\na", end=True)[3] is False


def test_interim_responses_are_skipped():
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nDate: x\r\nContent-Length: 9\r\n\r\n"
    assert outcome(interim + OK + b"Content-Length: 1\r\n\r\nz") == (200, 0, b"z", True)
    assert outcome(b"HTTP/1.1 101 Switching\r\n\r\n") == "not HTTP/1"
    assert outcome(b"HTTP/1.1 100 Continue\r\n\r\n" * 200) == "head too large"


def test_status_lines():
    for line in (b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 200 \xc3\xa9", b"HTTP/1.0 200 OK"):
        assert outcome(line + b"\r\nContent-Length: 0\r\n\r\n")[0] == 200
    for line in (
        b"", b"200 OK", b"HTTP/2 200 OK", b"HTTP/1.2 200 OK", b"http/1.1 200 OK", b"HTTP/1.1  200 OK",
        b"HTTP/1.1 200x", b"HTTP/1.1 2000",
    ):  # fmt: skip
        assert outcome(line + b"\r\n\r\n") == "not HTTP/1"
    for code in (b"20", b"099", b"600", b"2x0", b"-20", b"+20"):
        assert outcome(b"HTTP/1.1 " + code + b" \r\n\r\n") == "not HTTP/1"


def test_line_ends():
    assert outcome(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nab")[2] == b"ab"
    assert outcome(OK + b"Date: a\rb\r\n\r\n") == "bad line"
    assert outcome(OK + b"Date: a\r\r\n\r\n") == "bad line"
    assert outcome(OK + b"Date: a\0b\r\n\r\n") == "bad line"


def test_bad_headers():
    for line in (b"no colon", b": no name", b"Space : x", b" folded", b"\tX: y"):
        assert outcome(OK + line + b"\r\n\r\n") == "bad line"


def test_a_folded_line_continues_its_header():
    for line in (b"Date: x\r\n folded", b"X:\r\n\tno: header\r\n and: more", b"Connection: a,\r\n b"):
        assert outcome(OK + line + b"\r\nContent-Length: 1\r\n\r\na") == (200, 0, b"a", True), line
    assert outcome(OK + b"Connection: a,\r\n close\r\nContent-Length: 1\r\n\r\na")[3] is False
    assert outcome(OK + b"X: y\r\n Content-Length: 2\r\nContent-Length: 1\r\n\r\na")[2] == b"a"
    assert outcome(OK + b"Content-Length: 1\r\n 2\r\n\r\n") == "bad length"


def test_bad_lengths():
    for value in (b"", b"-1", b"+1", b"1,2", b"1,", b",1", b"0x1", b"1 1", b"1e3", b"1" * 10):
        assert outcome(OK + b"Content-Length: " + value + b"\r\n\r\n") == "bad length"
    assert outcome(OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n") == "bad length"
    assert outcome(OK + b"Content-Length:\r\nContent-Length: 1\r\n\r\n") == "bad length"


def test_the_same_length_twice_is_one():
    for head in (b"Content-Length: 2\r\nContent-Length:  2\r\n", b"Content-Length: 2, 2\r\n"):
        assert outcome(OK + head + b"\r\nab") == (200, 0, b"ab", True)


def test_two_framings():
    both = (b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n")
    assert outcome(OK + both[0] + both[1] + b"\r\n") == "bad length"
    assert outcome(OK + both[1] + both[0] + b"\r\n") == "bad length"


def test_unknown_codings():
    for value in (b"gzip", b"gzip, chunked", b"chunked, chunked", b"", b"identity"):
        assert outcome(OK + b"Transfer-Encoding: " + value + b"\r\n\r\n") == "bad coding"
    twice = OK + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert outcome(twice) == "bad coding"
    assert outcome(OK + b"Content-Encoding: gzip\r\n\r\n") == "compressed answer"
    assert outcome(OK + b"Content-Encoding: identity\r\nContent-Length: 0\r\n\r\n")[0] == 200


def test_bad_chunks():
    for line in (b"", b"g", b"-1", b"+1", b"0x1", b"1 1", b";x", b"\xff"):
        assert outcome(CHUNKED + line + b"\r\n") == "bad chunk"
    assert outcome(CHUNKED + b"1\r\nab\r\n") == "bad chunk"


def test_body_limit():
    limits = (4096, 10)
    ten = b"0123456789"
    assert outcome(OK + b"Content-Length: 10\r\n\r\n" + ten, limits=limits)[2] == ten
    assert outcome(OK + b"Content-Length: 11\r\n\r\n", limits=limits) == "body too large"
    assert outcome(CHUNKED + b"5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n", limits=limits)[2] == ten
    assert outcome(CHUNKED + b"5\r\n01234\r\n6\r\n", limits=limits) == "body too large"
    assert outcome(CHUNKED + b"ffffffff\r\n", limits=limits) == "body too large"
    assert outcome(BAD + b"\r\n" + ten, end=True, limits=limits)[2] == ten
    assert outcome(BAD + b"\r\n" + ten + b"x", end=True, limits=limits) == (502, 0, ten, False)


def test_a_head_of_8_kilobytes_is_read():
    head = b"".join([b"X-%d: %s\r\n" % (n, b"x" * n) for n in (3000, 600, 2000, 10, 2400)])
    parser = Response()
    parser.feed(OK + head + b"Content-Length: 1\r\n\r\nz")
    assert parser.done and parser.body == b"z"


def test_long_lines_are_cut():
    parser = Response()
    parser.feed(OK + b"X: ")
    for _ in range(7):
        parser.feed(b"x" * 1024)
        assert len(parser._input) <= 1024
    parser.feed(b"\r\nContent-Length: 1\r\n\r\nz")
    assert parser.done and parser.body == b"z"


def test_a_relevant_header_in_a_long_line_is_an_error():
    for blanks in (300, 600):
        line = b"Content-Length:" + b" " * blanks + b"1\r\n"
        assert outcome(OK + line + b"\r\nz") == ((200, 0, b"z", True) if blanks == 300 else "bad line")


def test_head_limit():
    limits = (60, 1000)
    head = OK + b"Content-Length: 0\r\n"  # 36 bytes, 2 more end the head
    assert outcome(head + b"A: " + b"x" * 17 + b"\r\n\r\n", limits=limits)[0] == 200
    assert outcome(head + b"A: " + b"x" * 18 + b"\r\n\r\n", limits=limits) == "head too large"
    assert outcome(b"x" * 61, limits=limits) == "head too large"
    assert outcome(b"x" * 60, limits=limits) == "more"


def test_chunk_lines_and_trailers_have_a_limit():
    assert outcome(CHUNKED + b"1;" + b"x" * 5000, limits=(100, 1000)) == "head too large"
    assert outcome(CHUNKED + b"1\r\nx\r\n" * 100, limits=(100, 1000)) == "head too large"
    assert outcome(CHUNKED + b"0\r\n" + b"X: y\r\n" * 100, limits=(100, 1000)) == "head too large"
    assert outcome(CHUNKED + b"1\r\nx\r\n" * 11 + b"0\r\n\r\n", limits=(60, 1000))[2] == b"x" * 11


def test_an_endless_body_uses_little_memory():
    parser = Response()
    parser.feed(CHUNKED)
    reason = None
    for _ in range(1000):
        try:
            parser.feed(b"X" * 64)
        except HttpError as e:
            reason = str(e)
            break
    assert reason == "head too large"
    assert len(parser.body) == 0 and len(parser._input) <= 4096 + 64


def test_surplus_is_not_kept():
    parser = Response()
    parser.feed(OK + b"Content-Length: 0\r\n\r\n")
    assert parser.keep_alive
    parser.feed(b"")
    assert parser.keep_alive
    for _ in range(100):
        parser.feed(b"X" * 64)
    assert not parser.keep_alive and parser._input == b""


def test_state_is_visible():
    parser = Response()
    assert not parser.started
    parser.feed(OK)
    assert parser.started and parser.status == 0
    parser.feed(b"Content-Length: 9\r\n\r\nx")
    assert parser.status == 200 and not parser.done
    parser.feed(b"yyyyyyyy")
    assert parser.done and parser.body == b"xyyyyyyyy"


def test_a_body_of_known_length_has_its_place_at_once_and_one_too_large_to_keep_grows():
    for size, first in ((1500, 1500), (message.MAX_KEPT + 1, 10)):
        response = message.Response()
        response.feed(b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n" % size + b"x" * 10)
        assert len(response.body) == first and not response.done
        response.feed(b"y" * (size - 10))
        assert response.done and response.body == b"x" * 10 + b"y" * (size - 10)
