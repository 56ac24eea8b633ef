"""IOTMP frames and PSON values, literally: the vendor's vectors, and what a device must refuse."""

import json

from iotmp import frame as f
from iotmp import pson
from tools.cloud import thinger_wire as server

FRAMES = (
    (f.CONNECT, ((1, 1), (3, ("user1", "sensor1", "secret123")))),
    (f.OK, ((1, 1),)),
    (f.KEEP_ALIVE, ()),
    (f.DESCRIBE, ((1, 17), (4, "relay"))),
    (f.RUN, ((1, 66), (3, True), (4, "relay"))),
    (f.OK, ((1, 66), (3, 23.5))),
    (f.OK, ((1, 66), (3, 21.0))),
    (f.ERROR, ((1, 66), (2, 404), (3, {"error": "not found"}))),
    (f.START_STREAM, ((1, 34), (2, {"interval": 5000}), (4, "temperature"))),
    (f.STOP_STREAM, ((1, 34),)),
    (f.STREAM_DATA, ((1, 34), (3, True))),
)
"""The frames of the vectors, in their order."""

VALUES = (31, -1, -31, 300, [1, "a", True], {}, "x" * 31, b"\x01\x02\x03", "21°C")
"""Their values."""

MORE = (
    (0, "00"), (1, "01"), (30, "1e"), (2**32, "1f8080808010"), (-30, "3e"), (-300, "3fac02"), (23.5, "400000bc41"),
    (3.14, "411f85eb51b81e0940"), (False, "60"), (True, "61"), (None, "62"), ("", "80"), ("hello", "8568656c6c6f"),
    ({"on": True}, "c1826f6e61"), ([], "e0"), (21.0, "15"), (-4.0, "24"), (0.0, "00"), (-0.5, "40000000bf"),
    (2**64 - 1, "1fffffffffffffffffff01"), (1e300, "419c7500883ce4377e"), (float("nan"), "62"), (float("-inf"), "62"),
    ([[[[[[[[]]]]]]]], "e1e1e1e1e1e1e1e0"), ((1, 2), "e20102"))  # fmt: skip


def encoded(value):
    out = bytearray()
    pson.put(out, value)
    return bytes(out)


def decoded(data):
    value, end = pson.get(data, 0, len(data))
    assert end == len(data)
    return value


def refused(act, *args):
    try:
        act(*args)
    except ValueError:
        return True
    except f.IotmpError as e:
        return str(e)
    return False


def body(data):
    found = {}
    f.fields(data, 0, len(data), found)
    return found


def test_the_vectors():
    with open("tests_host/vectors/iotmp.json") as file:
        vectors = json.load(file)
    raw = [bytes([int(byte, 16) for byte in vector["hex"].split()]) for vector in vectors]
    assert [vector["layer"] for vector in vectors] == ["frame"] * len(FRAMES) + ["pson"] * len(VALUES)
    for data, (kind, fields) in zip(raw, FRAMES):
        assert bytes(f.encode(kind, *fields)) == data
        found_kind, start, end = f.head(data, 0, len(data))
        found = {}
        f.fields(data, start, end, found)
        assert (found_kind, end) == (kind, len(data))
        assert found == {number: list(v) if isinstance(v, tuple) else v for number, v in fields}
    for data, value in zip(raw[len(FRAMES) :], VALUES):
        assert encoded(value) == data
        assert decoded(data) == value and type(decoded(data)) is type(value)


def test_values():
    for value, text in MORE:
        data = bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])
        assert encoded(value) == data, value
        if value == value and abs(value if isinstance(value, float) else 0) < 1e301:
            assert decoded(data) == (list(value) if isinstance(value, tuple) else value)


def test_a_varint_has_seven_bits_a_byte():
    for n, size in ((0, 1), (127, 1), (128, 2), (16383, 2), (16384, 3), (1 << 28, 5)):
        out = bytearray()
        pson.put_varint(out, n)
        assert len(out) == size and pson.varint(out, 0, size) == (n, size)


def test_bytes_may_be_passed_in_any_form():
    data = b"??" + encoded({"a": [1.5, b"x", "y"]}) + b"??"
    for form in (data, bytearray(data), memoryview(data)):
        assert pson.get(form, 2, len(data) - 2) == ({"a": [1.5, b"x", "y"]}, len(data) - 2)


def test_types_that_json_lacks_are_refused():
    for value in (2**64, -(2**64), {1: 2}, {None: 1}, {"a": object()}, bytearray(2), set()):
        assert refused(encoded, value)


DAMAGED = """
    1f 1f80 1fffffffffffffffffffff 1fffffffffffffffffff02 40000000 4100000000000000 42 5f02 63 7f1f 81 8568656c6c 9fff
    9fffffffff0f61 81ff 82c328 a2aa c1 c18161 c10101 c16061 c3816101 dfff7f e1 e201 ffffffff0f00
    e1e1e1e1e1e1e1e1e1e0 c18161c18161c18161c18161c18161c18161c18161c18161c18161c0
"""


def test_damaged_values_are_refused():
    assert refused(decoded, b"")
    for text in DAMAGED.split():
        assert refused(decoded, bytes([int(text[i : i + 2], 16) for i in range(0, len(text), 2)])), text


def test_depth_is_counted_in_lists_and_maps_together():
    deep = 1
    for n in range(9):
        assert refused(decoded, server.pson(deep)) == (n > 8)
        deep = [deep] if n % 2 else {"a": deep}
    assert refused(decoded, server.pson(deep))


def test_no_byte_beyond_the_end_is_touched():
    data = encoded({"a": [1, "text", 2.5, 1e300, -4000]})
    for end in range(len(data)):
        assert refused(pson.get, data, 0, end)


def test_a_head_in_pieces():
    data = bytes(f.encode(f.RUN, (f.PAYLOAD, "x" * 300)))
    for end in range(3):
        for at in range(16):
            assert f.head(bytes(at) + data, at, at + end) is None
    assert f.head(data, 0, 3) == (f.RUN, 3, len(data))
    assert f.head(b"??" + data, 2, 5) == (f.RUN, 5, len(data) + 2)
    assert f.head(b"\x05\x00", 0, 2) == (f.KEEP_ALIVE, 2, 2)
    assert f.head(b"\x05\x80\x80\x04", 0, 4) == (f.KEEP_ALIVE, 4, 4 + 65536)
    assert f.head(b"\x05\xff\xff\xff\x7f", 0, 5) == (f.KEEP_ALIVE, 5, 5 + (1 << 28) - 1)


def test_a_bad_head_ends_the_connection():
    for data in (
        b"\x00",
        b"\x0b\x00",
        b"\x80\x01\x00",
        b"\xff",
        b"\x05\x80\x80\x80\x80\x01",
        b"\x05\xff\xff\xff\xff\xff",
    ):
        assert refused(f.head, data, 0, len(data)), data
    assert f.head(b"\x05\xff\xff\xff", 0, 4) is None


def test_fields_in_any_order_both_wire_types_unknown_ones_left_out():
    assert body(b"\x22\x81a\x1a\x61\x08\x42") == {4: "a", 3: True, 1: 66}
    assert body(b"\x18\x05") == body(b"\x1a\x05") == {3: 5}
    assert body(b"\x18\x05" * 200) == {3: 5}
    assert body(b"\x28\x05\x82\x01\x61\x02\x00\x08\x01\x08\x02") == {1: 2}


def test_bad_fields():
    for data in (b"\x08", b"\x0a", b"\x0c\x01", b"\x0d\x01", b"\x0b\x01", b"\x0e\x01", b"\x0f\x01", b"\x80"):
        assert refused(body, data) is True, data
    assert "PSON version 1" in refused(body, b"\x08\x01\x19\x28")
    found = {}
    assert refused(f.fields, b"\x08\x42\x1a", 0, 3, found) and found == {1: 66}


def test_our_frames_are_read_by_the_other_side():
    for value in (0, 5, -5, 21.0, 2.5, True, None, "text", [1, {"a": None}], {"error": "no"}):
        data = bytes(f.encode(f.STREAM_DATA, (f.STREAM_ID, 300), (f.PAYLOAD, value)))
        assert server.read(data) == [("STREAM_DATA", {"sid": 300, "payload": value})]
        theirs = server.frame("RUN", sid=300, resource="relay", payload=value)
        assert body(theirs[2:]) == {1: 300, 3: value, 4: "relay"}
