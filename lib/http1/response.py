"""An HTTP/1.1 response out of bytes, however they are cut into pieces (RFC 9112).

Owns framing: where the head, the body and the response end, and whether the connection may serve another request.
Refuses every ambiguity (two lengths, a length beside chunks, folded headers, unknown codings), a success without a
length, and everything endless: lines and body have limits, and of the headers only the few in `headers` are kept.

Each state but the last eats either one line or a run of body bytes. Lines go to the handler in `_ON_LINE`, which
picks the next state; runs go to `_run`. Line ends: a lone LF counts as CRLF (section 2.2), a lone CR is an error.
"""

from micropython import const

from http1.errors import HttpError

_STATUS = const(0)
_HEADER = const(1)
_CHUNK_SIZE = const(2)
_CHUNK_END = const(3)
_TRAILER = const(4)
# Below: states that eat body bytes.
_LENGTH = const(5)
_CHUNK = const(6)
_TO_CLOSE = const(7)
_DONE = const(8)

_KEPT = (b"content-type", b"retry-after", b"date")


class ResponseParser:
    """One response. `feed` bytes until `done`; `eof` when the peer closed. HttpError ends it for good.

    `max_head`: bytes of the status line and headers together, interim responses included, and once more of all
    chunk lines and trailers together. `max_body`: bytes of body, without chunk lines.

    `status` is an int, 0 before the head is complete; `headers` has lower-case names, of content-type, retry-after
    and date only; `body` is a bytearray; `started` once a byte came; `keep_alive` counts when `done`.
    """

    def __init__(self, max_head=4096, max_body=16384):
        self.status = 0
        self.headers = {}
        self.body = bytearray()
        self.keep_alive = True
        self.started = False
        self.done = False
        self._line = bytearray()
        self._max_head = self._head_left = max_head
        self._room = max_body
        self._left = 0
        self._begin_head()

    def __repr__(self):
        return "ResponseParser(status=%d, state=%d, body=%d)" % (self.status, self._state, len(self.body))

    def _begin_head(self):
        self._code = 0
        self._length = None
        self._chunked = False
        self._state = _STATUS

    def feed(self, data):
        """Take the next bytes (bytes or bytearray) as they came. Bytes after the end only spoil `keep_alive`."""
        at = 0
        self.started = True
        while at < len(data):
            if self.done:
                self.keep_alive = False
                return
            at = self._run(data, at) if self._state >= _LENGTH else self._gather(data, at)

    def eof(self):
        """The peer closed in an orderly way. HttpError unless the response is complete with that."""
        if self._state == _TO_CLOSE:
            self._finish()
        if not self.done:
            raise HttpError("cut short")
        self.keep_alive = False

    def _gather(self, data, at):
        """Take one line, or the part of it that is there."""
        end = data.find(b"\n", at) + 1
        stop = end or len(data)
        self._head_left -= stop - at
        if self._head_left < 0:
            raise HttpError("head too large")
        self._line += data[at:stop]
        if end:
            line = bytes(self._line[:-1])
            self._line = bytearray()
            if line[-1:] == b"\r":
                line = line[:-1]
            if b"\r" in line or b"\0" in line:
                raise HttpError("control byte in head")
            _ON_LINE[self._state](self, line)
        return stop

    def _run(self, data, at):
        """Take body bytes, at most to the end of the body or chunk."""
        size = len(data) - at
        if self._state == _TO_CLOSE:
            self._claim(size)
        else:
            size = min(size, self._left)
            self._left -= size
        self.body += data[at : at + size]
        if self._left == 0 and self._state == _LENGTH:
            self._finish()
        elif self._left == 0 and self._state == _CHUNK:
            self._state = _CHUNK_END
        return at + size

    def _claim(self, size):
        self._room -= size
        if self._room < 0:
            raise HttpError("body too large")

    def _finish(self):
        self._state = _DONE
        self.done = True

    def _on_status(self, line):
        digits = line[9:12]
        if line[:7] != b"HTTP/1." or line[7:9] not in (b"0 ", b"1 ") or line[12:13] not in (b"", b" "):
            raise HttpError("not HTTP/1")
        if len(digits) != 3 or not digits.isdigit() or not 100 <= int(digits) < 600:
            raise HttpError("bad status")
        if line[7:8] == b"0":  # HTTP/1.0 closes unless asked otherwise, and nobody asks it here
            self.keep_alive = False
        self._code = int(digits)
        self._state = _HEADER

    def _on_header(self, line):
        if not line:
            self._begin_body()
            return
        colon = line.find(b":")
        name = line[:colon].lower()
        if colon < 1 or b" " in name or b"\t" in name:  # also catches folded lines
            raise HttpError("bad header")
        value = line[colon + 1 :].strip()
        special = _SPECIAL.get(name)
        if special:
            special(self, value.lower())
        elif name in _KEPT and self._code >= 200:
            self.headers[name.decode()] = _text(value)

    def _on_length(self, value):
        if not value.isdigit() or len(value) > 9 or self._length not in (None, int(value)):
            raise HttpError("bad length")
        self._length = int(value)

    def _on_transfer(self, value):
        if value != b"chunked" or self._chunked:
            raise HttpError("unknown coding")
        self._chunked = True

    def _on_coding(self, value):
        if value not in (b"", b"identity"):
            raise HttpError("unknown coding")

    def _on_connection(self, value):
        if b"close" in value:
            self.keep_alive = False

    def _begin_body(self):
        """The head is complete: choose the framing, in the order of RFC 9112 section 6.3."""
        code = self._code
        if code == 101:
            raise HttpError("bad status")
        if code < 200:
            self._begin_head()
            return
        if self._chunked and self._length is not None:
            raise HttpError("two framings")
        self.status = code
        self._head_left = self._max_head
        if code in (204, 304):
            self._finish()
        elif self._chunked:
            self._state = _CHUNK_SIZE
        elif self._length is None:
            self._begin_to_close()
        elif self._length:
            self._begin_run(_LENGTH, self._length)
        else:
            self._finish()

    def _begin_to_close(self):
        # Over MicroPython's TLS a cut connection looks like an orderly end, and its json takes '[1, 2' for a list. An
        # error may end so, its status says enough; a success may not.
        if self._code < 400:
            raise HttpError("no length")
        self.keep_alive = False
        self._state = _TO_CLOSE

    def _begin_run(self, state, size):
        self._claim(size)
        self._left = size
        self._state = state

    def _on_chunk_size(self, line):
        digits = line.split(b";", 1)[0].strip().lower()
        if not 0 < len(digits) <= 8 or digits.strip(b"0123456789abcdef"):
            raise HttpError("bad chunk")
        size = int(digits, 16)
        if size:
            self._begin_run(_CHUNK, size)
        else:
            self._state = _TRAILER

    def _on_chunk_end(self, line):
        if line:
            raise HttpError("bad chunk")
        self._state = _CHUNK_SIZE

    def _on_trailer(self, line):
        if not line:
            self._finish()


def _text(value):
    for c in value:
        if not 0x20 <= c <= 0x7E:
            raise HttpError("bad header")
    return value.decode()


_ON_LINE = (
    ResponseParser._on_status,
    ResponseParser._on_header,
    ResponseParser._on_chunk_size,
    ResponseParser._on_chunk_end,
    ResponseParser._on_trailer,
)

_SPECIAL = {
    b"content-length": ResponseParser._on_length,
    b"transfer-encoding": ResponseParser._on_transfer,
    b"content-encoding": ResponseParser._on_coding,
    b"connection": ResponseParser._on_connection,
}
