"""What the MQTT codec promises for every input: packets come back as they went, and damage never surprises."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mqtt5 import encode, opening, packet
from tests_host.support import mqtt_server as server
from tools.checks import fuzz

pytestmark = pytest.mark.gate

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
topics = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0+#"), min_size=1, max_size=40)
payloads = st.binary(max_size=400)
versions = st.sampled_from((5, 4))
ids = st.integers(1, 65535)
errors = st.sampled_from((0x80, 0x83, 0x87, 0x97))
reasons = st.lists(st.tuples(st.just(0x26), st.tuples(texts, texts)), max_size=2).flatmap(
    lambda users: st.sampled_from(([], [(0x1F, "why é")])).map(lambda reason: [*users, *reason])
)


def property_lists(*kinds: tuple[int, Any]) -> st.SearchStrategy[list[tuple[int, Any]]]:
    """Any of these properties, in any order."""
    pairs = [st.tuples(st.just(ident), values) for ident, values in kinds]
    return st.lists(st.one_of(pairs), unique_by=lambda pair: pair[0], max_size=len(pairs))


words, longs, flags = st.integers(1, 0xFFFF), st.integers(1, 0xFFFFFFFF), st.integers(0, 1)
of_connack = property_lists(
    (0x11, longs), (0x12, texts), (0x13, words), (0x1C, texts), (0x1F, texts), (0x21, words), (0x22, words),
    (0x24, flags), (0x25, flags), (0x27, longs), (0x28, flags), (0x29, flags), (0x2A, flags),
)  # fmt: skip
of_publish = property_lists(
    (1, flags), (2, longs), (3, texts), (8, texts), (9, st.binary(max_size=9)), (0x23, words)
)


def decoded(data: bytes, version: int) -> tuple[Any, ...]:
    start, end = packet.frame(data, 0, len(data)) or (0, 0)
    assert end == len(data)
    return packet.decode(version, data[0], memoryview(data)[start:end])


def numbers_and_texts(version: int, pairs: list[tuple[int, Any]]) -> dict[int, Any]:
    return {ident: value for ident, value in pairs if ident not in (9, 0x26)} if version == 5 else {}


@given(
    versions,
    st.booleans(),
    st.integers(0, 65535),
    longs,
    texts,
    texts | st.none(),
    payloads | st.none(),
    payloads,
)
def test_connect(version, clean, keep_alive_s, expiry_s, client_id, username, password, will):
    last = ("gone", will) if will else None
    properties = ((0x11, 4, expiry_s), (0x21, 2, 8))
    data = opening.connect_packet(
        version, clean, keep_alive_s, properties, client_id, username, password, last
    )
    (seen,) = server.read_all(data, version)
    assert seen == {
        "kind": 1, "version": version, "clean": clean, "keep_alive_s": keep_alive_s, "client_id": client_id,
        "username": username, "password": password, "will": last,
        "properties": {0x11: expiry_s, 0x21: 8} if version == 5 else {},
    }  # fmt: skip


@given(
    versions,
    st.integers(0, 65535),
    topics,
    payloads | st.binary(min_size=16000, max_size=17000),
    longs | st.none(),
)
def test_publish_out(version, pid, topic, payload, expiry_s):
    (seen,) = server.read_all(encode.publish(version, pid, topic, payload, expiry_s), version)
    properties = {2: expiry_s} if expiry_s and version == 5 else {}
    assert seen == {
        "kind": 3, "dup": 0, "topic": topic, "pid": pid, "payload": payload, "properties": properties,
    }  # fmt: skip


@given(versions, ids, st.lists(texts, min_size=1, max_size=9))
def test_subscribe(version, pid, filters):
    (seen,) = server.read_all(opening.subscribe_packet(version, pid, filters), version)
    assert seen == {"kind": 8, "pid": pid, "filters": filters, "qos": [1] * len(filters)}


@given(errors)
def test_disconnect(code):
    assert server.read_all(encode.disconnect(code)) == [{"kind": 14, "code": code}]


@given(versions, flags, of_connack)
def test_connack(version, present, pairs):
    data = server.connack(version, 0, present, pairs)
    assert decoded(data, version) == (present, 0, numbers_and_texts(version, pairs))


@given(versions, topics, payloads, st.integers(0, 65535), flags, of_publish)
def test_publish_in(version, topic, payload, pid, retain, pairs):
    dup = 1 if pid % 2 else 0
    message, number, properties = decoded(
        server.publish(topic, payload, pid, dup, retain, pairs, version), version
    )
    assert (message.topic, message.payload, message.dup, message.retain) == (topic, payload, dup, retain)
    assert (message.receipt, number, properties) == (pid, pid, numbers_and_texts(version, pairs))


@given(ids, errors, reasons, st.binary(min_size=1, max_size=20))
def test_answers_in(pid, code, pairs, codes):
    expected = numbers_and_texts(5, pairs)
    assert decoded(server.puback(pid, code, pairs), 5) == (bytes((code,)), pid, expected)
    assert decoded(server.suback(pid, codes, pairs), 5) == (codes, pid, expected)
    assert decoded(server.suback(pid, codes, (), 4), 4) == (codes, pid, {})
    assert decoded(server.disconnect(code, pairs), 5) == (None, code, expected)


@given(
    versions,
    st.lists(
        st.tuples(topics, st.integers(0, 1500), st.integers(0, 14), st.just(()) | of_publish),
        min_size=1,
        max_size=8,
    ),
    st.lists(st.integers(1, 700), min_size=1, max_size=20),
)
def test_messages_of_any_size_in_any_pieces(version, messages, sizes):
    whole = b"".join(
        server.publish(topic, bytes(size), pid, pairs=pairs, version=version)
        for topic, size, pid, pairs in messages
    )
    pieces, at = [], 0
    while at < len(whole):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(whole[at : at + size])
        at += size
    outcome = fuzz.mqtt_outcome([whole], version)
    assert fuzz.mqtt_outcome(pieces, version) == outcome
    large = [event for event in outcome if isinstance(event, tuple) and len(event) == 5 and event[2]]
    assert all(event[1] is None and event[2] > 512 for event in large)
