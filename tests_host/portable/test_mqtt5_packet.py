"""MQTT packets, literally: those of the standards' figures and tables, and those that break a rule."""

from mqtt5 import codes, encode, opening, packet, parts
from mqtt5.packet import MqttError
from tests_host.support import mqtt_server as server
from tests_host.support.raising import raised

MALFORMED, PROTOCOL = 0x81, 0x82


def refusal(act, *args, **options):
    return raised(MqttError, act, *args, **options).code


def decoded(data, version=5):
    start, end = packet.frame(data, 0, len(data))
    assert end == len(data)
    what, number, properties = packet.decode(version, data[0], memoryview(data)[start:end])
    if isinstance(what, packet.Message):
        return what.topic, number, properties, what.payload
    return what, number, properties


def test_connect_of_the_standard():
    # The example of section 3.1.2 (keep-alive 10, session expiry 10, everything but will retain), with a payload.
    data = opening.connect_packet(5, True, 10, ((0x11, 4, 10),), "", "u", b"p", ("w", b"x"))
    assert data == (
        b"\x10\x1f\x00\x04MQTT\x05\xce\x00\x0a\x05\x11\x00\x00\x00\x0a\x00\x00\x00\x00\x01w\x00\x01x\x00\x01u\x00\x01p"
    )


def test_connect_3_1_1_of_the_standard():
    # The header of the example of its section 3.1.2, without will and names.
    assert (
        opening.connect_packet(4, True, 10, ((0x11, 4, 9),), "a", None, None, None)
        == b"\x10\x0d\0\4MQTT\x04\x02\0\x0a\0\1a"
    )
    assert opening.connect_packet(4, False, 0, (), "", "u", "p", ("w", "x")) == (
        b"\x10\x18\0\4MQTT\x04\xcc\0\0\0\0\0\1w\0\1x\0\1u\0\1p"
    )


def test_publish_of_the_standard():
    # The example of section 3.3.2: topic a/b, packet id 10, no properties.
    assert encode.publish(5, 10, "a/b", b"") == b"\x32\x08\0\3a/b\0\x0a\0"
    assert encode.publish(4, 10, "a/b", b"x") == b"\x32\x08\0\3a/b\0\x0ax"
    assert encode.publish(5, 0, "a/b", b"x", 258) == b"\x30\x0c\0\3a/b\5\2\0\0\1\2x"
    assert encode.publish(4, 0, "a/b", b"x", 258) == b"\x30\x06\0\3a/bx"


def test_subscribe_of_the_standard():
    # The examples of sections 3.8.2 and 3.8.3: packet id 10, filters a/b with QoS 1 and c/d (there QoS 2, here never).
    assert opening.subscribe_packet(5, 10, ["a/b", "c/d"]) == b"\x82\x0f\0\x0a\0\0\3a/b\1\0\3c/d\1"
    assert opening.subscribe_packet(4, 10, ("a/b",)) == b"\x82\x08\0\x0a\0\3a/b\1"


def test_disconnect_with_and_without_a_code():
    assert encode.disconnect(0) == b"\xe0\0"
    assert encode.disconnect(0x81) == b"\xe0\1\x81"


def test_lengths_at_the_edges_of_their_encoding():
    # Table 1-1; four bytes of each body are topic and properties.
    for size, start in (
        (127, b"\x30\x7f"),
        (128, b"\x30\x80\1"),
        (16383, b"\x30\xff\x7f"),
        (16384, b"\x30\x80\x80\1"),
    ):
        data = encode.publish(5, 0, "a", bytes(size - 4))
        assert bytes(data[: len(start)]) == start
        assert packet.frame(data, 0, len(data)) == (len(start), len(data))


def test_frame_is_known_as_soon_as_its_head_is():
    data = b"??" + bytes(encode.publish(5, 0, "a", bytes(200)))
    for end in range(2, 5):
        assert packet.frame(data, 2, end) is None
    for end in range(5, len(data) + 1):
        assert packet.frame(data + b"x", 2, end) == (5, len(data))
    assert packet.frame(b"\x30\xff\xff\xff\x7f", 0, 5) == (5, 0x0FFFFFFF + 5)


def test_lengths_that_are_wrong():
    for head in (b"\x30\xff\xff\xff\xff", b"\x30\x80\0", b"\x30\xff\x80\0"):
        assert refusal(packet.frame, head, 0, len(head)) == MALFORMED


def test_connack():
    assert decoded(b"\x20\3\0\0\0") == (0, 0, {})
    pairs = (
        (0x11, 7),
        (0x21, 20),
        (0x24, 1),
        (0x25, 0),
        (0x27, 4096),
        (0x12, "id"),
        (0x22, 4),
        (0x1F, "why"),
    )
    pairs += ((0x28, 1), (0x29, 0), (0x2A, 1), (0x13, 30), (0x1C, "other"))
    data = server.connack(code=0x9C, pairs=pairs + ((0x26, ("a", "b")), (0x26, ("a", "c"))))
    assert decoded(data) == (0, 0x9C, dict(pairs))
    assert decoded(b"\x20\2\1\0", 4) == (1, 0, {})


def test_connack_codes_of_3_1_1_become_those_of_5():
    codes = [decoded(bytes((0x20, 2, 0, n)), 4)[1] for n in range(1, 6)]
    assert codes == [0x84, 0x85, 0x88, 0x86, 0x87]
    assert decoded(b"\x20\2\0\6", 4)[1] == MALFORMED


def test_connack_of_a_server_that_knows_only_3_1_1():
    assert refusal(decoded, b"\x20\2\0\1") == 0x84
    assert refusal(decoded, b"\x20\2\0\0") == MALFORMED


def test_publish_in():
    assert decoded(b"\x32\x08\0\3a/b\0\x0a\0") == ("a/b", 10, {}, b"")
    assert decoded(b"\x31\x07\0\3a/b\0x") == ("a/b", 0, {}, b"x")
    assert decoded(b"\x3a\x08\0\3a/b\0\x0ax", 4) == ("a/b", 10, {}, b"x")
    pairs = ((1, 1), (2, 60), (0x23, 5), (3, "json"), (8, "re/ply"))
    assert decoded(server.publish("", b"x", 3, pairs=pairs)) == ("", 3, dict(pairs), b"x")
    assert decoded(server.publish("é", b"x", 3, pairs=((9, b"\xff\0"), (0x26, ("k", "v"))))) == (
        "é",
        3,
        {},
        b"x",
    )


def test_answers_in():
    assert decoded(b"\x40\2\0\5") == (b"\0", 5, {})
    assert decoded(b"\x40\2\0\5", 4) == (b"\0", 5, {})
    assert decoded(b"\x40\3\0\5\x10") == (b"\x10", 5, {})
    assert decoded(server.puback(5, 0x87, ((0x1F, "no"),))) == (b"\x87", 5, {0x1F: "no"})
    assert decoded(server.suback(10, (1, 0, 0x87))) == (b"\1\0\x87", 10, {})
    assert decoded(b"\x90\4\0\x0a\1\x80", 4) == (b"\1\x80", 10, {})
    assert decoded(b"\xd0\0") == (None, 0, {})


def test_disconnect_in():
    assert decoded(b"\xe0\0") == (None, 0, {})
    assert decoded(b"\xe0\1\x98") == (None, 0x98, {})
    assert decoded(server.disconnect(0x9D, ((0x1F, "moved"), (0x1C, "b")))) == (
        None,
        0x9D,
        {0x1F: "moved", 0x1C: "b"},
    )


def test_packets_that_no_server_may_send_are_errors():
    for data, version, code in (
        (b"\x00\0", 5, PROTOCOL),
        (b"\x10\0", 5, PROTOCOL),
        (b"\x50\2\0\1", 5, PROTOCOL),
        (b"\x62\2\0\1", 5, MALFORMED),
        (b"\x60\2\0\1", 5, PROTOCOL),
        (b"\xb0\4\0\1\0\0", 5, PROTOCOL),
        (b"\xc0\0", 5, PROTOCOL),
        (b"\xf0\0", 5, PROTOCOL),
        (b"\xf0\2\x18\0", 5, PROTOCOL),
        (b"\xe0\0", 4, PROTOCOL),
        (b"\x34\x08\0\3a/b\0\x0a\0", 5, PROTOCOL),  # QoS 2
        (b"\x36\x08\0\3a/b\0\x0a\0", 5, MALFORMED),  # QoS 3
        (b"\x38\x06\0\3a/b\0", 5, MALFORMED),  # DUP with QoS 0
        (b"\x21\3\0\0\0", 5, MALFORMED),
        (b"\x41\2\0\5", 5, MALFORMED),
        (b"\xd1\0", 5, MALFORMED),
        (b"\xd0\1\0", 5, MALFORMED),
        (b"\x20\1\0", 5, MALFORMED),
        (b"\x20\0", 5, MALFORMED),
        (b"\x20\3\2\0\0", 5, MALFORMED),
        (b"\x20\3\0\1\0", 5, MALFORMED),  # not a code of MQTT 5
        (b"\x20\4\0\0\0\0", 5, MALFORMED),
        (b"\x20\3\0\0\0", 4, MALFORMED),
        (b"\x20\5\0\0\1\x24\1", 5, MALFORMED),  # a value beyond the end of the properties
        (b"\x20\5\0\0\5\x24\1", 5, MALFORMED),
        (b"\x20\7\0\0\4\x24\1\x24\1", 5, PROTOCOL),  # twice
        (b"\x20\5\0\0\2\x17\1", 5, PROTOCOL),  # what only a client may ask for
        (b"\x20\5\0\0\2\x7f\1", 5, PROTOCOL),
        (b"\x20\6\0\0\3\x26\0\0", 5, MALFORMED),
        (b"\x32\7\0\3a/b\0\x0a", 5, MALFORMED),
        (b"\x32\6\0\3a/b\0", 5, MALFORMED),
        (b"\x32\x08\0\3a/b\0\0\0", 5, PROTOCOL),  # packet id 0
        (b"\x30\5\0\3a/b", 5, MALFORMED),
        (b"\x30\5\0\4a/b", 5, MALFORMED),
        (b"\x30\6\0\3a\0b\0", 5, MALFORMED),
        (b"\x30\6\0\3a\xffb\0", 5, MALFORMED),
        (b"\x30\6\0\3a/#\0", 5, 0x90),
        (b"\x30\6\0\3+/b\0", 5, 0x90),
        (b"\x40\1\0", 5, MALFORMED),
        (b"\x40\3\0\5\0", 4, MALFORMED),
        (b"\x40\6\0\5\0\0\0\0", 5, MALFORMED),
        (b"\x90\2\0\x0a", 5, MALFORMED),
        (b"\x90\3\0\0\0", 5, PROTOCOL),
        (b"\xe0\3\0\0\0", 5, MALFORMED),
    ):
        assert refusal(decoded, data, version) == code, data


def test_invalid_topics_and_long_texts_are_not_encoded():
    for topic in ("", "a/#", "+", "a\0b"):
        assert refusal(encode.publish, 5, 1, topic, b"") == 0x90
    error = raised(ValueError, opening.connect_packet, 5, True, 0, (), "x" * 65536, None, None, None)
    assert str(error) == "mqtt: too long"


def test_error_words():
    assert str(MqttError(0x87)) == "mqtt 0x87 not authorized"
    assert str(MqttError(0xA2)) == "mqtt 0xa2 "
    e = MqttError(0x87, "no\n" + "x" * 200)
    assert e.reason.startswith("'no\\n") and len(e.reason) < 90


def test_client_packets_read_back():
    data = opening.connect_packet(
        5,
        False,
        45,
        ((0x11, 4, 60), (0x21, 2, 8), (0x27, 4, 2048)),
        "dev",
        "user",
        "test-secret-not-real",
        None,
    )
    data += (
        encode.publish(5, 65535, "t/é", b"\0\xff", 1)
        + parts.packet(codes.PUBACK << 4, b"\0\x09")
        + opening.subscribe_packet(5, 2, ["x", "y/#"])
    )
    data += encode.disconnect(4)
    connect, publish, puback, subscribe, disconnect = server.read_all(data)
    assert (connect["client_id"], connect["username"], connect["password"]) == (
        "dev",
        "user",
        b"test-secret-not-real",
    )
    assert (connect["clean"], connect["keep_alive_s"], connect["will"]) == (0, 45, None)
    assert connect["properties"] == {0x11: 60, 0x21: 8, 0x27: 2048}
    assert publish == {
        "kind": 3, "dup": 0, "topic": "t/é", "pid": 65535, "properties": {2: 1}, "payload": b"\0\xff",
    }  # fmt: skip
    assert (puback["pid"], subscribe["pid"], subscribe["filters"]) == (9, 2, ["x", "y/#"])
    assert disconnect["code"] == 4
