"""Parse an HTTP/1.1 request incrementally, and the form in its body; encode a response.

For a server of a few small pages (RFC 9112; application/x-www-form-urlencoded: URL Standard, section 5). MAX_HEAD and
MAX_BODY, in bytes, bound the memory that a client can use. Transfer codings, folded headers and a repeated
Content-Length or Host are errors. A connection serves one request.
"""

import binascii

MAX_HEAD = 2048
MAX_BODY = 2048

_FIELDS = (b"host", b"content-length", b"transfer-encoding")


class RequestError(Exception):
    """The request is invalid or not supported. `status`: the HTTP status to respond with."""

    def __init__(self, status):
        super().__init__("HTTP %d" % status)
        self.status = status


class Request:
    """One request. Call `feed` until `done`. `method`, `target`, `host`: str, `host` empty if absent; `body`: bytes.

    RequestError with status 400, 411, 413, 431 or 501; after that the object must not be used again. MAX_HEAD limits
    the bytes of request line and headers together, MAX_BODY those of the body.
    """

    def __init__(self):
        self.method = self.target = self.host = ""
        self.body = b""
        self.done = False
        self._input = b""
        self._length = None  # of the body, once the head is complete

    def feed(self, data):
        """Parse the next bytes, split anywhere. Bytes after the request are ignored. RequestError."""
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
        """Parse the request line and headers; return the length of the body in bytes."""
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
    """Return the values (bytes) of the headers in `_FIELDS`, None for each that is absent."""
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
    """Return the fields of a form (bytes) as a dict of str to str. ValueError: bad percent-encoding, or not UTF-8."""
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
    """Return a response as a list of bytes, because a small heap may have no room for it in one piece. The sender must
    close the connection after it. `headers`: further header lines in one str, each with its CRLF. `pieces`: the body,
    an iterable of str."""
    body = [piece.encode() for piece in pieces]
    # The reason phrase may be empty (RFC 9112 section 4).
    head = "HTTP/1.1 %d \r\n%sContent-Length: %d\r\nConnection: close\r\n\r\n"
    return [(head % (status, headers, sum([len(piece) for piece in body]))).encode()] + body
