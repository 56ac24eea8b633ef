"""Builds an HTTP/1.1 request, and parses a response, whatever pieces it arrives in (RFC 9112).

It checks the head of a request. Errors are everything that could split or smuggle a request, HEAD and CONNECT (their
responses are framed differently), and request bodies of unknown length.

It frames responses: where the head, the body and the response end, and whether the connection may serve another
request. Every ambiguity is an error: lengths that differ, a length beside chunks, folded headers, unknown codings.
Head and body have limits, and only the headers that matter are kept.
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
_SWITCHING_PROTOCOLS = const(101)  # from then on the peer speaks something else
_NO_CONTENT = const(204)
_NOT_MODIFIED = const(304)
_LINE = const(512)  # bytes of a line that are kept: none of `_FIELDS` is longer


class HttpError(Exception):
    """The peer's bytes are not a valid response; the connection must not be used again.

    Its text is short, the same whatever pieces the bytes arrived in, and quotes none of them.
    """


def encode(method, target, host, headers=(), body=None):
    """The whole request. `headers`: (name, value) pairs; `body`: bytes-like or None, sent with its Content-Length.
    Without this header a server may compress (RFC 9110 section 12.5.3), which no Response takes.

    `host` is the Host header's value, with the port where it is not the default one. ValueError names the part that
    holds something other than printable ASCII, or a header that is this function's own business.
    """
    if method in ("HEAD", "CONNECT"):
        method = ""
    # Pieces, joined once: on a small heap a head with a long token has no room for copies on the way.
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
    """The bytes of `text`, of printable ASCII and not empty. The error names the part, never the value: it may be a
    secret."""
    # As bytes: MicroPython would keep every single character for ever, in its table of names.
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""
    if not data or min(data) < low or max(data) > 126:
        raise ValueError("http: bad " + part)
    return data


class Response:
    """One response. `feed` bytes until `done`; `eof` when the peer closed. HttpError ends it for good.

    `status` is an int, 0 before the head is complete; `retry_after_s` that header's seconds, 0 when absent or a date
    (RFC 9110 section 10.2.3); `kind` the media type in lower case, as bytes; `etag` what If-None-Match takes (section
    8.8.3), "" when absent or of no use; `body` a bytearray; `started` once a byte came; `keep_alive` counts when
    `done`. `framed`: False where the end of the connection is the end of the body. Over MicroPython's TLS a cut looks
    like an orderly end, and its json takes '[1, 2' for a list: check that it is complete.

    `sink()`: called when a success has more than MAX_KEPT bytes of body or is not framed; returns a function that takes
    the body in pieces of bytes, from the first one on, and may raise HttpError. `body` then counts for nothing. None:
    up to MAX_BODY are kept, and more is an error.

    MAX_HEAD: bytes of the status line and headers together, interim responses included, and once more of all chunk
    lines and trailers together. Of the body of anything but a success no more than that is kept, and the rest read.
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
        """Take the next bytes as they came. Bytes after the end only spoil `keep_alive`."""
        self.started = True
        self._input += data
        next(self._reading)

    def eof(self):
        """The peer closed in an orderly way. HttpError unless the response is complete with that."""
        if not self.done and self.framed:
            raise HttpError("cut short")
        self.done = True
        self.keep_alive = False

    # Generators: they read the response from top to bottom and yield wherever bytes are missing.

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
        """A status line and its headers: (status, length of the body as digits and how it is coded, b"" for none)."""
        line = yield from self._line()
        code = int(line[9:12]) if line[9:12].isdigit() else 0
        http_1_0 = line[:9] == b"HTTP/1.0 "
        if not (http_1_0 or line[:9] == b"HTTP/1.1 ") or line[12:13] not in (b"", b" "):
            code = 0
        if code == _SWITCHING_PROTOCOLS or not 100 <= code < 600:
            raise HttpError("not HTTP/1")
        found = [b""] * len(_FIELDS)
        while True:
            line = yield from self._line()
            if not line:
                break
            name, colon, value = line.partition(b":")
            name = name.lower()
            ours = name in _FIELDS
            # The second also catches folded lines.
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
            # The same one twice is one (RFC 9110 section 8.6).
            sizes = length.replace(b", ", b",")
            length = sizes[: sizes.find(b",")]
            if coding or not length.isdigit() or len(length) > 9 or sizes.replace(length + b",", b""):
                raise HttpError("bad length")
        # HTTP/1.0 closes unless asked otherwise, and no request here does
        if http_1_0 or b"close" in connection:
            self.keep_alive = False
        if retry[:-1].isdigit() and len(retry) < 9:
            self.retry_after_s = int(retry[:-1])
        self.kind = kind[:-1]
        return code, length, coding

    def _line(self):
        """One line without its end: LF or CRLF (section 2.2); of a long one the first bytes."""
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
            if not 0 < len(digits) <= 8 or digits.strip(b"0123456789abcdef"):
                raise HttpError("bad chunk")
            size = int(digits, 16)
            yield from self._run(size)
            # After the last chunk come trailers, after any other one nothing but the end of its line.
            while (yield from self._line()):
                if size:
                    raise HttpError("bad chunk")

    def _run(self, size):
        """Take `size` bytes of body."""
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
            # At once: one that grows piece by piece has no room to move to on a small heap.
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
