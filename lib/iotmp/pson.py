"""PSON version 2, a binary encoding of JSON's values, and its varints.

A ValueError refuses input that could exhaust a small device or is malformed: lists and maps nested more than eight
deep, counts larger than the bytes that follow, strings that are not UTF-8, varints of more than 64 bits, unknown types.
Sources: IETF draft-bustamante-pson-00, and for the exact bytes the vendor's clients.
"""

import struct
from micropython import const

_DEPTH = const(8)

# Kinds of values: the upper three bits of the first byte. The lower five are a number; if they are _LONG, the number
# follows as a varint.
_UNSIGNED = const(0)
_NEGATIVE = const(1)
_FLOAT = const(2)  # 0: single precision, 1: double
_DISCRETE = const(3)
_TEXT = const(4)
_BYTES = const(5)
_MAP = const(6)
_LIST = const(7)
_LONG = const(31)
_DISCRETES = (False, True, None)


def put_varint(out, n):
    """Append the int `n` >= 0 to the bytearray `out`: seven bits per byte, lowest first."""
    while n > 127:
        out.append(n & 127 | 128)
        n >>= 7
    out.append(n)


def varint(data, at, end):
    """Return (number, offset after it) of the varint at offset `at`. ValueError if it does not end before `end`, or has
    more than 64 bits."""
    n = shift = 0
    while at < end and shift < 70:
        byte = data[at]
        at += 1
        n |= (byte & 127) << shift
        shift += 7
        if byte < 128 and n < 1 << 64:
            return n, at
    raise ValueError("bad varint")


def put(out, value):
    """Append the encoded `value`, bytes or any type of JSON, to the bytearray `out`.

    A float is encoded as an integer if it has no fraction, else in single precision if that is exact, else in double;
    NaN and the infinities, which JSON lacks, as null. ValueError: an int beyond 64 bits, a key that is not a str, or
    any other type.
    """
    kind = type(value)
    if kind is float and -9e15 < value < 9e15 and value == int(value):
        value = int(value)
        kind = int
    if kind is float:
        _put_float(out, value)
    elif value is None or kind is bool:
        out.append((_DISCRETE << 5) + _DISCRETES.index(value))
    elif kind is int and -1 << 64 < value < 1 << 64:
        _head(out, _NEGATIVE if value < 0 else _UNSIGNED, abs(value))
    elif kind is str or kind is bytes:
        data = value.encode() if kind is str else value
        _head(out, _TEXT if kind is str else _BYTES, len(data))
        out += data
    elif kind is dict:
        _head(out, _MAP, len(value))
        for key in value:
            if type(key) is not str:
                raise ValueError("key is not a str")
            put(out, key)
            put(out, value[key])
    elif kind is list or kind is tuple:
        _head(out, _LIST, len(value))
        for item in value:
            put(out, item)
    else:
        raise ValueError("not a PSON type")


def _put_float(out, value):
    single = struct.pack("<f", value) if -3e38 < value < 3e38 else b""
    if value - value != 0:
        out.append(_DISCRETE << 5 | 2)  # null
    elif single and struct.unpack("<f", single)[0] == value:
        out.append(_FLOAT << 5)
        out += single
    else:
        out.append(_FLOAT << 5 | 1)
        out += struct.pack("<d", value)


def _head(out, kind, n):
    if n < _LONG:
        out.append(kind << 5 | n)
    else:
        out.append(kind << 5 | _LONG)
        put_varint(out, n)


def get(data, at, end, depth=_DEPTH):
    """Return (value, offset after it) of the value at offset `at`. ValueError if it is malformed or does not end before
    `end`.

    `data`: bytes, a bytearray or a memoryview. `depth`: the permitted nesting of lists and maps.
    """
    if at >= end:
        raise ValueError("PSON cut short")
    kind, n = data[at] >> 5, data[at] & _LONG
    after = at + 1
    if n == _LONG:
        n, after = varint(data, after, end)
    left = end - after
    if kind < _FLOAT:
        return (-n if kind == _NEGATIVE else n), after
    if kind == _FLOAT and n < 2 and left >= 4 << n:
        behind = after + (4 << n)
        return struct.unpack("<d" if n else "<f", bytes(data[after:behind]))[0], behind
    if kind == _DISCRETE and n < 3:
        return _DISCRETES[n], after
    if kind in (_TEXT, _BYTES) and n <= left:
        raw = bytes(data[after : after + n])
        return (raw.decode() if kind == _TEXT else raw), after + n
    if kind == _MAP and depth and n <= left // 2:
        return _map(data, after, end, depth - 1, n)
    if kind == _LIST and depth and n <= left:
        items = []
        for _ in range(n):
            item, after = get(data, after, end, depth - 1)
            items.append(item)
        return items, after
    raise ValueError("bad PSON")


def _map(data, at, end, depth, pairs):
    found = {}
    for _ in range(pairs):
        key, at = get(data, at, end, depth)
        if type(key) is not str:
            raise ValueError("key is not a str")
        found[key], at = get(data, at, end, depth)
    return found, at
