"""What a device tells an IOTMP server, question by question: the exchanges of the vendor's clients, and odd ones."""

from iotmp import frame as f
from iotmp.session import (
    BOTH,
    CLOSED,
    INPUT,
    LOGIN,
    OPEN,
    OUTPUT,
    RUN,
    TRANSITIONS,
    Refused,
    Request,
    Session,
)
from tests_host.support.raising import raised
from tools.cloud import thinger_wire as server

LATE = (1 << 30) - 700  # the counter wraps in the middle of every test


class Thing:
    """The application: a relay, a sensor, something to run."""

    def __init__(self):
        self.kinds = {"relay": INPUT, "temperature": OUTPUT, "reset": RUN, "io": BOTH}
        self.values = {"relay": True, "temperature": 23.5, "io": {"in": {"a": 0}, "out": 1}}

    def read(self, name):
        return self.values[name]


class Rig:
    def __init__(self, login=True, **options):
        self.thing = Thing()
        self.session = Session(self.thing, **options)
        self.now = LATE
        self.session.connect(self.now, "user1", "sensor1", "test-secret-not-real", 1)
        if login:
            assert self.written() == [
                ("CONNECT", {"sid": 1, "payload": ["user1", "sensor1", "test-secret-not-real"]})
            ]
            assert self.receive(server.frame("OK", sid=1)) == [] and self.session.state == OPEN

    def receive(self, data, piece=1000000):
        """Orders that come out of received bytes, `piece` at a time."""
        requests = []
        while data:
            space = self.session.space()
            n = min(piece, len(space), len(data))
            space[:n] = data[:n]
            data = data[n:]
            self.session.received(n)
            while True:
                request = self.session.next(self.now)
                if not request:
                    break
                requests.append(request)
        return requests

    def ask(self, kind, **fields):
        """What is answered to one request, which asks for no decision."""
        assert self.receive(server.frame(kind, **fields)) == []
        return self.written()

    def written(self):
        return server.read(bytes(self.session.take()))

    def later(self, ms):
        self.now = (self.now + ms) & ((1 << 30) - 1)
        return self.session.tick(self.now)


def failure(act, *args):
    try:
        act(*args)
    except f.IotmpError as e:
        return str(e)
    return None


def ok(sid, *payload):
    return [("OK", {"sid": sid, "payload": payload[0]} if payload else {"sid": sid})]


def error(sid, status, text):
    return [("ERROR", {"sid": sid, "parameters": status, "payload": {"error": text}})]


def sample(sid, value):
    return ("STREAM_DATA", {"sid": sid, "payload": value})


def test_the_login_is_accepted_whatever_its_stream_id():
    rig = Rig(login=False)
    assert rig.session.state == LOGIN
    rig.receive(server.frame("KEEP_ALIVE") + server.frame("OK", sid=7))
    assert rig.session.state == OPEN and rig.session.active


def test_a_refused_login_has_its_own_error():
    rig = Rig(login=False)
    raised(Refused, rig.receive, server.frame("ERROR", sid=1, parameters=2))


def test_any_other_frame_is_no_answer_to_the_login():
    run = server.frame("RUN", sid=5, resource="relay", payload=False)
    for data in (run, b"\x01\x01\x80", b"\x01\x02\x08\x80", server.frame("DISCONNECT"), b"HTTP/1.1"):
        rig = Rig(login=False)
        assert failure(rig.receive, data)
        assert rig.session.state == LOGIN


ARRIVING = (
    ("OK", f.OK),
    ("ERROR", f.ERROR),
    ("CONNECT", f.CONNECT),
    ("DISCONNECT", f.DISCONNECT),
    ("KEEP_ALIVE", f.KEEP_ALIVE),
    ("RUN", f.RUN),
    ("DESCRIBE", f.DESCRIBE),
    ("START_STREAM", f.START_STREAM),
    ("STOP_STREAM", f.STOP_STREAM),
    ("STREAM_DATA", f.STREAM_DATA),
)


def in_state(state):
    rig = Rig(login=state == OPEN)
    if state == CLOSED:
        rig.session.state = rig.session.after(f.LOST)
    assert rig.session.state == state
    return rig


def test_each_frame_is_legal_in_some_states_only():
    for kind, number in ARRIVING:
        for state in (CLOSED, LOGIN, OPEN):
            rig = in_state(state)
            wrong = failure(rig.receive, server.frame(kind, sid=1))
            after = {("OK", LOGIN): OPEN, ("ERROR", LOGIN): CLOSED, ("DISCONNECT", OPEN): CLOSED}
            assert rig.session.state == after.get((kind, state), state), (kind, state)
            legal = state == OPEN or (state == LOGIN and kind in ("OK", "ERROR", "KEEP_ALIVE"))
            assert (TRANSITIONS[number * 3 + state] != 0x2D) == legal, (kind, state)
            ends = (kind, state) in (("ERROR", LOGIN), ("DISCONNECT", OPEN))
            assert bool(wrong) == (ends or not legal), (kind, state)


def test_an_illegal_event_raises_and_changes_nothing():
    illegal = 0
    for state in (CLOSED, LOGIN, OPEN):
        session = in_state(state).session
        for event in range(len(TRANSITIONS) // 3):
            before = session.__dict__.copy()
            after = chr(TRANSITIONS[event * 3 + state])
            assert bool(failure(session.after, event)) == (after == "-"), (state, event)
            assert session.__dict__ == before
            illegal += after == "-"
    assert illegal == 24


def test_a_call_that_is_illegal_in_a_state_changes_nothing():
    for state in (LOGIN, OPEN):
        session = in_state(state).session
        before = session.__dict__.copy()
        assert failure(session.connect, 0, "user1", "sensor1", "test-secret-not-real", 2)
        assert session.__dict__ == before
    for state in (CLOSED, LOGIN):
        session = in_state(state).session
        before = session.__dict__.copy()
        assert failure(session.leave)
        assert session.__dict__ == before
    rig = in_state(OPEN)
    rig.session.leave()
    assert rig.session.state == CLOSED and rig.written() == [("DISCONNECT", {})]


def test_describe():
    rig = Rig()
    assert rig.ask("DESCRIBE", sid=16) == ok(
        16, {"relay": {"fn": 2}, "reset": {"fn": 1}, "temperature": {"fn": 3}, "io": {"fn": 4}}
    )
    assert rig.ask("DESCRIBE", sid=17, resource="relay") == ok(17, {"in": True})
    assert rig.ask("DESCRIBE", sid=18, resource="temperature") == ok(18, {"out": 23.5})
    assert rig.ask("DESCRIBE", sid=19, resource="reset") == ok(19)
    assert rig.ask("DESCRIBE", sid=21, resource="io") == ok(21, {"in": {"a": 0}, "out": 1})
    assert rig.ask("DESCRIBE", sid=20, resource="ghost") == error(20, 404, "not found")


def test_an_output_is_read():
    rig = Rig()
    assert rig.ask("RUN", sid=66, resource="temperature") == ok(66, 23.5)
    rig.thing.values["temperature"] = None
    assert rig.ask("RUN", sid=66, resource="temperature", payload=5) == ok(66, None)
    assert rig.ask("RUN", resource="temperature") == []


def test_a_write_to_an_input_becomes_a_request():
    rig = Rig()
    for sid, value in (
        (66, True),
        (0, False),
        (65535, 5),
        (67, -5),
        (68, 18.5),
        (69, "on"),
        (70, None),
        (71, {"a": [1]}),
    ):
        assert rig.receive(server.frame("RUN", sid=sid, resource="relay", payload=value)) == [
            Request(sid, "relay", value)
        ]
    assert rig.written() == []
    rig.session.answer(66)
    rig.session.refuse(67, 400, "no")
    assert rig.written() == ok(66) + error(67, 400, "no")


def test_a_read_of_an_input_gets_an_empty_answer():
    assert Rig().ask("RUN", sid=66, resource="relay") == ok(66)


def test_a_request_without_a_stream_id_gets_no_answer():
    rig = Rig()
    request = rig.receive(server.frame("RUN", resource="relay", payload=True))[0]
    assert request == Request(None, "relay", True)
    rig.session.answer(request.stream_id)
    rig.session.refuse(request.stream_id, 400, "no")
    assert rig.written() == []


def test_a_resource_with_input_and_output_is_answered_by_the_application():
    rig = Rig()
    assert rig.receive(server.frame("RUN", sid=9, resource="io", payload={"a": 1})) == [
        Request(9, "io", {"a": 1})
    ]
    rig.session.answer(9, 2)
    assert rig.written() == ok(9, 2)
    assert rig.ask("RUN", sid=9, resource="io") == ok(9)


def test_run():
    rig = Rig()
    assert rig.receive(server.frame("RUN", sid=9, resource="reset")) == [Request(9, "reset", None)]
    assert rig.receive(server.frame("RUN", sid=9, resource="reset", payload=1)) == [Request(9, "reset", 1)]


def test_unknown_resources_and_invalid_names_are_refused():
    rig = Rig()
    for name in ("ghost", "", 4711, True, None, 1.5, {"a": 1}, [], [1], ["relay", "api"], b"relay"):
        assert rig.ask("RUN", sid=9, resource=name, payload=True) == error(9, 404, "not found"), name
    assert rig.ask("RUN", sid=9, payload=True) == error(9, 404, "not found")
    assert rig.receive(server.frame("RUN", sid=9, resource=["relay"], payload=True)) == [
        Request(9, "relay", True)
    ]


def test_invalid_stream_ids_are_not_answered():
    rig = Rig()
    for sid in ("a", [1], {}, 1.5, True, None, -1):
        assert rig.ask("RUN", sid=sid, resource="ghost") == []
        assert rig.ask("START_STREAM", sid=sid, resource="relay") == []
        assert rig.ask("STOP_STREAM", sid=sid) == []
        assert rig.ask("STREAM_DATA", sid=sid, payload=1) == []
    assert not rig.session.streams


def test_a_stream_by_interval():
    rig = Rig()
    found = rig.ask("START_STREAM", sid=34, resource="temperature", parameters={"interval": 5000})
    assert found == ok(34) + [sample(34, 23.5)]
    assert rig.later(4999) == 1 and rig.written() == []
    rig.thing.values["temperature"] = 24.25
    assert rig.later(1) == 5000 and rig.written() == [sample(34, 24.25)]
    rig.session.changed("temperature", rig.now)
    assert rig.written() == [], "buckets count the samples"
    assert rig.ask("STOP_STREAM", sid=34) == ok(34)
    rig.later(5000)
    assert rig.written() == []


def test_intervals_have_limits():
    for parameters, ms in (({"interval": 1}, 1000), (1, 1000), (5000, 5000), ({"interval": 2**40}, 86400000)):
        rig = Rig()
        rig.ask("START_STREAM", sid=1, resource="temperature", parameters=parameters)
        rig.later(1)
        assert rig.later(0) == min(ms - 1, 49999)
    for parameters in (
        {}, {"interval": 0}, {"interval": -5}, {"interval": "5"}, {"interval": True}, "x", [1], 0, 1.5, None,
    ):  # fmt: skip
        rig = Rig()
        rig.ask("START_STREAM", sid=1, resource="temperature", parameters=parameters)
        rig.later(40000)
        assert rig.written() == []
        rig.session.changed("temperature", rig.now)
        assert rig.written() == [sample(1, 23.5)]
        rig.thing.values["temperature"] = 23.25
        rig.session.changed("temperature", rig.now)
        assert rig.written() == [sample(1, 23.25)]


def test_a_stream_on_change():
    rig = Rig()
    assert rig.ask("START_STREAM", sid=34, resource="relay") == ok(34) + [sample(34, True)]
    assert rig.ask("START_STREAM", sid=35, resource="relay", parameters={"interval": 60000})[1:] == [
        sample(35, True)
    ]
    rig.thing.values["relay"] = False
    rig.session.changed("relay", rig.now)
    assert sorted([fields["sid"] for _, fields in rig.written()]) == [34, 35]
    rig.session.changed("relay", rig.now)
    assert rig.written() == [], "it is known"
    rig.session.changed("relay", rig.now, True)
    assert len(rig.written()) == 2, "whoever wrote wants to see it again"
    rig.later(4999)
    rig.session.changed("relay", rig.now)
    assert rig.written() == []
    rig.later(2)
    rig.session.changed("relay", rig.now)
    assert len(rig.written()) == 2, "one every few seconds"
    for value in (True, False, True):
        rig.thing.values["relay"] = value
        rig.session.changed("temperature", rig.now)
        assert rig.written() == []
        rig.session.changed("relay", rig.now)
        assert rig.written() == [sample(34, value), sample(35, value)], "every change"


def test_a_stream_opened_again_is_the_same_stream():
    rig = Rig()
    rig.ask("START_STREAM", sid=34, resource="relay")
    rig.ask("START_STREAM", sid=34, resource="temperature")
    rig.session.changed("relay", rig.now)
    assert rig.written() == []


def test_resources_that_cannot_be_streamed_are_refused():
    rig = Rig()
    for name in ("reset", "ghost", "io"):
        assert rig.ask("START_STREAM", sid=34, resource=name) == error(34, 404, "not found")
    assert rig.ask("STOP_STREAM", sid=34) == ok(34)


def test_the_number_of_streams_is_bounded():
    rig = Rig()
    for sid in range(32):
        rig.ask("START_STREAM", sid=sid, resource="relay")
    assert rig.ask("START_STREAM", sid=99, resource="relay") == error(99, 503, "too many streams")
    assert rig.ask("START_STREAM", sid=5, resource="relay")[0] == ok(5)[0]


def test_data_on_an_open_stream_is_a_request_without_an_answer():
    rig = Rig()
    assert rig.ask("STREAM_DATA", sid=34, payload=False) == []
    rig.ask("START_STREAM", sid=34, resource="relay")
    rig.ask("START_STREAM", sid=35, resource="temperature")
    assert rig.receive(server.frame("STREAM_DATA", sid=34, payload=False)) == [Request(None, "relay", False)]
    assert rig.ask("STREAM_DATA", sid=35, payload=False) == []
    assert rig.ask("STREAM_DATA", sid=34) == []


def test_a_new_connection_has_no_streams():
    rig = Rig()
    rig.ask("START_STREAM", sid=34, resource="relay")
    rig.session.state = rig.session.after(f.LOST)
    rig.session.connect(rig.now, "user1", "sensor1", "test-secret-not-real", 2)
    rig.written()
    rig.receive(server.frame("OK", sid=2))
    rig.session.changed("relay", rig.now)
    assert rig.written() == []


def test_keep_alive():
    rig = Rig(keep_alive_ms=50000)
    assert rig.later(49999) == 1 and rig.written() == []
    assert rig.later(1) == 20000 and rig.written() == [("KEEP_ALIVE", {})]
    rig.later(30)
    assert rig.ask("KEEP_ALIVE") == []
    assert rig.later(0) == 50000
    rig.later(50000)
    assert rig.written() == [("KEEP_ALIVE", {})]
    assert failure(rig.later, 19999) is None
    assert failure(rig.later, 1)


def test_keep_alives_of_the_server_are_no_answers():
    rig = Rig()
    assert rig.ask("KEEP_ALIVE") == [] and rig.session.pongs == 0
    rig.session.ping(rig.now)
    rig.session.ping(rig.now)
    rig.ask("KEEP_ALIVE")
    assert (rig.session.pings, rig.session.pongs) == (2, 1)
    assert failure(rig.later, 20000)


def test_unsolicited_answers_are_dropped():
    rig = Rig()
    assert rig.ask("OK", sid=5, payload=1) == rig.ask("ERROR", sid=5) == rig.ask("CONNECT", sid=5) == []


def test_disconnect_is_queued():
    rig = Rig()
    rig.session.leave()
    assert rig.written() == [("DISCONNECT", {})]
    assert failure(rig.receive, server.frame("DISCONNECT"))


def test_a_malformed_request_is_refused_and_others_are_served():
    rig = Rig()
    deep = True
    for _ in range(9):
        deep = [deep]
    for kind in ("RUN", "DESCRIBE", "START_STREAM"):
        found = rig.ask(kind, sid=9, payload=deep, resource="relay")
        assert [(kind, fields["parameters"]) for kind, fields in found] == [("ERROR", 400)]
    assert rig.ask("STREAM_DATA", sid=9, payload=deep) == []
    assert rig.receive(b"\x06\x01\x80" + server.frame("RUN", sid=66, resource="relay", payload=True)) == [
        Request(66, "relay", True)
    ]


def test_a_server_that_is_too_old_is_named():
    assert "older" in failure(Rig().receive, b"\x06\x04\x08\x42\x19\x28")
    rig = Rig(login=False)
    assert "older" in failure(rig.receive, b"\x01\x02\x09\x08")


def test_a_frame_beyond_the_buffer_is_refused_and_skipped():
    for piece in (1, 7, 100, 100000):
        rig = Rig(size=100)
        assert rig.session.too_large == 0
        long = server.frame("RUN", sid=9, resource="relay", payload="x" * 300)
        short = server.frame("RUN", sid=66, resource="relay", payload=True)
        assert rig.receive(short + long + long + short, piece) == [Request(66, "relay", True)] * 2
        assert rig.written() == error(9, 413, "more than 100 bytes") * 2
        assert rig.session.too_large == len(long)


def test_a_frame_of_any_length_that_can_be_encoded_is_skipped():
    rig = Rig()
    assert rig.receive(server.frame("RUN", sid=9, resource="relay", payload="x" * 70000)) == []
    assert rig.written() == error(9, 413, "more than 1024 bytes")
    assert rig.receive(server.frame("RUN", sid=66, resource="relay", payload=True)) == [
        Request(66, "relay", True)
    ]
    assert failure(Rig().receive, b"\x06\xff\xff\xff\xff") == "frame too long"


def test_a_large_frame_that_expects_no_answer_gets_none():
    rig = Rig(size=100)
    rig.ask("START_STREAM", sid=34, resource="relay")
    for kind in ("STREAM_DATA", "OK", "KEEP_ALIVE"):
        rig.session.too_large = 0
        assert rig.ask(kind, sid=34, payload="x" * 300) == []
        assert rig.session.too_large > 300


def test_a_frame_that_never_ends_ends_the_connection():
    rig = Rig()
    rig.receive(b"\x06\xff\xff\xff\x7f\x08\x09")
    rig.later(50000)
    rig.receive(b"x" * 60000)
    assert failure(rig.later, 20000) == "keep-alive not answered"


def test_a_frame_that_fills_the_buffer_is_read():
    rig = Rig(size=100)
    data = server.frame("RUN", sid=66, resource="relay", payload="x" * 86)
    assert len(data) == 100
    assert rig.receive(data * 3, 33) == [Request(66, "relay", "x" * 86)] * 3


def test_backpressure_stops_the_samples():
    rig = Rig()
    rig.thing.values["temperature"] = "x" * 3000
    rig.ask("START_STREAM", sid=1, resource="temperature", parameters=1000)
    for _ in range(10):
        rig.later(1000)
    assert rig.session.full() and len(rig.session.out) < 8000
    rig.written()
    rig.later(1000)
    assert rig.written() == [sample(1, "x" * 3000)]
