"""What the IOTMP codec promises for every input: values come back as they went, and damage never surprises."""

import struct

from hypothesis import given
from hypothesis import strategies as st

from iotmp import frame as f
from iotmp import pson
from tools.cloud import thinger_wire as server

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
numbers = st.integers(-(2**64) + 1, 2**64 - 1)
floats = st.floats(allow_nan=False, allow_infinity=False)
leaves = st.none() | st.booleans() | numbers | floats | texts | st.binary(max_size=60)


def containers(inner):
    return st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)


values = leaves | containers(leaves | containers(leaves | containers(leaves)))


def encoded(value):
    out = bytearray()
    pson.put(out, value)
    return bytes(out)


@given(values)
def test_values_come_back_and_both_sides_agree(value):
    data = encoded(value)
    assert pson.get(data, 0, len(data)) == (value, len(data))
    assert server.Bytes(data).value() == value


@given(floats)
def test_floats_take_the_shortest_exact_form(value):
    data = encoded(value)
    if data[0] == 0x41:
        assert value != int(value) or abs(value) >= 9e15
        assert abs(value) >= 3e38 or struct.unpack("<f", struct.pack("<f", value))[0] != value
    assert pson.get(data, 0, len(data))[0] == value


@given(values, st.data())
def test_every_cut_is_refused(value, data):
    whole = encoded(value)
    end = data.draw(st.integers(0, len(whole) - 1))
    try:
        pson.get(whole, 0, end)
    except ValueError:
        return
    raise AssertionError("read beyond the end")


@given(
    st.integers(1, 10), st.dictionaries(st.sampled_from(server.FIELDS[1:]), values | st.integers(0, 65535))
)
def test_frames_of_the_server_are_read(kind, fields):
    data = server.frame(server.KINDS[kind], **fields)
    found: dict = {}
    found_kind, start, end = f.head(data, 0, len(data))
    f.fields(data, start, end, found)
    assert (found_kind, end) == (kind, len(data))
    assert found == {server.FIELDS.index(name): value for name, value in fields.items()}
