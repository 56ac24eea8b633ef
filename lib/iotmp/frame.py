"""IOTMP frames: a type, a length, and a body of numbered fields in any order.

PSON version 1 (the wire type of servers before 7.0) is an error, because misread values could switch relays. Sources:
IETF draft-bustamante-iotmp-00, and the vendor's clients, which differ from it in places.
"""

from micropython import const

from iotmp import pson

# Types of frames.
OK = const(1)
ERROR = const(2)
CONNECT = const(3)
DISCONNECT = const(4)
KEEP_ALIVE = const(5)
RUN = const(6)
DESCRIBE = const(7)
START_STREAM = const(8)
STOP_STREAM = const(9)
STREAM_DATA = const(10)

# Events of a connection other than received frames: see `session`.
BEGIN = const(11)
LEAVE = const(12)
LOST = const(13)

# Fields.
STREAM_ID = const(1)
PARAMETERS = const(2)
PAYLOAD = const(3)
RESOURCE = const(4)

# Statuses of an ERROR: HTTP status codes.
BAD_REQUEST = const(400)
NOT_FOUND = const(404)
CONFLICT = const(409)
TOO_LARGE = const(413)
UNAVAILABLE = const(503)
TIMEOUT = const(504)

_VARINT = const(0)
_PSON_1 = const(1)
_PSON = const(2)
"""Wire types: the lower three bits of a field's key."""


class IotmpError(Exception):
    """The server broke the protocol or uses another version of it: the connection must be closed."""


def encode(kind, *fields):
    """Return a frame of type `kind` as a bytearray. `fields`: (number, value) in order. ValueError: see pson.put.

    An int is encoded as a varint, but in PAYLOAD as PSON like every other value, because varints cannot be negative.
    """
    body = bytearray()
    for number, value in fields:
        if type(value) is int and number != PAYLOAD:
            body.append(number << 3 | _VARINT)
            pson.put_varint(body, value)
        else:
            body.append(number << 3 | _PSON)
            pson.put(body, value)
    out = bytearray((kind,))
    pson.put_varint(out, len(body))
    return out + body


def head(data, at, end):
    """Return (type, start of the body, end of the body) of the frame at offset `at`; None if its head is not complete
    before `end`.

    The body may end beyond `end`. IotmpError: not a frame, or its length has more than four bytes.
    """
    if at < end and not OK <= data[at] <= STREAM_DATA:
        raise IotmpError("unknown frame type %d" % data[at])
    for behind in range(at + 2, min(end, at + 5) + 1):
        if data[behind - 1] < 128:
            size, _ = pson.varint(data, at + 1, behind)
            return data[at], behind, behind + size
    if end < at + 5:
        return None
    raise IotmpError("frame too long")


def fields(data, at, end, found):
    """Decode the fields of a body into the dict `found`, by number. Unknown fields are skipped.

    ValueError: the body is malformed; `found` has the fields before the error. IotmpError: the server is too old.
    """
    while at < end:
        key, at = pson.varint(data, at, end)
        if key & 7 == _PSON_1:
            raise IotmpError("PSON version 1: the server is older than 7.0")
        if key & 7 not in (_VARINT, _PSON):
            raise ValueError("bad wire type")
        value, at = (pson.get if key & 7 else pson.varint)(data, at, end)
        if STREAM_ID <= key >> 3 <= RESOURCE:
            found[key >> 3] = value
