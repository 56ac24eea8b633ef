"""An HTTP/1.1 request as bytes, and a response out of bytes, however they are cut into pieces (RFC 9112).

Owns what may stand in a request head. Refuses everything that could split or smuggle a request, HEAD and CONNECT
(their responses are framed differently), and request bodies of unknown length.

Owns the framing of responses: where the head, the body and the response end, and whether the connection may serve
another request. Refuses every ambiguity (two lengths, a length beside chunks, folded headers, unknown codings), a
success without a length, and everything endless: lines and body have limits, and only the headers that matter are kept.
"""

MAX_HEAD = 4096
MAX_BODY = 16384

_OURS = ("host", "content-length", "transfer-encoding")
_FIELDS = (b"content-length", b"transfer-encoding", b"content-encoding", b"connection", b"retry-after")


class HttpError(Exception):
    """The peer's bytes are not a response that can be trusted; the connection must not be used again.

    Its text: a few words, the same for every way the bytes were cut into pieces, never any of the bytes.
    """


def encode(method, target, host, headers=(), body=None):
    """The whole request. `headers`: (name, value) pairs; `body`: bytes-like or None, sent with its Content-Length.

    `host` is the Host header's value, with the port where it is not the default one. ValueError names the part that
    holds something other than printable ASCII, or a header that is this function's own business.
    """
    if method in ("HEAD", "CONNECT"):
        method = ""
    head = "%s %s HTTP/1.1\r\nHost: %s\r\n" % (
        _checked("method", method),
        _checked("target", target),
        _checked("host", host),
    )
    for name, value in headers:
        if ":" in name or name.lower() in _OURS:
            name = ""
        head += "%s: %s\r\n" % (_checked("header name", name), _checked("header value", value, 32))
    if body is not None:
        head += "Content-Length: %d\r\n" % len(body)
    return (head + "\r\n").encode() + (body or b"")


def _checked(part, text, low=33):
    """`text`, of printable ASCII and not empty. The error names the part, never the value: it may be a secret."""
    # As bytes: MicroPython would keep every single character for ever, in its table of names.
    data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else b""
    if not data or min(data) < low or max(data) > 126:
        raise ValueError("http: bad " + part)
    return text


class Response:
    """One response. `feed` bytes until `done`; `eof` when the peer closed. HttpError ends it for good.

    `status` is an int, 0 before the head is complete; `retry_after_s` that header's seconds, 0 when absent or a date
    (RFC 9110 section 10.2.3); `body` a bytearray; `started` once a byte came; `keep_alive` counts when `done`.

    MAX_HEAD: bytes of the status line and headers together, interim responses included, and once more of all chunk
    lines and trailers together. MAX_BODY: bytes of body, without chunk lines.
    """

    def __init__(self):
        self.status = self.retry_after_s = 0
        self.body = bytearray()
        self.keep_alive = True
        self.started = self.done = self._to_close = False
        self._input = b""
        self._head_left = MAX_HEAD
        self._reading = self._read()

    def feed(self, data):
        """Take the next bytes as they came. Bytes after the end only spoil `keep_alive`."""
        self.started = True
        self._input += data
        next(self._reading)

    def eof(self):
        """The peer closed in an orderly way. HttpError unless the response is complete with that."""
        if not (self.done or self._to_close):
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
        if code in (204, 304):
            pass
        elif coding:
            yield from self._chunks()
        elif length:
            yield from self._exactly(int(length[:-1]))
        elif code < 400:
            # Over MicroPython's TLS a cut connection looks like an orderly end, and its json takes '[1, 2' for a list.
            # An error may end so, its status says enough; a success may not.
            raise HttpError("no length")
        else:
            self._to_close = True
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
        """A status line and its headers: (status, length of the body and how it is coded, as in `_FIELDS`)."""
        line = yield from self._line()
        code = int(line[9:12]) if line[9:12].isdigit() else 0
        http_1_0 = line[:9] == b"HTTP/1.0 "
        if not (http_1_0 or line[:9] == b"HTTP/1.1 ") or line[12:13] not in (b"", b" "):
            code = 0
        if code == 101 or not 100 <= code < 600:  # 101: from now on the peer speaks something else
            raise HttpError("not HTTP/1")
        found = [b""] * len(_FIELDS)
        while True:
            line = yield from self._line()
            if not line:
                break
            name, colon, value = line.lower().partition(b":")
            if not colon or name.split() != [name]:  # also catches folded lines
                raise HttpError("bad line")
            if name in _FIELDS:
                found[_FIELDS.index(name)] += value.strip() + b","
        length, coding, content, connection, retry = found
        if coding not in (b"", b"chunked,") or content not in (b"", b",", b"identity,"):
            raise HttpError("bad coding")
        if length and (coding or not length[:-1].isdigit() or len(length) > 10):
            raise HttpError("bad length")
        if (
            http_1_0 or b"close" in connection
        ):  # HTTP/1.0 closes unless asked otherwise, and nobody asks it here
            self.keep_alive = False
        if retry[:-1].isdigit() and len(retry) < 9:
            self.retry_after_s = int(retry[:-1])
        return code, length, coding

    def _line(self):
        """One line without its end: LF or CRLF (section 2.2)."""
        while True:
            end = self._input.find(b"\n") + 1
            if (end or len(self._input)) > self._head_left:
                raise HttpError("head too large")
            if end:
                break
            yield
        self._head_left -= end
        line = self._input[: end - 1]
        self._input = self._input[end:]
        if line[-1:] == b"\r":
            line = line[:-1]
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

    def _exactly(self, size):
        """Take a body of `size` bytes into one piece of memory, which does not grow: where memory is short, there may
        be no room for twice as much for a moment."""
        if size > MAX_BODY:
            raise HttpError("body too large")
        body = bytearray(size)
        at = 0
        while at < size:
            if not self._input:
                yield
            piece = self._input[: size - at]
            self._input = self._input[size - at :]
            body[at : at + len(piece)] = piece
            at += len(piece)
        self.body = body

    def _run(self, size):
        """Take `size` bytes of body."""
        if len(self.body) + size > MAX_BODY:
            raise HttpError("body too large")
        while size:
            if not self._input:
                yield
            piece = self._input[:size]
            self._input = self._input[size:]
            self.body += piece
            size -= len(piece)
