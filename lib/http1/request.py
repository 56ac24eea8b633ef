"""Parses an HTTP/1.1 request, whatever pieces it arrives in, and the form in its body; builds a response.

For a server of a few small pages (RFC 9112; application/x-www-form-urlencoded: URL Standard, section 5). The
limits below bound the memory that a client can use. Errors are transfer codings, folded headers, a second
length or host, and more than one request to a connection.
"""

import binascii

MAX_HEAD = 2048
MAX_BODY = 2048

_FIELDS = (b"host", b"content-length", b"transfer-encoding")


class RequestError(Exception):
    """Not a request that can be answered as it was meant; `status`: what to answer instead."""

    def __init__(self, status):
        super().__init__("HTTP %d" % status)
        self.status = status


class Request:
    """`feed` bytes until `done`. `method`, `target`, `host`: texts, the last one empty when there was none; `body`:
    bytes. RequestError ends it for good: 400, 411, 413, 431 or 501.

    MAX_HEAD: bytes of the request line and headers together, MAX_BODY: of the body.
    """

    def __init__(self):
        self.method = self.target = self.host = ""
        self.body = b""
        self.done = False
        self._input = b""
        self._length = None  # of the body, once the head is complete

    def feed(self, data):
        """Take the next bytes as they came. What follows the request is ignored."""
        self._input += data
        if self._length is None:
            end = self._input.find(b"\r\n\r\n")
            if max(end, len(self._input) - 4 if end < 0 else 0) > MAX_HEAD:
                raise RequestError(431)
            if end < 0:
                return
            head = self._input[:end]
            self._input = self._input[end + 4 :]
            self._length = self._head(head)
        if len(self._input) >= self._length:
            self.body = self._input[: self._length]
            self.done = True

    def _head(self, head):
        """Take what counts of a head; the length of the body."""
        lines = head.split(b"\r\n")
        parts = lines.pop(0).split(b" ")
        if min(head.replace(b"\r\n", b"") + b"~") < 32 or len(parts) != 3 or parts[2][:7] != b"HTTP/1.":
            raise RequestError(400)
        host, length, coding = _fields(lines)
        try:
            self.method, self.target, self.host = [
                part.decode() for part in (parts[0], parts[1], host or b"")
            ]
        except UnicodeError:
            raise RequestError(400)
        if coding is not None:
            raise RequestError(501)
        if length is None:
            if self.method == "POST":
                raise RequestError(411)
            return 0
        if not length.isdigit():
            raise RequestError(400)
        if len(length) > 9 or int(length) > MAX_BODY:
            raise RequestError(413)
        return int(length)


def _fields(lines):
    """The values of `_FIELDS`, None for one that is not there."""
    found = [None] * len(_FIELDS)
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if not colon or name.split() != [name]:  # also catches folded lines
            raise RequestError(400)
        if name in _FIELDS:
            i = _FIELDS.index(name)
            if found[i] is not None:
                raise RequestError(400)
            found[i] = value.strip()
    return found


def form(body):
    """The fields of a form, name to text. ValueError when it is not one, or not in UTF-8."""
    found = {}
    for pair in body.split(b"&"):
        name, _, value = pair.partition(b"=")
        found[_text(name)] = _text(value)
    return found


def _text(data):
    parts = data.replace(b"+", b" ").split(b"%")
    data = parts[0]
    for part in parts[1:]:
        if len(part) < 2:
            raise ValueError("cut short")
        data += binascii.unhexlify(part[:2]) + part[2:]
    return data.decode()


def response(status, headers="", pieces=()):
    """The pieces of a response, bytes, after which the connection is closed. `headers`: lines of text, each with its
    CRLF; `pieces`: texts, the body. One after the other, because on a small heap there may be no room for the whole."""
    body = [piece.encode() for piece in pieces]
    # Without a reason phrase: nothing reads it, and it may be empty (RFC 9112 section 4).
    head = "HTTP/1.1 %d \r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n"
    return [(head % (status, headers, sum([len(piece) for piece in body]))).encode()] + body
