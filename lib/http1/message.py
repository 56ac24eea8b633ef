"""Encode an HTTP/1.1 request, and parse a response incrementally (RFC 9112).

`encode` refuses everything that could split or smuggle a request, and the methods HEAD and CONNECT, whose responses are
framed differently.

`Response` determines where the head and the body end, and whether the connection can be reused. Every ambiguity is an
error: differing lengths, Content-Length together with chunks, unknown codings. Head and body have size limits. Only the
headers that are used are kept.
"""

from micropython import const

MAX_HEAD = 8192
MAX_BODY = 16384
MAX_KEPT = 2048

_OURS = ("host", "content-length", "transfer-encoding")
_FIELDS = (
    b"content-length", b"transfer-encoding", b"content-encoding", b"connection", b"retry-after", b"content-type",
    b"etag",
)  # fmt: skip
_SWITCHING_PROTOCOLS = const(101)  # what follows it is no longer HTTP
_NO_CONTENT = const(204)
_NOT_MODIFIED = const(304)
_LINE = const(512)  # bytes of a line that are kept; a longer one is an error if it is one of `_FIELDS`


class HttpError(Exception):
    """The peer did not send a valid response; the connection must not be reused.

    Its text is short, quotes nothing that was received, and does not depend on how the bytes were split.
    """


def encode(method, target, host, headers=(), body=None):
    """Return the whole request as bytes. `headers`: (name, value) pairs. `body`: bytes-like or None, sent with its
    Content-Length. `host`: the Host header's value, with the port unless it is the default one.

    `Accept-Encoding: identity` is always sent, because without it a server may compress (RFC 9110 section 12.5.3), and
    Response does not decompress. ValueError names the part that is empty or not printable ASCII, a method that is
    refused, or a header that this function sets itself.
    """
    if method in ("HEAD", "CONNECT"):
        method = ""
    # Pieces that are joined once: a small heap has no room for intermediate copies of a head with a long token.
    pieces = [
        _checked("method", method),
        b" ",
        _checked("target", target),
        b" HTTP/1.1\r\nHost: ",
        _checked("host", host),
        b"\r\nAccept-Encoding: identity",
    ]
    for name, value in headers:
        if ":" in name or name.lower() in _OURS:
            name = ""
        pieces += [b"\r\n", _checked("header name", name), b": ", _checked("header value", value, 32)]
    if body is not None:
        pieces.append(b"\r\nContent-Length: %d" % len(body))
    pieces += [b"\r\n\r\n", body if isinstance(body, bytes) else bytes(body or b"")]
    return b"".join(pieces)


def _checked(part, text, low=33):
    """Return `text` as bytes. ValueError if it is empty or has bytes outside `low` to 126; its text names the part,
    never the value, which may be a secret."""
    # Checked as bytes: MicroPython interns every single character of a str, and keeps interned strings for ever.
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""
    if not data or min(data) < low or max(data) > 126:
        raise ValueError("http: bad " + part)
    return data


class Response:
    """One response. Call `feed` until `done`, and `eof` if the peer closes. After an HttpError it must not be used
    again.

    * `status`: int, 0 before the head is complete. `started`: a byte has been received
    * `retry_after_s`: Retry-After in seconds, 0 if absent or a date (RFC 9110 section 10.2.3)
    * `kind`: the value of Content-Type in lower case, as bytes
    * `etag`: str for If-None-Match (section 8.8.3), "" if absent or not printable ASCII
    * `body`: bytearray. `keep_alive`: whether the connection can be reused; valid once `done`
    * `framed`: False if only the end of the connection ends the body. Over MicroPython's TLS a truncation looks like an
      orderly end, and MicroPython's json accepts '[1, 2' as a list: callers must check that such a body is complete

    `sink()`: called if the body of a success is longer than MAX_KEPT bytes or not framed. It returns a function that is
    called with the whole body in pieces (bytes) and may raise HttpError; `body` is then not valid. Without a sink up to
    MAX_BODY bytes are kept, and a longer body is an error. Of the body of any other status (300 and above), the first
    bytes up to the same limit (MAX_KEPT with a sink, else MAX_BODY) are kept, and the rest is discarded.

    MAX_HEAD limits the bytes of status line and headers, including interim responses, and separately those of all chunk
    lines and trailers.
    """

    def __init__(self, sink=None):
        self.status = self.retry_after_s = 0
        self.body = bytearray()
        self.keep_alive = self.framed = True
        self.started = self.done = False
        self.sink = sink
        self._take = None
        self._input = self.kind = b""
        self.etag = ""
        self._head_left = MAX_HEAD
        self._reading = self._read()

    def feed(self, data):
        """Parse the next bytes, split anywhere. Bytes after the end of the response only clear `keep_alive`.
        HttpError."""
        self.started = True
        self._input += data
        next(self._reading)

    def eof(self):
        """Tell the parser that the peer has closed the connection. HttpError unless that completes the response."""
        if not self.done and self.framed:
            raise HttpError("cut short")
        self.done = True
        self.keep_alive = False

    # The methods below are generators: they parse from top to bottom and yield whenever they need more bytes.

    def _read(self):
        code = 0
        while code < 200:  # interim responses are skipped
            code, length, coding = yield from self._head()
        self.status = code
        self._head_left = MAX_HEAD
        # The framing, in the order of RFC 9112 section 6.3.
        if code in (_NO_CONTENT, _NOT_MODIFIED):
            pass
        elif coding:
            yield from self._chunks()
        elif length:
            yield from self._run(int(length))
        else:
            self.framed = False
            while True:
                yield from self._run(len(self._input))
                yield
        self.done = True
        while True:
            if self._input:
                self._input = b""
                self.keep_alive = False
            yield

    def _head(self):
        """Parse a status line and headers. Return (status, Content-Length in digits, Transfer-Encoding); the latter two
        are bytes, b"" if absent."""
        line = yield from self._line()
        code = int(line[9:12]) if line[9:12].isdigit() else 0
        http_1_0 = line[:9] == b"HTTP/1.0 "
        if not (http_1_0 or line[:9] == b"HTTP/1.1 ") or line[12:13] not in (b"", b" "):
            code = 0
        if code == _SWITCHING_PROTOCOLS or not 100 <= code < 600:
            raise HttpError("not HTTP/1")
        found = [b""] * len(_FIELDS)
        name = b""
        while line := (yield from self._line()):
            if line[:1] in (b" ", b"\t"):  # a folded line continues its header (RFC 9112 section 5.2)
                line = name + b":" + line
            name, colon, value = line.partition(b":")
            name = name.lower()
            ours = name in _FIELDS
            if not colon or name.split() != [name] or (ours and len(line) > _LINE - 2):
                raise HttpError("bad line")
            if ours:
                found[_FIELDS.index(name)] += value.strip() + b","
        tag = found.pop()
        self.etag = tag[:-1].decode() if tag and min(tag) > 32 and max(tag) < 127 else ""
        length, coding, content, connection, retry, kind = [value.lower() for value in found]
        if coding not in (b"", b"chunked,") or content not in (b"", b",", b"identity,"):
            raise HttpError("compressed answer" if content else "bad coding")
        if length:
            # A repeated identical value is valid (RFC 9110 section 8.6).
            sizes = length.replace(b", ", b",")
            length = sizes[: sizes.find(b",")]
            if coding or not length.isdigit() or len(length) > 9 or sizes.replace(length + b",", b""):
                raise HttpError("bad length")
        # HTTP/1.0 closes unless a request asks otherwise, and none here does.
        if http_1_0 or b"close" in connection:
            self.keep_alive = False
        if retry[:-1].isdigit():
            self.retry_after_s = min(int(retry[:-1]), 9999999)
        self.kind = kind[:-1]
        return code, length, coding

    def _line(self):
        """Return one line without its LF or CRLF (RFC 9112 section 2.2), cut to about _LINE bytes."""
        line = b""
        end = 0
        while not end:
            while not self._input:
                yield
            end = self._input.find(b"\n") + 1
            size = end or len(self._input)
            self._head_left -= size
            if self._head_left < 0:
                raise HttpError("head too large")
            line = (line + self._input[:size])[:_LINE]
            self._input = self._input[size:]
        line = line[: -2 if line[-2:] == b"\r\n" else -1]
        if b"\r" in line or b"\0" in line:
            raise HttpError("bad line")
        return line

    def _chunks(self):
        size = 1
        while size:
            digits = (yield from self._line()).partition(b";")[0].strip().lower()
            if not digits or digits.strip(b"0123456789abcdef"):
                raise HttpError("bad chunk")
            size = int(digits, 16)
            yield from self._run(size)
            # Trailers follow the last chunk; only an empty line follows any other.
            while (yield from self._line()):
                if size:
                    raise HttpError("bad chunk")

    def _run(self, size):
        """Read `size` bytes of body."""
        most = MAX_KEPT if self.sink else MAX_BODY
        if self.status < 300 and not self._take:
            large = len(self.body) + size > most
            if self.sink and (large or not self.framed):
                self._take = self.sink()
                self._take(self.body)
            elif large:
                raise HttpError("body too large")
        at = None
        if size <= min(most, MAX_KEPT) and not (self.body or self._take):
            # Allocated at its final size: a growing bytearray has to be moved, and a small heap has no room for that.
            self.body = bytearray(size)
            at = 0
        while size:
            while not self._input:
                yield
            piece, self._input = self._input, b""
            if len(piece) > size:
                piece, self._input = piece[:size], piece[size:]
            size -= len(piece)
            if self._take:
                self._take(piece)
            elif at is not None:
                self.body[at : at + len(piece)] = piece
                at += len(piece)
            else:
                self.body += piece[: most - len(self.body)]
