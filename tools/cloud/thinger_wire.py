"""IOTMP with PSON 2 from the server's side: frames as bytes, a device's frames read back. Runs on both interpreters.

It was written from the vendor's clients and not from lib/iotmp, so that it does not repeat a mistake of that. What a
device may not send raises Broken.
"""

import struct

KINDS = ("", "OK", "ERROR", "CONNECT", "DISCONNECT", "KEEP_ALIVE", "RUN", "DESCRIBE", "START_STREAM", "STOP_STREAM",
         "STREAM_DATA")  # fmt: skip
FIELDS = ("", "sid", "parameters", "payload", "resource")
MOST = 65536


class Broken(Exception):
    """The device broke the protocol."""


class CutShort(Broken):
    """What was read ends before it is complete."""


def number(n: int) -> bytes:
    """A varint."""
    return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + number(n // 128)


def tag(kind: int, n: int) -> bytes:
    return bytes([kind * 32 + n]) if n < 31 else bytes([kind * 32 + 31]) + number(n)


def pson(value: object) -> bytes:
    if value is False or value is True or value is None:
        return b"\x60" if value is False else b"\x61" if value is True else b"\x62"
    if isinstance(value, int):
        return tag(1, -value) if value < 0 else tag(0, value)
    if isinstance(value, float):
        short = struct.pack("<f", value) if abs(value) < 3e38 else b""
        if short and struct.unpack("<f", short)[0] == value:
            return b"\x40" + short
        return b"\x41" + struct.pack("<d", value)
    if isinstance(value, str):
        return tag(4, len(value.encode())) + value.encode()
    if isinstance(value, bytes):
        return tag(5, len(value)) + value
    if isinstance(value, dict):
        return tag(6, len(value)) + b"".join([pson(key) + pson(value[key]) for key in value])
    if isinstance(value, (list, tuple)):
        return tag(7, len(value)) + b"".join([pson(item) for item in value])
    raise TypeError("no value of PSON: %r" % (value,))


def frame(kind: str, **fields: object) -> bytes:
    """A frame as the server sends it. `fields`: by the names of FIELDS; a whole number travels as a varint."""
    body = b""
    for name in FIELDS[1:]:
        if name in fields:
            value = fields[name]
            if type(value) is int and value >= 0:
                body += bytes([FIELDS.index(name) * 8]) + number(value)
            else:
                body += bytes([FIELDS.index(name) * 8 + 2]) + pson(value)
    return number(KINDS.index(kind)) + number(len(body)) + body


class Bytes:
    """A cursor that breaks when it is read beyond its end."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, n: int) -> bytes:
        self.at += n
        if self.at > len(self.data):
            raise CutShort("cut short")
        return self.data[self.at - n : self.at]

    def number(self) -> int:
        total = weight = 0
        while True:
            byte = self.take(1)[0]
            total += (byte % 128) << weight
            weight += 7
            if byte < 128:
                return total
            if weight > 63:
                raise Broken("endless number")

    def value(self) -> object:
        kind, n = divmod(self.take(1)[0], 32)
        if n == 31:
            n = self.number()
        if kind == 0:
            return n
        if kind == 1:
            return -n
        if kind == 2:
            return struct.unpack("<d" if n else "<f", self.take(8 if n else 4))[0]
        if kind == 3 and n < 3:
            return (False, True, None)[n]
        if kind == 4:
            return self.take(n).decode()
        if kind == 5:
            return self.take(n)
        if kind == 6:
            pairs = [(self.value(), self.value()) for _ in range(n)]
            if [key for key, _ in pairs if not isinstance(key, str)]:
                raise Broken("a key is not a string")
            return dict(pairs)
        if kind == 7:
            return [self.value() for _ in range(n)]
        raise Broken("constant %d of PSON" % n)


def fields(body: bytes) -> dict[str, object]:
    """{name: value} of a body. Broken."""
    data = Bytes(body)
    found: dict[str, object] = {}
    while data.at < len(body):
        key, wire = divmod(data.number(), 8)
        if not 0 < key < len(FIELDS) or wire not in (0, 2):
            raise Broken("field %d of wire type %d" % (key, wire))
        found[FIELDS[key]] = data.value() if wire else data.number()
    return found


class Reader:
    """A device's bytes, in pieces, as frames."""

    def __init__(self) -> None:
        self.rest = b""

    def feed(self, data: bytes) -> list[tuple[str, dict[str, object]]]:
        """[(kind, fields), ...] of what is complete. Broken."""
        self.rest += data
        found: list[tuple[str, dict[str, object]]] = []
        while True:
            rest = Bytes(self.rest)
            try:
                kind, size = rest.number(), rest.number()
                if not 0 < kind < len(KINDS) or size > MOST:
                    raise Broken("not a frame: kind %d, %d bytes" % (kind, size))
                body = rest.take(size)
            except CutShort:
                return found
            found.append((KINDS[kind], fields(body)))
            self.rest = self.rest[rest.at :]


def read(data: bytes) -> list[tuple[str, dict[str, object]]]:
    """All frames of `data`, which is complete."""
    reader = Reader()
    found = reader.feed(data)
    if reader.rest:
        raise CutShort("cut short")
    return found
