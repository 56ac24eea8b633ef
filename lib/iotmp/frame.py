"""IOTMP frames: a type, a length, and a body of numbered fields in any order.

PSON version 1 (the wire type of servers before 7.0) is an error, because guessed values would switch relays. Source:
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

# What happens to a connection beside frames that arrive: see `session`.
BEGIN = const(11)
LEAVE = const(12)
LOST = const(13)

# Fields.
STREAM_ID = const(1)
PARAMETERS = const(2)
PAYLOAD = const(3)
RESOURCE = const(4)

# Statuses of an ERROR, those of HTTP.
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
    """The peer does not speak the protocol, or not our version of it: there is nothing to do but to hang up."""


def encode(kind, *fields):
    """The bytes of a frame of `kind`; `fields` are (number, value) in order. ValueError: see pson.put.

    A whole number travels as a varint, in PAYLOAD as PSON like everything else: negative ones have no other form that
    all peers read alike.
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
    """(type, begin of the body, its end) of the frame at `at`, or None while its head has not arrived before `end`.

    The body may end beyond `end`. IotmpError: no frame, or a length of more than four bytes.
    """
    if at < end and not OK <= data[at] <= STREAM_DATA:
        raise IotmpError("no frame: %d" % data[at])
    for behind in range(at + 2, min(end, at + 5) + 1):
        if data[behind - 1] < 128:
            size, _ = pson.varint(data, at + 1, behind)
            return data[at], behind, behind + size
    if end < at + 5:
        return None
    raise IotmpError("frame too long")


def fields(data, at, end, found):
    """Put the fields of a body into the dict `found`, by number; unknown ones are left out.

    ValueError: the body is malformed; what came before that is in `found`. IotmpError: the server is too old.
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
