"""Parses the packets of an MQTT server; MqttError (OASIS mqtt-v5.0 and 3.1.1; sections are those of 5.0).

It finds where a packet ends, and its texts, properties and reason codes. Packets that this client never asks for are
errors: QoS 2, UNSUBACK, enhanced authentication. `version` is the protocol level: 5, or 4 for MQTT 3.1.1.
"""

from micropython import const

from mqtt5 import codes

# By property id (section 2.2.2.2): the size of a number, or one of these kinds. 0: no server may send it to a client
# that asks for nothing in particular.
_TEXT = const(6)  # 7: binary, 8: a pair of texts
_KINDS = b"\0\1\4\6\0\0\0\0\6\7\0\0\0\0\0\0\0\4\6\2\0\0\0\0\0\0\0\0\6\0\0\6\0\2\2\2\1\1\x08\4\1\1\1"

# Return codes of MQTT 3.1.1 (its table 3.1) as codes of MQTT 5.
_OLD_CODES = b"\0\x84\x85\x88\x86\x87\x81"

# What the reason codes that people get to see mean (section 2.4).
_REASONS = (
    "81malformed;82protocol error;84no such version;86bad user or password;87not authorized;88unavailable;"
    "8abanned;8etaken over;95too large;97quota;98administrator;"
)


class MqttError(Exception):
    """The server refused, or broke the protocol.

    `code`: MQTT 5 reason code, for 3.1.1 as well; `reason`: the server's reason string, quoted and cut, or our own.
    """

    def __init__(self, code, reason=None):
        text = _REASONS.partition("%02x" % code)[2].partition(";")[0]
        if reason:
            text = repr(reason[:80])  # quoted: it may hold anything
        super().__init__("mqtt 0x%02x %s" % (code, text))
        self.code = code
        self.reason = text


class Message:
    """What the server published. `topic`: text; `payload`: bytes; `dup`: it may have been delivered before; `receipt`:
    what `Session.done` takes, a number whose lower 16 bits are the packet id, 0 with QoS 0; `large`: 0, or the size of
    a packet that the buffer could not hold: `payload` is None."""

    def __init__(self, topic, payload, first, pid, large):
        self.topic = topic
        self.payload = payload
        self.dup = first & codes.DUP > 0
        self.retain = first & codes.RETAIN > 0
        self.receipt = pid
        self.large = large


def frame(data, start, end):
    """(start of the body, end) of the packet at `start` of `data`, of which the first `end` bytes are there: the packet
    may end later. None: not even that is known yet."""
    found = _vbi(data, start + 1, end)
    if not found:
        return None
    size, body = found
    return body, body + size


def decode(version, first, view, large=0):
    """A packet from the server, its first byte and its body: (what, number, properties). `large`: 0, or the size of a
    PUBLISH of which `view` has only the beginning; its properties are None where they do not end there.

    | packet     | what                  | number      |
    |------------|-----------------------|-------------|
    | CONNACK    | session present       | reason code |
    | PUBLISH    | Message               | packet id   |
    | PUBACK     | reason code as bytes  | packet id   |
    | SUBACK     | reason codes as bytes | packet id   |
    | DISCONNECT | None                  | reason code |
    | PINGRESP   | None                  | 0           |

    MqttError: not a packet that a server may send to this client.
    """
    kind = first >> 4
    body = _Body(version, view, large)
    if kind == codes.PUBLISH:
        return _publish(first, body)
    if first & 15:
        raise MqttError(codes.MALFORMED_PACKET)
    what = None
    number = 0
    properties = {}
    if kind == codes.CONNACK:
        what = body.number(1)
        number = body.number(1)
        if len(view) == 2:  # a 3.1.1 server answers so even to those who speak MQTT 5
            number = _OLD_CODES[min(number, 6)]
            if version == 5:
                raise MqttError(number or codes.MALFORMED_PACKET)
        properties = body.properties()
        if what > 1 or (number and number < codes.ERRORS):
            raise MqttError(codes.MALFORMED_PACKET)
    elif kind == codes.PUBACK:
        number = body.pid()
        code, properties = body.reason()
        what = bytes((code,))
    elif kind == codes.SUBACK:
        number = body.pid()
        properties = body.properties()
        what = body.rest()
    elif kind == codes.DISCONNECT and version == 5:
        number, properties = body.reason()
    elif kind != codes.PINGRESP:
        raise MqttError(codes.PROTOCOL_ERROR)
    if body.left():
        raise MqttError(codes.MALFORMED_PACKET)
    return what, number, properties


def _publish(first, body):
    qos = first >> 1 & 3
    if qos == 3 or (first & codes.DUP and not qos):
        raise MqttError(codes.MALFORMED_PACKET)
    if qos == 2:
        raise MqttError(codes.PROTOCOL_ERROR, "QoS 2")  # nothing here ever subscribes to it
    topic = checked(body.text())
    pid = body.pid() if qos else 0
    large = body.large
    properties = None
    try:
        properties = body.properties()
    except MqttError:
        if not large:
            raise
    return Message(topic, None if large else body.rest(), first, pid, large), pid, properties


class _Body:
    """Reads a packet's body from front to back. MqttError: it is too short, or holds what may not be there."""

    def __init__(self, version, view, large):
        self.version = version
        self.view = view
        self.large = large
        self.at = 0

    def left(self):
        return len(self.view) - self.at

    def rest(self):
        return bytes(self.take(self.left()))

    def take(self, size):
        start = self.at
        self.at = start + size
        if self.left() < 0:
            raise MqttError(codes.PACKET_TOO_LARGE if self.large else codes.MALFORMED_PACKET)
        return self.view[start : self.at]

    def number(self, size):
        return int.from_bytes(self.take(size), "big")

    def pid(self):
        pid = self.number(2)
        if not pid:
            raise MqttError(codes.PROTOCOL_ERROR)
        return pid

    def text(self):
        try:
            text = str(self.take(self.number(2)), "utf-8")
        except UnicodeError:
            text = "\0"
        if "\0" in text:
            raise MqttError(codes.MALFORMED_PACKET)
        return text

    def properties(self):
        """{id: number or text}; the others are skipped."""
        found = {}
        if self.version < 5:
            return found
        size = _vbi(self.view, self.at, len(self.view))
        if not size:
            raise MqttError(codes.MALFORMED_PACKET)
        end, self.at = size
        end += self.at
        while self.at < end:
            ident = self.number(1)
            if ident in found or ident > 42 or not _KINDS[ident]:
                raise MqttError(codes.PROTOCOL_ERROR)
            kind = _KINDS[ident]
            if kind < _TEXT:
                found[ident] = self.number(kind)
            elif kind == _TEXT:
                found[ident] = self.text()
            for _ in range(_TEXT, kind):
                self.take(self.number(2))
        if self.at != end:
            raise MqttError(codes.MALFORMED_PACKET)
        return found

    def reason(self):
        """(reason code, properties), either of which may be left out at the end (sections 3.4.2.1 and 3.14.2.1)."""
        code = 0
        if self.version == 5 and self.left():
            code = self.number(1)
            if self.left():
                return code, self.properties()
        return code, {}


def checked(topic):
    """A topic to publish under: no wildcards, no NUL. An empty one is the business of the topic aliases."""
    for char in "+#\0":
        if char in topic:
            raise MqttError(codes.TOPIC_NAME_INVALID)
    return topic


def _vbi(data, at, end):
    """(variable byte integer, offset behind it), None when `data` ends before it does (section 1.5.5)."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128 and (byte or not shift):
            return value, at
        shift += 7
        if byte < 128 or shift > 21:  # longer than need be, or than may be
            raise MqttError(codes.MALFORMED_PACKET)
    return None
