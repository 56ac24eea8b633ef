"""The server's side of MQTT for tests and simulations: its packets as bytes, a client's packets read back. Runs on both
interpreters.

Written from the standard and not from lib/mqtt5, so that no mistake of that is repeated here. A client packet that
breaks a rule is a ValueError.
"""

TEXTS = (0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F)
SIZES = {
    0x01: 1, 0x02: 4, 0x11: 4, 0x13: 2, 0x17: 1, 0x18: 4, 0x19: 1, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1,
    0x25: 1, 0x27: 4,
}  # fmt: skip
SIZES.update({0x28: 1, 0x29: 1, 0x2A: 1})
BINARIES = (0x09, 0x16)
USER = 0x26


def need(true, what="a broken rule"):
    if not true:
        raise ValueError(what)


def vbi(n):
    out = []
    while True:
        out.append(n % 128 + (128 if n > 127 else 0))
        n //= 128
        if not n:
            return bytes(out)


def word(n):
    return bytes((n // 256, n % 256))


def counted(data):
    if isinstance(data, str):
        data = data.encode()
    return word(len(data)) + data


def packet(first, body=b""):
    return bytes((first,)) + vbi(len(body)) + body


def properties(version, pairs):
    if version == 4:
        return b""
    data = b""
    for ident, value in pairs:
        data += bytes((ident,))
        if ident == USER:
            data += counted(value[0]) + counted(value[1])
        elif ident in TEXTS or ident in BINARIES:
            data += counted(value)
        else:
            data += value.to_bytes(SIZES[ident], "big")
    return vbi(len(data)) + data


def connack(version=5, code=0, present=0, pairs=()):
    return packet(0x20, bytes((present, code)) + properties(version, pairs))


def publish(topic, payload, pid=0, dup=0, retain=0, pairs=(), version=5):
    head = counted(topic) + (word(pid) if pid else b"")
    return packet(0x30 | dup << 3 | (2 if pid else 0) | retain, head + properties(version, pairs) + payload)


def puback(pid, code=0, pairs=(), version=5):
    return packet(0x40, word(pid) + (bytes((code,)) + properties(5, pairs) if code or pairs else b""))


def suback(pid, codes, pairs=(), version=5):
    return packet(0x90, word(pid) + properties(version, pairs) + bytes(codes))


def disconnect(code, pairs=()):
    return packet(0xE0, bytes((code,)) + properties(5, pairs))


PINGRESP = b"\xd0\x00"
PINGREQ = b"\xc0\x00"


class Reader:
    def __init__(self, data):
        self.data = bytes(data)
        self.at = 0

    def take(self, n):
        piece = self.data[self.at : self.at + n]
        need(len(piece) == n, "short")
        self.at += n
        return piece

    def number(self, n):
        return int.from_bytes(self.take(n), "big")

    def vbi(self):
        value, factor = 0, 1
        while True:
            byte = self.number(1)
            value += byte % 128 * factor
            factor *= 128
            need(factor <= 128**4, "length")
            if byte < 128:
                return value

    def counted(self):
        return self.take(self.number(2))

    def properties(self):
        end = self.vbi()
        end += self.at
        found = {}
        while self.at < end:
            ident = self.number(1)
            need(ident not in found and (ident in SIZES or ident in TEXTS or ident in BINARIES), "property")
            found[ident] = self.number(SIZES[ident]) if ident in SIZES else self.counted()
        need(self.at == end)
        return found

    def left(self):
        return len(self.data) - self.at


def read_all(data, version=5):
    """All packets of a client in `data`, as dicts with "kind" and what that kind has."""
    reader = Reader(data)
    found = []
    while reader.left():
        first = reader.number(1)
        found.append(read(first, Reader(reader.take(reader.vbi())), version))
    return found


def read(first, body, version):
    kind, flags = first >> 4, first & 15
    seen = {"kind": kind}
    if kind == 3:
        need(flags & 1 == 0 and flags & 6 in (0, 2), "retained or QoS 2")
        seen["dup"] = flags >> 3
        seen["topic"] = body.counted().decode()
        seen["pid"] = body.number(2) if flags & 2 else 0
        need(seen["topic"] and (seen["pid"] or not flags & 2), "no topic or no packet id")
        seen["properties"] = body.properties() if version == 5 else {}
        seen["payload"] = body.take(body.left())
        return seen
    need(flags == (2 if kind == 8 else 0))
    if kind == 1:
        read_connect(body, seen)
    elif kind == 4:
        seen["pid"] = body.number(2)
    elif kind == 8:
        seen["pid"] = body.number(2)
        need(seen["pid"])
        if version == 5:
            need(body.properties() == {})
        seen["filters"], seen["qos"] = [], []
        while body.left():
            seen["filters"].append(body.counted().decode())
            seen["qos"].append(body.number(1))
            need(seen["qos"][-1] in (0, 1))
    elif kind == 14:
        seen["code"] = body.number(1) if body.left() else 0
        need(version == 5 or not seen["code"])
    else:
        need(kind == 12, kind)
    need(not body.left())
    return seen


def read_connect(body, seen):
    need(body.counted() == b"MQTT")
    version = seen["version"] = body.number(1)
    flags = body.number(1)
    need(flags & 1 == 0)
    seen["clean"] = flags >> 1 & 1
    seen["keep_alive_s"] = body.number(2)
    seen["properties"] = body.properties() if version == 5 else {}
    seen["client_id"] = body.counted().decode()
    seen["will"] = None
    if flags & 4:
        need(flags >> 3 & 7 == 1, "QoS 1, not retained")
        if version == 5:
            need(body.properties() == {})
        seen["will"] = (body.counted().decode(), body.counted())
    else:
        need(flags >> 3 & 7 == 0)
    seen["username"] = body.counted().decode() if flags & 128 else None
    seen["password"] = body.counted() if flags & 64 else None
