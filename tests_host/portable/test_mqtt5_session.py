"""The MQTT session, bytes in and bytes out: what is owed, what is sent again, and how a connection ends."""

from mqtt5 import codes, opening
from mqtt5.opening import Connack
from mqtt5.packet import Message, MqttError
from mqtt5.session import CLOSED, CLOSING, CONNECTING, OPEN, TRANSITIONS, Session
from netio.errors import NetError
from tests_host.support import mqtt_server as server
from tests_host.support.raising import raised

NOW = (1 << 30) - 100  # the clock wraps soon
KEPT = {"clean": False, "expiry_s": 60}  # a session that outlives its connection


class Rig:
    """A session with a connection. `written`: the packets it has sent, as dicts, since they were last asked for."""

    def __init__(self, version=5, size=2048, **options):
        self.version = version
        self.session = Session(memoryview(bytearray(size)))
        self.facts = self.connect(**options)

    def connect(self, clean=True, keep_alive_s=40, expiry_s=0, present=0, pairs=()):
        """Both sides' first packets. The facts, or the error."""
        opening.begin(
            self.session, "me", "u", "test-secret-not-real", keep_alive_s, self.version, clean, expiry_s
        )
        self.written()
        return self.feed(server.connack(self.version, 0, present, pairs))[0]

    def come_back(self, present=1, pairs=()):
        """The connection is lost, and made again for the kept session."""
        self.lose()
        self.connect(present=present, pairs=pairs, **KEPT)

    def feed(self, data, now=NOW, step=0):
        """The events of these bytes, `step` at a time; an MqttError comes last, as its code."""
        events = []
        try:
            while data:
                view = self.session.space()
                piece = data[: min(len(view), step or len(data))]
                view[: len(piece)] = piece
                self.session.received(len(piece))
                data = data[len(piece) :]
                while True:
                    connecting = self.session.state == CONNECTING
                    event = self.session.next(now)
                    if not event:
                        break
                    if connecting:
                        event = opening.accept(self.session, *event)
                    events.append(event)
        except MqttError as e:
            events.append(e.code)
        return events

    def written(self, now=NOW):
        return server.read_all(self.session.take(now), self.version)

    def message(self, data):
        (message,) = self.feed(data)
        assert isinstance(message, Message)
        return message

    def lose(self):
        return self.session.lost(NetError("closed", "by test"))


def kinds(packets):
    return [seen["kind"] for seen in packets]


def pids(packets):
    return [seen["pid"] for seen in packets]


def refusal(act, *args, **options):
    try:
        act(*args, **options)
    except MqttError as e:
        return e.code
    return None


def test_connect():
    session = Session(memoryview(bytearray(1024)))
    opening.begin(session, "me", "u", "test-secret-not-real", session_expiry_s=60, will=("t", "gone"))
    (seen,) = server.read_all(session.take(NOW))
    assert seen["properties"] == {0x11: 60, 0x21: 4, 0x22: 8, 0x27: 1024}
    assert (seen["will"], seen["clean"], seen["version"]) == (("t", b"gone"), 1, 5)
    assert not session.take(NOW)


def test_connack_facts():
    assert Rig().facts == Connack(False, 40, 0, "me")
    rig = Rig(clean=False, expiry_s=100, present=1, pairs=((0x13, 20), (0x11, 50), (0x12, "you")))
    assert rig.facts == Connack(True, 20, 50, "you")
    assert Rig(4).facts == Connack(False, 40, 0, "me")


def test_no_secret_is_kept():
    rig = Rig()
    for value in list(rig.session.__dict__.values()) + [repr(rig.session), str(rig.facts)]:
        assert "not-real" not in str(value)


def test_connack_that_breaks_the_rules():
    assert Rig(present=1).facts == 0x82  # although we said clean
    assert Rig(pairs=((0x21, 0),)).facts == 0x82
    assert Rig(pairs=((0x27, 0),)).facts == 0x82


def test_refused():
    session = Session()
    opening.begin(session, "me", "u", "p")
    session.take(NOW)
    data = server.connack(5, 0x87, 0, ((0x1F, "go away"),))
    session.space()[: len(data)] = data
    session.received(len(data))
    error = raised(MqttError, session.next, NOW)
    assert (error.code, error.reason) == (0x87, "'go away'")
    assert session.error and not session.take(NOW)


def test_first_packet_has_to_be_a_connack_and_only_the_first():
    session = Session()
    opening.begin(session, "me", "u", "p")
    session.take(NOW)
    data = server.publish("a", b"x")
    session.space()[: len(data)] = data
    session.received(len(data))
    assert refusal(session.next, NOW) == 0x82
    assert not session.take(NOW)
    rig = Rig()
    assert rig.feed(server.connack()) == [0x82]
    assert rig.written() == [{"kind": 14, "code": 0x82}]


def in_state(state):
    """A session in that state, which the last events have led to."""
    session = Session()
    opening.begin(session, "me", "u", "p")
    if state == CLOSED:
        session.lost(NetError("closed", "by test"))
    if state > CONNECTING:
        opening.accept(session, False, {})
    if state == CLOSING:
        session.finish(NetError("closed", "by test"))
    session.take(NOW)
    return session


ARRIVING = (
    (codes.CONNACK, server.connack()),
    (codes.PUBLISH, server.publish("t", b"x")),
    (codes.PUBACK, server.puback(1)),
    (codes.SUBACK, server.suback(1, (0,))),
    (codes.PINGRESP, server.PINGRESP),
    (codes.DISCONNECT, server.disconnect(0x8B)),
)


def arrive(session, data):
    """The code of the MqttError that a packet leads to, None for none."""
    session.space()[: len(data)] = data
    session.received(len(data))
    return refusal(session.next, NOW)


def test_each_packet_is_legal_in_some_states_only():
    for kind, data in ARRIVING:
        for state in (CONNECTING, OPEN, CLOSING):
            session = in_state(state)
            assert session.state == state
            legal = (state == CONNECTING) == (kind == codes.CONNACK)
            expected = 0x8B if kind == codes.DISCONNECT else None
            assert arrive(session, data) == (expected if legal else 0x82), (kind, state)
            over = state == OPEN and not (legal and expected is None)
            assert session.state == (CLOSING if over else state), (kind, state)
            assert (session.error is None) == (session.state == OPEN)
            sent = server.read_all(session.take(NOW))
            assert sent == ([{"kind": 14, "code": 0x82}] if over and not legal else []), (kind, state)


def test_an_illegal_event_raises_and_changes_nothing():
    illegal = 0
    for state in (CLOSED, CONNECTING, OPEN, CLOSING):
        session = in_state(state)
        for event in range(len(TRANSITIONS) // 4):
            before = session.__dict__.copy()
            after = chr(TRANSITIONS[event * 4 + state])
            code = refusal(session.after, event)
            assert code == (0x82 if after == "-" else None), (state, event)
            assert session.__dict__ == before
            illegal += code is not None
    assert illegal == 62


def test_a_call_that_is_illegal_in_a_state_changes_nothing():
    for state in (CLOSED, CONNECTING, CLOSING):
        session = in_state(state)
        session.max_qos, session.largest = 1, 100
        assert refusal(session.publish, "t", b"") == 0x82
        assert refusal(opening.subscription, session, ["t"]) == 0x82
        assert refusal(opening.accept, session, False, {}) == (None if state == CONNECTING else 0x82)
    for state in (CONNECTING, OPEN, CLOSING):
        session = in_state(state)
        session.publish("t", b"x") if state == OPEN else None
        assert refusal(opening.begin, session, "me") == 0x82
        assert session.state == state and len(session.in_flight.all) == (state == OPEN)


def test_a_lost_connection_can_begin_again_from_every_state():
    for state in (CLOSED, CONNECTING, OPEN, CLOSING):
        session = in_state(state)
        session.lost(NetError("closed", "by test"))
        assert session.state == CLOSED and session.error
        opening.begin(session, "me")
        assert session.state == CONNECTING


def test_publish_and_its_answer():
    rig = Rig()
    entry = rig.session.publish("t", b"x", 30)
    (seen,) = rig.written()
    assert (seen["topic"], seen["payload"], seen["properties"], seen["pid"]) == ("t", b"x", {2: 30}, 1)
    assert rig.feed(server.puback(1, 0x87, ((0x1F, "why"),))) == [entry]
    assert (entry.codes, entry.error.code, entry.error.reason) == (b"\x87", 0x87, "'why'")
    assert rig.feed(server.puback(1)) == []  # nobody waits for it: no harm
    assert rig.session.publish("t", b"x", None, 0) is None
    assert pids(rig.written()) == [0]


def test_answers_in_any_order():
    rig = Rig()
    entries = [rig.session.publish("t", b"%d" % n) for n in range(3)]
    assert pids(rig.written()) == [1, 2, 3]
    assert rig.feed(server.puback(3) + server.puback(1)) == [entries[2], entries[0]]
    assert rig.feed(server.puback(2)) == [entries[1]]


def test_subscribe_and_its_answer():
    rig = Rig()
    entry = opening.subscription(rig.session, ["a", "b"])
    assert rig.written() == [{"kind": 8, "pid": 1, "filters": ["a", "b"], "qos": [1, 1]}]
    assert rig.feed(server.suback(1, (1, 0x87))) == [entry]
    assert (entry.codes, entry.error.code) == (b"\1\x87", 0x87)


def test_answers_of_the_wrong_kind():
    for answer in (
        server.puback(1),
        server.suback(1, ()),
        server.suback(1, (1,)),
        server.suback(1, (1, 1, 1)),
    ):
        rig = Rig()
        opening.subscription(rig.session, ["a", "b"])
        assert rig.feed(answer) == [0x82]
    for answer in (server.suback(1, ()), server.suback(1, (1,))):
        rig = Rig()
        rig.session.publish("a", b"")
        assert rig.feed(answer) == [0x82]


def test_receive_maximum_of_the_server_in_order():
    rig = Rig(pairs=((0x21, 2),))
    entries = [rig.session.publish("t", b"%d" % n) for n in range(5)]
    assert pids(rig.written()) == [1, 2]
    assert rig.feed(server.puback(2)) == [entries[1]]
    assert pids(rig.written()) == [3]
    rig.feed(server.puback(1) + server.puback(3))
    assert pids(rig.written()) == [4, 5]


def test_the_number_of_publishes_in_flight_is_bounded():
    rig = Rig()
    while not rig.session.full():
        rig.session.publish("t", b"x")
    assert pids(rig.written()) == list(range(1, 17))
    rig.feed(server.puback(4))
    assert not rig.session.full()


def test_unsent_bytes_are_bounded():
    rig = Rig()
    rig.session.publish("t", bytes(2048), None, 0)
    assert rig.session.full()
    rig.written()
    assert not rig.session.full()


def test_packet_ids_wrap_and_never_collide():
    rig = Rig()
    rig.session.in_flight.last_pid = 65533
    held = rig.session.publish("t", b"")
    assert held.pid == 65534
    seen = []
    for _ in range(65536):
        entry = rig.session.publish("t", b"")
        seen.append(entry.pid) if len(seen) < 3 else None
        assert 0 < entry.pid < 65536 and entry.pid != 65534
        rig.feed(server.puback(entry.pid))
        rig.session.take(NOW)
    assert seen == [65535, 1, 2]
    assert rig.session.in_flight.all == [held]


def test_a_publish_the_server_would_refuse_is_not_sent():
    rig = Rig(pairs=((0x27, 20),))
    assert refusal(rig.session.publish, "t", bytes(20)) == 0x95
    assert refusal(opening.subscription, rig.session, ["t" * 20]) == 0x95
    assert refusal(rig.session.publish, "t/#", b"") == 0x90
    assert rig.session.publish("t", bytes(12)).pid
    assert len(rig.session.take(NOW)) == 20
    rig = Rig(pairs=((0x24, 0),))
    assert refusal(rig.session.publish, "t", b"") == 0x9B
    assert rig.session.publish("t", b"", None, 0) is None
    assert kinds(rig.written()) == [3]


def test_a_lost_connection_ends_all_in_flight():
    rig = Rig()
    entries = [rig.session.publish("t", b""), opening.subscription(rig.session, ["a"])]
    assert rig.lose() == entries
    assert [str(entry.error) for entry in entries] == ["closed: by test"] * 2
    assert not rig.written()
    assert rig.session.in_flight.all == []


def test_kept_session_sends_again_with_dup():
    rig = Rig(pairs=((0x21, 2),), **KEPT)
    first, second, third = [rig.session.publish("t", b"%d" % n) for n in range(3)]
    rig.written()
    opening.subscription(rig.session, ["a"])
    rig.come_back(pairs=((0x21, 2),))
    assert [(seen["pid"], seen["dup"], seen["payload"]) for seen in rig.written()] == [
        (1, 1, b"0"),
        (2, 1, b"1"),
    ]
    assert rig.session.publish("t", b"new").pid == 5
    assert rig.feed(server.puback(1) + server.puback(2)) == [first, second]
    assert [(seen["pid"], seen["dup"]) for seen in rig.written()] == [(3, 0), (5, 0)]
    assert rig.feed(server.puback(3)) == [third]


def test_a_session_the_server_dropped_resends_nothing():
    rig = Rig(**KEPT)
    rig.session.publish("t", b"x")
    rig.come_back(present=0)
    assert rig.written() == []
    assert rig.session.in_flight.all == []


def test_clean_connect_and_other_version_forget():
    for before, version, clean in ((5, 5, True), (5, 4, False), (4, 5, False)):
        rig = Rig(before, **KEPT)
        rig.session.publish("t", b"x")
        rig.lose()
        rig.version = version
        rig.connect(clean=clean, present=int(not clean))
        assert rig.written() == []
        assert rig.session.in_flight.all == []


def test_3_1_1_keeps_unless_clean():
    rig = Rig(4, clean=False)
    rig.session.publish("t", b"x")
    rig.written()
    rig.lose()
    rig.connect(clean=False, present=1)
    assert [(seen["pid"], seen["dup"]) for seen in rig.written()] == [(1, 1)]


def test_a_packet_over_the_new_limit_is_not_resent():
    rig = Rig(**KEPT)
    rig.session.publish("t", bytes(100))
    rig.written()
    rig.come_back(pairs=((0x27, 50),))
    assert rig.written() == []


def test_message_is_acknowledged_when_done():
    rig = Rig()
    message = rig.message(server.publish("t", b"x", 7, retain=1, pairs=((2, 9),)))
    assert (message.topic, message.payload, message.retain, message.dup) == ("t", b"x", True, False)
    assert rig.written() == []
    rig.session.done(message.receipt)
    rig.session.done(message.receipt)
    assert rig.written() == [{"kind": 4, "pid": 7}]
    message = rig.message(server.publish("t", b"x"))
    rig.session.done(message.receipt)
    assert rig.written() == []


def test_duplicate_of_an_unfinished_message():
    for version in (4, 5):
        rig = Rig(version, **KEPT)
        message = rig.message(server.publish("t", b"x", 7, version=version))
        again = server.publish("t", b"x", 7, dup=1, version=version)
        assert rig.feed(again) == []
        rig.come_back()
        assert rig.feed(again) == []
        assert rig.written() == []
        rig.session.done(message.receipt)
        assert rig.written() == [{"kind": 4, "pid": 7}]
        assert rig.message(again).dup


def test_message_finished_while_there_was_no_connection():
    rig = Rig(**KEPT)
    message = rig.message(server.publish("t", b"x", 7))
    rig.lose()
    rig.session.done(message.receipt)
    rig.connect(clean=False, expiry_s=60, present=1)
    assert rig.written() == []
    assert rig.feed(server.publish("t", b"x", 7, dup=1)) == []
    assert rig.written() == [{"kind": 4, "pid": 7}]


def test_message_finished_after_reconnecting_but_before_it_came_again():
    rig = Rig(**KEPT)
    message = rig.message(server.publish("t", b"x", 7))
    rig.come_back()
    rig.session.done(message.receipt)
    assert rig.written() == []
    assert rig.feed(server.publish("t", b"x", 7, dup=1)) == []
    assert pids(rig.written()) == [7]


def test_packet_id_that_the_server_uses_for_another_message():
    rig = Rig(**KEPT)
    old = rig.message(server.publish("t", b"x", 7))
    assert rig.feed(server.publish("t", b"y", 7)) == [0x82]
    rig.come_back()
    new = rig.message(server.publish("t", b"y", 7))
    rig.session.done(old.receipt)
    assert rig.written() == []
    rig.session.done(new.receipt)
    assert pids(rig.written()) == [7]


def test_message_of_a_forgotten_session_is_not_acknowledged():
    rig = Rig(**KEPT)
    old = rig.message(server.publish("t", b"x", 7))
    rig.come_back(present=0)
    rig.message(server.publish("t", b"y", 7))
    rig.session.done(old.receipt)
    assert rig.written() == []


def test_unfinished_messages_do_not_pile_up_over_connections():
    rig = Rig(**KEPT)
    for turn in range(20):
        for n in range(8):
            rig.message(server.publish("t", b"x", turn * 8 + n + 1))
        rig.come_back()
    assert len(rig.session.held) <= 16


def test_receive_maximum_exceeded_by_the_server():
    rig = Rig()
    # The window is 4, but mosquitto goes past it when messages expire that were sent and not acknowledged. To hang up
    # would be no remedy: they would come again.
    for pid in range(1, 49):
        rig.message(server.publish("t", b"x", pid))
    assert rig.feed(server.publish("t", b"x")) != [0x93]  # QoS 0 does not count
    assert rig.feed(server.publish("t", b"x", 49)) == [0x93]
    assert rig.written() == [{"kind": 14, "code": 0x93}]
    rig = Rig(4)
    for pid in range(1, 12):
        rig.message(server.publish("t", b"x", pid, version=4))


def test_topic_alias():
    rig = Rig()
    assert rig.message(server.publish("a", b"1", pairs=((0x23, 8),))).topic == "a"
    assert rig.message(server.publish("", b"2", pairs=((0x23, 8),))).topic == "a"
    assert rig.message(server.publish("b", b"3", pairs=((0x23, 8),))).topic == "b"
    assert rig.message(server.publish("", b"4", pairs=((0x23, 8),))).topic == "b"
    rig.lose()
    rig.connect()
    assert rig.feed(server.publish("", b"5", pairs=((0x23, 8),))) == [0x82]


def test_bad_topic_alias():
    for pairs, code in ((((0x23, 0),), 0x94), (((0x23, 9),), 0x94), (((0x23, 3),), 0x82), ((), 0x82)):
        rig = Rig()
        assert rig.feed(server.publish("", b"x", pairs=pairs)) == [code]
        assert rig.written() == [{"kind": 14, "code": code}]


def test_bytes_one_at_a_time_are_the_same():
    data = (
        server.publish("t", bytes(300), 7) + server.PINGRESP + server.puback(1) + server.publish("t", b"", 8)
    )
    for step in (0, 1, 2, 7, 299):
        rig = Rig()
        entry = rig.session.publish("t", b"x")
        first, answer, last = rig.feed(data, step=step)
        assert (first.payload, answer, last.receipt & 0xFFFF) == (bytes(300), entry, 8)


def test_largest_packet():
    rig = Rig(size=100)
    assert rig.message(server.publish("t", bytes(94))).payload == bytes(94)
    assert rig.feed(server.publish("t", bytes(93)) * 9, step=64) != []
    for version, size in ((5, 92), (4, 93)):
        rig = Rig(version, size=100)
        message = rig.message(server.publish("t", bytes(size), 7, version=version))
        assert (message.payload, message.large) == (bytes(size), 0)


def test_message_larger_than_the_buffer_is_known_by_its_topic_and_acknowledged():
    for version in (5, 4):
        for pid in (0, 7):
            for size in (96, 100, 5000, 20000):
                rig = Rig(version, size=100)
                data = server.publish("t", bytes(size), pid, retain=1, version=version)
                message = rig.message(data)
                assert (message.topic, message.payload, message.retain) == ("t", None, True)
                assert message.large == len(data) and len(message.__dict__) < 8
                rig.session.done(message.receipt)
                assert rig.written() == ([{"kind": 4, "pid": 7}] if pid else [])
                assert rig.message(server.publish("t", b"x", version=version)).payload == b"x"


def test_message_larger_than_the_buffer_between_others_in_any_pieces():
    skipped = server.publish("large", bytes(500), 8)
    data = server.publish("t", b"1", 7) + skipped
    data += (
        server.puback(1) + server.publish("t", b"2", 9) + server.publish("large", bytes(95)) + server.PINGRESP
    )
    for step in (0, 1, 2, 7, 64, 99):
        rig = Rig(size=100)
        entry = rig.session.publish("t", b"x")
        one, large, answer, two, last = rig.feed(data + server.publish("t", b"3"), step=step)[:5]
        assert (one.payload, large.topic, large.payload, answer) == (b"1", "large", None, entry)
        assert large.large == len(skipped)
        assert (two.payload, last.topic, last.large) == (b"2", "large", 105)


def test_message_larger_than_the_buffer_comes_again_after_a_loss_in_its_middle():
    for version in (5, 4):
        rig = Rig(version, size=100, **KEPT)
        data = server.publish("t", bytes(500), 7, version=version)
        assert rig.feed(data[:300]) == [] and rig.session.held == {}
        rig.come_back()
        again = server.publish("t", bytes(500), 7, dup=1, version=version)
        rig.session.done(rig.message(again).receipt)
        assert rig.written() == [{"kind": 4, "pid": 7}]


def test_duplicate_of_a_message_larger_than_the_buffer():
    rig = Rig(size=100, **KEPT)
    first = rig.message(server.publish("t", bytes(500), 7))
    again = server.publish("t", bytes(500), 7, dup=1)
    assert rig.feed(again) == []
    rig.lose()
    rig.session.done(first.receipt)
    rig.connect(clean=False, expiry_s=60, present=1)
    assert rig.feed(again) == []
    assert rig.written() == [{"kind": 4, "pid": 7}]


def test_topic_alias_in_a_message_larger_than_the_buffer():
    rig = Rig(size=100)
    assert rig.message(server.publish("a", bytes(500), pairs=((0x23, 1),))).topic == "a"
    assert rig.message(server.publish("", b"x", pairs=((0x23, 1),))).topic == "a"
    assert rig.message(server.publish("", bytes(500), pairs=((0x23, 1),))).topic == "a"
    # Where the properties have no room either, any alias may have changed: none may lead to the old topic.
    long = ((0x26, ("k", "v" * 200)), (0x23, 1))
    assert rig.message(server.publish("b", b"x", 7, pairs=long)).topic == "b"
    assert rig.feed(server.publish("", b"x", pairs=((0x23, 1),))) == [0x82]
    assert Rig(size=100).feed(server.publish("", bytes(500), pairs=((0x23, 1),))) == [0x82]


def test_properties_larger_than_the_buffer_are_skipped_too():
    for long in (((0x26, ("k", "v" * 200)),), ((0x26, ("k", "v" * 20)),) * 9, ((8, "r" * 300),)):
        rig = Rig(size=100)
        message = rig.message(server.publish("t", b"x", 7, pairs=long))
        rig.session.done(message.receipt)
        assert rig.written() == [{"kind": 4, "pid": 7}]


def test_a_packet_that_cannot_be_skipped_ends_the_connection():
    qos_2 = server.packet(0x34, server.counted("t") + b"\0\7\0" + bytes(500))
    for data, code in (
        (server.publish("t" * 100, b""), 0x95),
        (server.publish("t" * 95, bytes(500), 7), 0x95),
        (server.suback(1, bytes(200)), 0x95),
        (server.puback(1, 0x87, ((0x1F, "r" * 200),)), 0x95),
        (server.publish("t/#", bytes(500)), 0x90),
        (qos_2, 0x82),
    ):
        for step in (0, 1, 64):
            rig = Rig(size=100)
            assert rig.feed(data, step=step) == [code]
            assert rig.written() == [{"kind": 14, "code": code}]
    rig = Rig(4, size=100)
    assert rig.feed(server.suback(1, bytes(200), version=4)) == [0x95]
    assert rig.written() == []


def test_message_larger_than_the_buffer_before_the_connack():
    session = Session(memoryview(bytearray(100)))
    opening.begin(session, "me", "u", "p")
    session.space()[:5] = b"\x30\xff\xff\xff\x7f"
    session.received(5)
    assert refusal(session.next, NOW) == 0x95


def test_a_skipped_message_leaves_no_bytes_for_the_next_connection():
    rig = Rig(size=100)
    assert rig.feed(server.publish("t", bytes(500), 7)[:300]) == []
    rig.lose()
    rig.connect()
    assert rig.message(server.publish("t", b"x", 7)).payload == b"x"


def test_skipped_bytes_count_as_received():
    rig = Rig(size=100, keep_alive_s=40)
    rig.feed(server.publish("t", bytes(100000))[:150])
    for second in range(0, 200, 10):
        now = (NOW + second * 1000) & 0x3FFFFFFF
        rig.feed(bytes(50), now)
        rig.session.tick(now)
        rig.written(now)
        assert rig.session.last_received == now
    # PINGRESP stands behind all that; from the last byte on it is waited for.
    assert rig.session.tick(now + 19000 & 0x3FFFFFFF) == 1000
    assert str(raised(NetError, rig.session.tick, now + 20000 & 0x3FFFFFFF)) == "timeout: keep-alive"


def test_disconnect_codes_are_sent_in_version_5_only():
    rig = Rig()
    rig.session.publish("t", b"x")
    assert rig.feed(b"\xf0\0") == [0x82]
    assert kinds(rig.written()) == [3, 14]
    rig = Rig(4)
    assert rig.feed(b"\xf0\0") == [0x82]
    assert rig.written() == []


def test_finish_sends_disconnect():
    for version, code in ((5, 4), (5, 0), (4, 0)):
        rig = Rig(version)
        message = rig.message(server.publish("t", b"x", 7, version=version))
        entry = rig.session.publish("t", b"")
        rig.session.finish(NetError("closed", "by test"), code)
        rig.session.finish(NetError("closed", "again"), 0)
        rig.session.done(message.receipt)
        rig.session.tick(NOW + 30000)
        assert kinds(rig.written()) == [3, 14]
        assert rig.feed(server.puback(1, version=version)) == [entry]
        assert str(rig.session.error) == "closed: by test"


def test_disconnect_by_the_server():
    rig = Rig()
    entry = rig.session.publish("t", b"x")
    assert rig.feed(server.disconnect(0x98, ((0x1F, "bye"),))) == [0x98]
    assert rig.written() == []
    rig.lose()
    assert (entry.error.code, entry.error.reason) == (0x98, "'bye'")


def test_keep_alive():
    rig = Rig(keep_alive_s=40)
    assert rig.session.tick(NOW) == 30000
    assert rig.session.tick(NOW + 20000) == 10000
    assert rig.written() == []
    assert rig.session.tick(NOW + 30000 & 0x3FFFFFFF) == 20000
    assert kinds(rig.written(NOW + 30000 & 0x3FFFFFFF)) == [12]
    assert rig.session.tick(NOW + 31000 & 0x3FFFFFFF) == 19000
    rig.feed(server.PINGRESP, NOW + 32000 & 0x3FFFFFFF)
    assert rig.session.tick(NOW + 33000 & 0x3FFFFFFF) == 27000


def test_a_dead_peer_is_detected_within_one_and_a_half_keep_alives():
    rig = Rig(keep_alive_s=40)
    now, kind = NOW, None
    try:
        while now < NOW + 100000:
            left_ms = rig.session.tick(now & 0x3FFFFFFF)
            rig.written(now & 0x3FFFFFFF)
            now += left_ms
    except NetError as e:
        kind = e.kind
    assert (kind, now) == ("timeout", NOW + 50000)


def test_sending_only_still_expects_answers():
    rig = Rig(keep_alive_s=40)
    dead = None
    for second in range(100):
        now = (NOW + second * 1000) & 0x3FFFFFFF
        rig.session.publish("t", b"", None, 0)
        rig.written(now)
        try:
            rig.session.tick(now)
        except NetError:
            dead = second
            break
    assert dead == 50


def test_receiving_only_still_sends_pings():
    rig = Rig(keep_alive_s=40)
    pings = []
    for second in range(100):
        now = (NOW + second * 1000) & 0x3FFFFFFF
        rig.feed(server.publish("t", b""), now)
        rig.session.tick(now)
        if rig.written(now):
            pings.append(second)
            rig.feed(server.PINGRESP, now)
    assert pings == [30, 60, 90]


def test_partial_packets_are_no_answer_to_a_ping():
    rig = Rig(keep_alive_s=40)
    rig.session.tick(NOW + 30000 & 0x3FFFFFFF)
    for second in range(31, 50):
        rig.feed(b"\x30\x7f"[second == 31 :][:1] if second < 33 else b"x", (NOW + second * 1000) & 0x3FFFFFFF)
    assert str(raised(NetError, rig.session.tick, NOW + 50000 & 0x3FFFFFFF)) == "timeout: keep-alive"


def test_under_backpressure_it_pings_without_expecting_an_answer():
    rig = Rig(keep_alive_s=40)
    now, pings = NOW, 0
    while now < NOW + 400000:
        left_ms = rig.session.tick(now & 0x3FFFFFFF, True)
        pings += len(rig.written(now & 0x3FFFFFFF))
        now += left_ms
    assert pings == 13
    assert rig.session.tick(now & 0x3FFFFFFF) > 0


def test_the_keep_alive_of_the_server_counts():
    rig = Rig(keep_alive_s=40, pairs=((0x13, 4),))
    assert rig.session.tick(NOW) == 3000
    # A server that asks for fewer pings, or for none, gets ours.
    for asked in (0, 41, 65535):
        assert Rig(keep_alive_s=40, pairs=((0x13, asked),)).session.tick(NOW) == 30000
    assert Rig(keep_alive_s=0, pairs=((0x13, 4),)).session.tick(NOW) == 3000
    rig = Rig(keep_alive_s=0)
    assert rig.session.tick(NOW + 500000) == 60000
    assert rig.written() == []
