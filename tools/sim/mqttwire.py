"""The broker's side of MQTT packets for simulations: bytes into packets and fields, fields into bytes.

It has the framing, fields and properties of MQTT 5.0 and 3.1.1 that a broker needs. It was written apart from the
device's own codec, so that each checks the other. What the specification calls malformed raises ValueError. Sections
are those of MQTT 5.0.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK = 1, 2, 3, 4, 8, 9
PINGREQ, PINGRESP, DISCONNECT = 12, 13, 14
_FLAGS = {SUBSCRIBE: 2}  # of the types with fixed ones; all others have 0 (section 2.1.3)

# Section 2.2.2.2: property identifier -> form of its value.
_FORMS = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), "u8"),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), "u16"),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), "u32"),
    0x0B: "varint",
    **dict.fromkeys((0x09, 0x16), "data"),
    **dict.fromkeys((0x03, 0x08, 0x12, 0x15, 0x1A, 0x1C, 0x1F), "text"),
    0x26: "pair",
}
SESSION_EXPIRY, RECEIVE_MAXIMUM, TOPIC_ALIAS, SERVER_KEEP_ALIVE = 0x11, 0x21, 0x23, 0x13


class Fields:
    """Reads the body of one packet from front to back."""

    def __init__(self, body: bytes) -> None:
        self._body, self._at = body, 0

    def take(self, n: int) -> bytes:
        part = self._body[self._at : self._at + n]
        if len(part) < n:
            raise ValueError("a packet ends too early")
        self._at += n
        return part

    def rest(self) -> bytes:
        return self.take(len(self._body) - self._at)

    @property
    def more(self) -> bool:
        return self._at < len(self._body)

    def u8(self) -> int:
        return self.take(1)[0]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u32(self) -> int:
        return int.from_bytes(self.take(4), "big")

    def data(self) -> bytes:
        return self.take(self.u16())

    def text(self) -> str:
        text = self.data().decode()
        if "\0" in text:
            raise ValueError("text holds U+0000")
        return text

    def pair(self) -> tuple[str, str]:
        return self.text(), self.text()

    def varint(self) -> int:
        value = 0
        for shift in range(0, 28, 7):
            byte = self.u8()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("a variable byte integer is too long")

    def properties(self) -> dict[int, Any]:
        """Values by identifier; of a user property the last one."""
        inner = Fields(self.take(self.varint()))
        found: dict[int, Any] = {}
        while inner.more:
            name = inner.varint()
            if name not in _FORMS or (name in found and name != 0x26):
                raise ValueError(f"property 0x{name:02x} is unknown or given twice")
            found[name] = getattr(inner, _FORMS[name])()
        return found


def packets(buffer: bytearray) -> Iterator[tuple[int, int, Fields]]:
    """(type, flags, fields) of every complete packet, which is taken out of the buffer. Raises ValueError."""
    while len(buffer) >= 2:
        size, used = 0, 1
        while True:
            if used >= len(buffer):
                return
            size |= (buffer[used] & 127) << (7 * (used - 1))
            used += 1
            if buffer[used - 1] < 128:
                break
            if used == 5:
                raise ValueError("a remaining length is too long")
        if len(buffer) < used + size:
            return
        kind, flags = buffer[0] >> 4, buffer[0] & 15
        if kind != PUBLISH and flags != _FLAGS.get(kind, 0):
            raise ValueError(f"packet type {kind} with flags {flags}")
        body = bytes(buffer[used : used + size])
        del buffer[: used + size]
        yield kind, flags, Fields(body)


def packet(kind: int, body: bytes = b"", flags: int = 0) -> bytes:
    return bytes([kind << 4 | flags]) + varint(len(body)) + body


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def u16(value: int) -> bytes:
    return value.to_bytes(2, "big")


def text(value: str) -> bytes:
    data = value.encode()
    return u16(len(data)) + data


def properties(values: dict[int, int]) -> bytes:
    """Numeric properties, as a broker sends them."""
    sizes = {"u8": 1, "u16": 2, "u32": 4}
    body = b"".join(
        bytes([name]) + value.to_bytes(sizes[_FORMS[name]], "big") for name, value in values.items()
    )
    return varint(len(body)) + body
