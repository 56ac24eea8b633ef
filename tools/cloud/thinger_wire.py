"""IOTMP with PSON 2 from the server's side: frames as bytes, a device's frames read back. Runs on both interpreters.

Written from the vendor's clients and not from lib/iotmp, so that no mistake of that is repeated here. Refuses nothing
politely: what a device may not send raises Broken.
"""

import struct

KINDS = ("", "OK", "ERROR", "CONNECT", "DISCONNECT", "KEEP_ALIVE", "RUN", "DESCRIBE", "START_STREAM", "STOP_STREAM",
         "STREAM_DATA")  # fmt: skip
FIELDS = ("", "sid", "parameters", "payload", "resource")
MOST = 65536


class Broken(Exception):
    """The device broke the protocol."""


def number(n):
    """A varint."""
    return bytes([n]) if n < 128 else bytes([n % 128 + 128]) + number(n // 128)


def tag(kind, n):
    return bytes([kind * 32 + n]) if n < 31 else bytes([kind * 32 + 31]) + number(n)


def pson(value):
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
    return tag(7, len(value)) + b"".join([pson(item) for item in value])


def frame(kind, **fields):
    """A frame as the server sends it. `fields`: by the names of FIELDS; a whole number travels as a varint."""
    body = b""
    for name in FIELDS[1:]:
        if name in fields:
            value = fields[name]
            plain = type(value) is int and value >= 0
            body += bytes([FIELDS.index(name) * 8 + (0 if plain else 2)])
            body += number(value) if plain else pson(value)
    return number(KINDS.index(kind)) + number(len(body)) + body


class Bytes:
    """A cursor that breaks when it is read beyond its end."""

    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, n):
        self.at += n
        if self.at > len(self.data):
            raise Broken("cut short")
        return self.data[self.at - n : self.at]

    def number(self):
        total = weight = 0
        while True:
            byte = self.take(1)[0]
            total += (byte % 128) << weight
            weight += 7
            if byte < 128:
                return total
            if weight > 63:
                raise Broken("endless number")

    def value(self):
        kind, n = divmod(self.take(1)[0], 32)
        if n == 31:
            n = self.number()
        if kind == 0:
            return n
        if kind == 1:
            return -n
        if kind == 2:
            return struct.unpack("<d" if n else "<f", self.take(8 if n else 4))[0]
        if kind == 3:
            return (False, True, None)[n]
        if kind == 4:
            return self.take(n).decode()
        if kind == 5:
            return self.take(n)
        if kind == 6:
            pairs = [(self.value(), self.value()) for _ in range(n)]
            if [key for key, _ in pairs if not isinstance(key, str)]:
                raise Broken("a key is no text")
            return dict(pairs)
        return [self.value() for _ in range(n)]


def fields(body):
    """{name: value} of a body. Broken."""
    data, found = Bytes(body), {}
    while data.at < len(body):
        key, wire = divmod(data.number(), 8)
        if not 0 < key < len(FIELDS) or wire not in (0, 2):
            raise Broken("field %d of wire type %d" % (key, wire))
        found[FIELDS[key]] = data.value() if wire else data.number()
    return found


class Reader:
    """A device's bytes, in pieces, as frames."""

    def __init__(self):
        self.rest = b""

    def feed(self, data):
        """[(kind, fields), ...] of what is complete. Broken."""
        self.rest += data
        found = []
        while True:
            data = Bytes(self.rest)
            try:
                kind, size = data.number(), data.number()
                if not 0 < kind < len(KINDS) or size > MOST:
                    raise ValueError
                body = data.take(size)
            except Broken:
                return found
            except ValueError:
                raise Broken("no frame: kind %d, %d bytes" % (kind, size))  # noqa: B904 - MicroPython has no chains
            found.append((KINDS[kind], fields(body)))
            self.rest = self.rest[data.at :]


def read(data):
    """All frames of `data`, which is complete."""
    reader = Reader()
    found = reader.feed(data)
    if reader.rest:
        raise Broken("cut short")
    return found
