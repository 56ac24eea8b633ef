"""The IOTMP client's tasks and waiters, against a server played by hand, in virtual time."""

from iotmp.client import Client
from iotmp.session import INPUT, OPEN, OUTPUT, Refused, Request, Session
from netio.errors import NetError
from tests_host.support.wire import Timers, Wire, Wires, check_connect, failure, run_pending, started
from tools.cloud import thinger_wire as server

LOGIN = ("user1", "sensor1", "test-secret-not-real", 1)


class Thing:
    def __init__(self):
        self.kinds = {"relay": INPUT, "temperature": OUTPUT}

    def read(self, name):
        return 23.5 if name == "temperature" else True


class Rig:
    def __init__(self, *wires):
        self.clock = Timers()
        self.wire = wires[0] if wires else Wire()
        self.dialer = Wires(*(wires or (self.wire,)))
        self.client = Client(self.dialer, self.clock, "iot.thinger.test", 25206, Session(Thing()))

    async def connect(self):
        self.wire.feed(server.frame("OK", sid=1))
        await self.client.connect(*LOGIN)
        await run_pending()
        self.written()

    def written(self):
        return server.read(self.wire.take_sent())

    async def deliver(self, kind, **fields):
        self.wire.feed(server.frame(kind, **fields))
        await run_pending()


async def connected():
    rig = Rig()
    await rig.connect()
    return rig


async def test_connect():
    rig = Rig()
    rig.wire.feed(server.frame("OK", sid=1))
    await rig.client.connect(*LOGIN)
    assert rig.written() == [("CONNECT", {"sid": 1, "payload": list(LOGIN[:3])})]
    assert rig.dialer.dialled == [("iot.thinger.test", 25206, True)]
    await rig.client.disconnect()
    assert rig.written() == [("DISCONNECT", {})]
    assert rig.wire.closed == 1
    assert await failure(rig.client.receive(1000)) == "closed: closed here"


async def test_connect_refused():
    rig = Rig()
    rig.wire.feed(server.frame("ERROR", sid=1))
    try:
        await rig.client.connect(*LOGIN)
    except Refused:
        pass
    else:
        raise AssertionError("refused")
    assert rig.wire.closed == 1
    assert await failure(rig.client.acknowledged())


async def test_connect_fails_in_every_phase_and_closes_when_cancelled():
    await check_connect(Rig, lambda rig: rig.client.connect(*LOGIN))


async def test_a_request_is_received_and_answered():
    rig = await connected()
    waiting = await started(rig.client.receive(20000))
    await rig.deliver("RUN", sid=66, resource="relay", payload=True)
    assert waiting.result == Request(66, "relay", True)
    assert rig.written() == []
    rig.client.answer(66)
    rig.client.refuse(67, 400, "no")
    await run_pending()
    assert [kind for kind, _ in rig.written()] == ["OK", "ERROR"]
    rig.client.close()


async def test_receive_returns_none_after_its_time():
    rig = await connected()
    waiting = await started(rig.client.receive(20000))
    await rig.clock.advance(19000)
    assert not waiting.over
    await rig.clock.advance(1000)
    assert waiting.over and waiting.result is None and not waiting.error
    rig.client.close()


async def test_reads_are_answered_without_the_application():
    rig = await connected()
    await rig.deliver("RUN", sid=1, resource="temperature")
    await rig.deliver("START_STREAM", sid=2, resource="temperature", parameters=5000)
    assert [fields.get("payload") for _, fields in rig.written()] == [23.5, None, 23.5]
    await rig.clock.advance(16000)
    assert len(rig.written()) == 3
    rig.client.close()


async def test_changes_are_sent_to_streams():
    rig = await connected()
    await rig.deliver("START_STREAM", sid=2, resource="relay")
    rig.written()
    rig.client.changed("relay")
    await run_pending()
    assert rig.written() == []
    rig.client.changed("relay", True)
    await run_pending()
    assert rig.written() == [("STREAM_DATA", {"sid": 2, "payload": True})]
    rig.client.close()


async def test_acknowledged_waits_for_the_answer():
    rig = await connected()
    one, two = await started(rig.client.acknowledged()), await started(rig.client.acknowledged())
    assert rig.written() == [("KEEP_ALIVE", {})] * 2 and not one.over
    await rig.deliver("KEEP_ALIVE")
    assert one.over and not two.over
    await rig.deliver("KEEP_ALIVE")
    assert two.over and not two.error
    rig.client.close()


async def test_a_mark_is_reached_with_its_answer():
    rig = await connected()
    first, second = rig.client.mark(), rig.client.mark()
    await run_pending()
    assert second == first + 1 and rig.written() == [("KEEP_ALIVE", {})] * 2
    await rig.deliver("KEEP_ALIVE")
    assert first <= rig.client.session.pongs < second
    rig.client.close()


async def test_acknowledged_fails_with_the_connection():
    for end in ("hang up", "silence", "close"):
        rig = await connected()
        outcome = await started(rig.client.acknowledged())
        if end == "hang up":
            rig.wire.hang_up()
        elif end == "close":
            rig.client.close()
        else:
            await rig.clock.advance(19000)
            assert not outcome.over
            await rig.clock.advance(1500)
        await run_pending()
        assert outcome.over and outcome.error
        assert rig.wire.closed == 1


async def test_a_silent_server_ends_the_connection():
    rig = await connected()
    waiting = await started(rig.client.receive(1000000))
    await rig.clock.advance(50500)
    assert rig.written() == [("KEEP_ALIVE", {})]
    await rig.deliver("KEEP_ALIVE")
    assert waiting.over and waiting.result is None, "somebody spoke"
    waiting = await started(rig.client.receive(1000000))
    await rig.clock.advance(50500 + 19000)
    assert rig.wire.closed == 0
    await rig.clock.advance(1500)
    assert rig.wire.closed == 1 and await failure(rig.client.receive(1000000))


async def test_received_requests_are_returned_after_the_end():
    rig = await connected()
    for sid in (1, 2):
        await rig.deliver("RUN", sid=sid, resource="relay", payload=True)
    rig.wire.hang_up()
    await run_pending()
    for sid in (1, 2):
        assert (await rig.client.receive(0)).stream_id == sid
    assert await failure(rig.client.receive(0)) == "closed: by the server"
    rig.client.answer(1)
    await run_pending()
    assert rig.written() == []


async def test_a_full_inbox_stops_the_reading_and_loses_nothing():
    rig = await connected()
    for sid in range(30):
        rig.wire.feed(server.frame("RUN", sid=sid, resource="relay", payload=True))
    await run_pending()
    assert len(rig.wire.inbound) > 10
    seen = []
    while len(seen) < 30:
        request = await rig.client.receive(1000)
        if request:
            seen.append(request.stream_id)
        await run_pending()
    assert seen == list(range(30))
    rig.client.close()


async def test_backpressure_of_the_server_stops_the_reader():
    rig = await connected()
    rig.wire.stuck = True
    for sid in range(600):
        rig.wire.feed(server.frame("RUN", sid=sid, resource="ghost"))
    await run_pending()
    await run_pending()
    await run_pending()
    assert len(rig.client.session.out) < 6000
    await rig.clock.advance(80000)
    assert rig.wire.closed == 1


async def test_writes_and_reads_that_fail_end_everything():
    rig = await connected()
    rig.wire.fail(NetError("closed", "ECONNRESET"))
    await run_pending()
    assert await failure(rig.client.receive(0)) == "closed: ECONNRESET"
    assert rig.wire.closed == 1


async def test_a_cancelled_waiter_does_not_cancel_others():
    rig = await connected()
    for waiter in (rig.client.receive(20000), rig.client.acknowledged()):
        outcome = await started(waiter)
        outcome.task.cancel()
        await run_pending()
    assert rig.wire.cancelled == 0
    await rig.deliver("KEEP_ALIVE")
    await rig.deliver("RUN", sid=5, resource="relay", payload=True)
    assert (await rig.client.receive(1000)).stream_id == 5
    rig.client.close()


async def test_the_next_connection_starts_from_nothing():
    first, second = Wire(), Wire()
    rig = Rig(first, second)
    await rig.connect()
    await rig.deliver("RUN", sid=5, resource="relay", payload=True)
    first.feed(b"\x06")
    await run_pending()
    second.feed(server.frame("OK", sid=1))
    await rig.client.connect(*LOGIN)
    assert first.closed == 1
    assert not rig.client.inbox
    await rig.client.disconnect()
    assert [kind for kind, _ in server.read(second.sent)] == ["CONNECT", "DISCONNECT"]


async def test_a_disconnect_without_a_reader_is_short():
    rig = await connected()
    rig.wire.stuck = True
    outcome = await started(rig.client.disconnect())
    await rig.clock.advance(2000)
    assert outcome.over and rig.wire.closed == 1


class Dead:
    """A task of a loop that is gone."""

    def cancel(self):
        raise AssertionError("cancelled, and MicroPython would have crashed")


async def test_disconnect_after_abandon_cancels_no_task():
    rig = await connected()
    tasks, rig.client.tasks = rig.client.tasks, ()
    for task in tasks:
        task.cancel()
    await run_pending()
    rig.client.stream, rig.client.error, rig.client.tasks = (
        rig.wire,
        None,
        [Dead(), Dead()],
    )  # as Ctrl-C leaves it
    rig.client.session.state = OPEN
    rig.client.abandon()
    await rig.client.disconnect()
    assert rig.wire.closed and rig.client.stream is None
