"""Parse the packets of an MQTT server (OASIS mqtt-v5.0 and 3.1.1; section numbers are those of 5.0).

Packets of features that this client does not use are errors: QoS 2, UNSUBACK, enhanced authentication. `version` is the
protocol level: 5, or 4 for MQTT 3.1.1.
"""

from micropython import const

from mqtt5 import codes

# By property id (section 2.2.2.2): the size of a number in bytes, or 6: string, 7: binary, 8: pair of strings. 0: a
# server must not send this property to this client.
_TEXT = const(6)
_KINDS = b"\0\1\4\6\0\0\0\0\6\7\0\0\0\0\0\0\0\4\6\2\0\0\0\0\0\0\0\0\6\0\0\6\0\2\2\2\1\1\x08\4\1\1\1"

# CONNACK return codes of MQTT 3.1.1 (its table 3.1) as reason codes of MQTT 5.
_OLD_CODES = b"\0\x84\x85\x88\x86\x87\x81"

# Reason codes that may appear in the log, with their meaning (section 2.4).
_REASONS = (
    "81malformed;82protocol error;84no such version;86bad user or password;87not authorized;88unavailable;"
    "8abanned;8etaken over;95too large;97quota;98administrator;"
)


class MqttError(Exception):
    """The server refused, or broke the protocol.

    `code`: an MQTT 5 reason code, with 3.1.1 too. `reason`: the server's reason string, cut to 80 characters and
    quoted, or else the meaning of the code.
    """

    def __init__(self, code, reason=None):
        text = _REASONS.partition("%02x" % code)[2].partition(";")[0]
        if reason:
            text = repr(reason[:80])  # quoted, because it may contain control characters
        super().__init__("mqtt 0x%02x %s" % (code, text))
        self.code = code
        self.reason = text


class Message:
    """A message that the server published. `topic`: str. `payload`: bytes. `dup`: it may have been delivered before.
    `receipt`: the argument for `Session.done`; its lower 16 bits are the packet id, which is 0 with QoS 0. `large`: 0,
    or the size in bytes of a packet that did not fit into the buffer; `payload` is then None."""

    def __init__(self, topic, payload, first, pid, large):
        self.topic = topic
        self.payload = payload
        self.dup = first & codes.DUP > 0
        self.retain = first & codes.RETAIN > 0
        self.receipt = pid
        self.large = large


def frame(data, start, end):
    """Return (start, end) of the body of the packet that begins at offset `start`; None if its length is not complete.
    `data` is valid up to `end`; the packet may end beyond that."""
    found = _vbi(data, start + 1, end)
    if not found:
        return None
    size, body = found
    return body, body + size


def decode(version, first, view, large=0):
    """Decode a packet from its first byte and its body `view`; return (what, number, properties). `large`: 0, or the
    size of a PUBLISH of which `view` has only the beginning; its properties are None if they are not complete there.

    | packet     | what                  | number      |
    |------------|-----------------------|-------------|
    | CONNACK    | session present       | reason code |
    | PUBLISH    | Message               | packet id   |
    | PUBACK     | reason code as bytes  | packet id   |
    | SUBACK     | reason codes as bytes | packet id   |
    | DISCONNECT | None                  | reason code |
    | PINGRESP   | None                  | 0           |

    MqttError: malformed, or a packet that a server must not send to this client.
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
        if len(view) == 2:  # a 3.1.1 server answers MQTT 5 like this too
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
        raise MqttError(codes.PROTOCOL_ERROR, "QoS 2")  # this client never subscribes with QoS 2
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
    """A reader for the body of a packet. Its methods raise MqttError if the body is too short or malformed."""

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
        """Return the properties as {id: int or str}; binary ones and pairs are skipped."""
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
        """Return (reason code, properties). Both, or only the latter, may be omitted (sections 3.4.2.1 and
        3.14.2.1)."""
        code = 0
        if self.version == 5 and self.left():
            code = self.number(1)
            if self.left():
                return code, self.properties()
        return code, {}


def checked(topic):
    """Return `topic`. MqttError if it has a wildcard or NUL. It may be empty, as with a topic alias."""
    for char in "+#\0":
        if char in topic:
            raise MqttError(codes.TOPIC_NAME_INVALID)
    return topic


def _vbi(data, at, end):
    """Return (number, offset after it) of a variable byte integer (section 1.5.5), None if it does not end before
    `end`. MqttError: longer than necessary, or than 4 bytes."""
    value = shift = 0
    while at < end:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128 and (byte or not shift):
            return value, at
        shift += 7
        if byte < 128 or shift > 21:
            raise MqttError(codes.MALFORMED_PACKET)
    return None
