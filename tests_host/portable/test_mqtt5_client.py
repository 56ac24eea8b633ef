"""The MQTT client's tasks and waiters, against a peer played by hand, in virtual time."""

from mqtt5 import opening
from mqtt5.client import Client
from netio.errors import NetError
from tests_host.support import mqtt_server as server
from tests_host.support.wire import Outcome, Timers, Wire, Wires, check_connect, failure, run_pending, started


class Rig:
    def __init__(self, *wires):
        self.clock = Timers()
        self.wire = wires[0] if wires else Wire()
        self.dialer = Wires(*(wires or (self.wire,)))
        self.client = Client(self.dialer, self.clock, "mqtt.realer.test")
        self.version = 5

    async def connect(self, present=0, pairs=(), **options):
        self.version = options.get("version", 5)
        self.wire.feed(server.connack(self.version, 0, present, pairs))
        facts = await opening.connect(self.client, "me", "u", "test-secret-not-real", 40, **options)
        self.written()
        return facts

    def written(self):
        return server.read_all(self.wire.take_sent(), self.version)

    async def deliver(self, data):
        self.wire.feed(data)
        await run_pending()


async def connected(**options):
    rig = Rig()
    await rig.connect(**options)
    return rig


async def test_connect():
    rig = Rig()
    facts = await rig.connect(pairs=((0x13, 20),))
    assert (facts.session_present, facts.keep_alive_s) == (False, 20)
    assert rig.dialer.dialled == [("mqtt.realer.test", 8883, True)]
    await rig.client.disconnect()
    assert rig.written() == [{"kind": 14, "code": 0}]
    assert rig.wire.closed == 1


async def test_connect_refused():
    rig = Rig()
    rig.wire.feed(server.connack(5, 0x86))
    error = await failure(opening.connect(rig.client, "me", "u", "test-secret-not-real"))
    assert error == "mqtt 0x86 bad user or password"
    assert rig.wire.closed == 1
    assert [seen["kind"] for seen in rig.written()] == [1]
    assert await failure(rig.client.publish("t", b"")) == error
    assert await failure(Rig().client.receive()) == "closed: not connected"


async def test_connect_fails_in_every_phase_and_closes_when_cancelled():
    await check_connect(Rig, lambda rig: opening.connect(rig.client, "me"))


async def test_publish_returns_with_its_answer():
    rig = await connected()
    one, two = await started(rig.client.publish("t", b"1")), await started(rig.client.publish("t", b"2", 60))
    assert [(seen["pid"], seen["payload"]) for seen in rig.written()] == [(1, b"1"), (2, b"2")]
    await rig.deliver(server.puback(2))
    assert (one.over, two.over) == (False, True)
    await rig.deliver(server.puback(1, 0x87, ((0x1F, "no"),)))
    assert one.error == "mqtt 0x87 'no'"
    quick = await started(rig.client.publish("t", b"3", None, 0))
    assert quick.over and rig.written()[0]["pid"] == 0
    handed_over = await rig.client.post("t", b"4")
    await run_pending()
    assert [seen["pid"] for seen in rig.written()] == [handed_over.pid]
    rig.client.close()


async def test_publishes_together_are_one_write():
    rig = await connected()
    before = rig.wire.writes
    outcomes = [Outcome(rig.client.publish("t", b"x")) for _ in range(10)]
    await run_pending()
    assert len(rig.written()) == 10 and rig.wire.writes - before <= 2
    await rig.deliver(b"".join([server.puback(n + 1) for n in range(10)]))
    assert all([outcome.over for outcome in outcomes])
    rig.client.close()


async def test_more_publishers_than_room_keep_their_order():
    rig = await connected(pairs=((0x21, 3),))
    outcomes = [Outcome(rig.client.publish("t", b"%d" % n)) for n in range(40)]
    sent = []
    for _ in range(60):
        await run_pending()
        for seen in rig.written():
            sent.append(seen["payload"])
            rig.wire.feed(server.puback(seen["pid"]))
            assert len(rig.client.session.in_flight.all) <= 16
    assert sent == [b"%d" % n for n in range(40)]
    assert all([outcome.over and not outcome.error for outcome in outcomes])
    rig.client.close()


async def test_a_cancelled_publish_does_not_cancel_others():
    rig = await connected()
    one, two = await started(rig.client.publish("t", b"1")), await started(rig.client.publish("t", b"2"))
    one.task.cancel()
    await run_pending()
    assert rig.wire.cancelled == 0
    await rig.deliver(server.puback(1) + server.puback(2))
    assert two.over and not two.error
    rig.client.close()


async def test_a_cancelled_publisher_releases_the_queue():
    rig = await connected()
    outcomes = [Outcome(rig.client.publish("t", b"%d" % n)) for n in range(19)]
    await run_pending()
    outcomes[16].task.cancel()
    outcomes[17].task.cancel()
    await run_pending()
    rig.written()
    await rig.deliver(server.puback(1))
    assert [seen["payload"] for seen in rig.written()] == [b"18"]
    rig.client.close()


async def test_subscribe():
    rig = await connected()
    outcome = await started(opening.subscribe(rig.client, ["a", "b"]))
    assert rig.written()[0]["filters"] == ["a", "b"]
    await rig.deliver(server.suback(1, (1, 0)))
    assert list(outcome.result) == [1, 0]
    outcome = await started(opening.subscribe(rig.client, ["c"]))
    await rig.deliver(server.suback(2, (0x87,)))
    assert outcome.error == "mqtt 0x87 not authorized"
    rig.client.close()


async def test_receive_and_done():
    rig = await connected()
    waiting = await started(rig.client.receive())
    await rig.deliver(server.publish("t", b"x", 7))
    assert waiting.result.payload == b"x"
    assert rig.written() == []
    rig.client.done(waiting.result.receipt)
    await run_pending()
    assert rig.written() == [{"kind": 4, "pid": 7}]
    rig.client.close()


async def test_message_larger_than_the_buffer_is_received_without_its_payload():
    for version in (5, 4):
        rig = await connected(version=version)
        published = await started(rig.client.publish("t", b"report"))
        rig.written()
        await rig.deliver(server.publish("t", bytes(10000), 7, retain=1, version=version))
        await run_pending()
        await rig.deliver(server.puback(1, version=version) + server.publish("t", b"x", 8, version=version))
        assert published.over and not published.error
        large, small = await rig.client.receive(), await rig.client.receive()
        assert (large.payload, large.large > 10000, small.payload) == (None, True, b"x")
        rig.client.done(large.receipt)
        await run_pending()
        assert rig.written() == [{"kind": 4, "pid": 7}]
        assert rig.wire.closed == 0
        rig.client.close()


async def test_a_slow_message_without_room_keeps_the_connection():
    rig = await connected()
    data = server.publish("t", bytes(60000))
    waiting = await started(rig.client.receive())
    for at in range(0, len(data), 5000):
        await rig.deliver(data[at : at + 5000])
        await rig.clock.advance(15000)
    assert waiting.result.large == len(data)
    await rig.deliver(server.PINGRESP)
    assert rig.wire.closed == 0
    # One that stops in its middle does not.
    await rig.deliver(data[:5000])
    await rig.clock.advance(60000)
    assert rig.wire.closed == 1


async def test_full_inbox_stops_reading_and_loses_nothing():
    for version, pids in ((5, [0] * 30), (4, [0] * 30), (4, list(range(1, 31)))):
        rig = await connected(version=version)
        for n, pid in enumerate(pids):
            rig.wire.feed(server.publish("t", b"%d" % n, pid, version=version))
        await run_pending()
        assert len(rig.wire.inbound) > 10
        for n in range(30):
            message = await rig.client.receive()
            assert message.payload == b"%d" % n
            rig.client.done(message.receipt)
            await run_pending()
        assert not rig.wire.inbound
        rig.client.close()


async def test_3_1_1_server_sends_no_more_than_we_can_hold():
    rig = await connected(version=4)
    for n in range(60):
        rig.wire.feed(server.publish("t", b"x", n + 1, version=4))
    first = await rig.client.receive()
    for _ in range(40):
        await rig.client.receive()
    waiting = await started(rig.client.receive())
    assert not waiting.over and rig.wire.inbound
    rig.client.done(first.receipt)
    await run_pending()
    assert waiting.over
    rig.client.close()


async def test_answers_arrive_while_messages_are_unfinished():
    rig = await connected()
    for n in range(8):
        rig.wire.feed(server.publish("t", b"x", n + 1))
    outcome = await started(rig.client.publish("t", b"report"))
    await rig.deliver(server.puback(1))
    assert outcome.over
    rig.client.close()


async def test_a_suback_arrives_behind_many_redelivered_messages():
    rig = await connected()
    rig.wire.feed(b"".join([server.publish("t", b"x", n + 1) for n in range(16)]))
    outcome = await started(opening.subscribe(rig.client, ["t"]))
    await rig.deliver(server.suback(1, (1,)))
    assert outcome.over and outcome.error is None
    rig.client.close()


async def test_a_connection_survives_backpressure():
    rig = await connected(version=4)
    rig.wire.feed(b"".join([server.publish("t", b"x", n + 1, version=4) for n in range(50)]))
    await rig.clock.advance(200000)
    assert [seen["kind"] for seen in rig.written()] == [12] * 6
    for _ in range(50):
        rig.client.done((await rig.client.receive()).receipt)
        await run_pending()
    await rig.deliver(server.PINGRESP)
    assert rig.wire.closed == 0
    await rig.clock.advance(60000)
    assert rig.wire.closed == 1


async def test_pings_and_detects_a_dead_peer():
    rig = await connected()
    waiting = [await started(rig.client.receive()), await started(rig.client.publish("t", b""))]
    rig.written()
    await rig.clock.advance(30000)
    assert rig.written() == [{"kind": 12}]
    await rig.deliver(server.PINGRESP)
    await rig.clock.advance(30000)
    assert rig.written() == [{"kind": 12}]
    await rig.clock.advance(19999)
    assert rig.wire.closed == 0
    await rig.clock.advance(1)
    assert [outcome.error for outcome in waiting] == ["timeout: keep-alive"] * 2
    assert rig.wire.closed == 1


async def test_a_dead_peer_and_a_bad_packet_are_noticed_while_a_write_is_stuck():
    for data, ms, error in (
        (b"", 60000, "timeout: keep-alive"),
        (b"\xf0\0", 2000, "mqtt 0x82 protocol error"),
    ):
        rig = await connected()
        rig.wire.stuck = True
        waiting = await started(rig.client.publish("t", b""))
        if data:
            await rig.deliver(data)
        await rig.clock.advance(ms)
        assert waiting.error == error
        assert rig.wire.closed == 1


async def test_every_end_wakes_all_waiting_tasks():
    for end, words in (
        (lambda wire: wire.hang_up(), "closed: by the server"),
        (lambda wire: wire.fail(NetError("closed", "ECONNRESET")), "closed: ECONNRESET"),
        (lambda wire: wire.feed(server.disconnect(0x98)), "mqtt 0x98 administrator"),
        (lambda wire: wire.feed(b"\xf0\0"), "mqtt 0x82 protocol error"),
        (lambda wire: wire.feed(b"\x90\xff\xff\x7f"), "mqtt 0x95 too large"),
    ):
        rig = await connected(pairs=((0x21, 1),))
        client = rig.client
        waiting = [Outcome(client.receive()), Outcome(opening.subscribe(client, ["a"]))]
        waiting += [Outcome(client.publish("t", b"x")) for _ in range(20)]
        await run_pending()
        end(rig.wire)
        await run_pending()
        await rig.clock.advance(2000)
        assert [outcome.error for outcome in waiting] == [words] * 22, words
        assert rig.wire.closed == 1
        assert await failure(client.publish("t", b"")) == words
        assert await failure(client.receive()) == words
        assert not rig.clock.waiting


async def test_bad_packet_is_answered_with_its_reason():
    qos_2 = b"\x34\x06\0\1a\0\1\0"
    for data, code in ((b"\xf0\0", 0x82), (b"\x90\xff\xff\x7f", 0x95), (b"\x30\1\0", 0x81), (qos_2, 0x82)):
        rig = await connected()
        await rig.deliver(data)
        assert rig.written() == [{"kind": 14, "code": code}]
        await rig.clock.advance(2000)
        assert rig.wire.closed == 1


async def test_messages_before_the_end_are_still_received():
    rig = await connected()
    await rig.deliver(server.publish("t", b"x", 7) + server.disconnect(0x8B))
    await rig.clock.advance(2000)
    message = await rig.client.receive()
    assert message.payload == b"x"
    rig.client.done(message.receipt)
    assert await failure(rig.client.receive()) == "mqtt 0x8b "


async def test_disconnect_flushes_pending_packets():
    rig = await connected()
    await rig.deliver(server.publish("t", b"x", 7))
    rig.client.done((await rig.client.receive()).receipt)
    await rig.client.disconnect(4)
    assert rig.written() == [{"kind": 4, "pid": 7}, {"kind": 14, "code": 4}]
    await rig.client.disconnect()
    rig.client.close()
    assert rig.wire.closed == 1


async def test_disconnect_from_a_peer_that_does_not_read():
    rig = await connected()
    rig.wire.stuck = True
    outcome = await started(rig.client.disconnect())
    await rig.clock.advance(2000)
    assert outcome.over and not outcome.error
    assert rig.wire.closed == 1


async def test_close_wakes_all_waiting_tasks_and_ends_all_tasks():
    rig = await connected()
    waiting = await started(rig.client.publish("t", b""))
    rig.client.close()
    rig.client.close()
    await run_pending()
    assert waiting.error == "closed: closed here"
    assert (rig.wire.closed, rig.wire.readers, rig.wire.writers) == (1, 0, 0)
    assert not rig.clock.waiting


async def test_a_publish_without_memory_does_not_break_the_end():
    rig = await connected()
    waiting = await started(rig.client.receive())

    class NoRoom:
        """A Receive Maximum that takes memory to look at: the publish is listed by then, and not yet sent."""

        def __bool__(self):
            raise MemoryError

    rig.client.session.in_flight.window = NoRoom()
    try:
        await rig.client.publish("t", b"")
        raise AssertionError("it went out")
    except MemoryError:
        pass
    rig.client.close()
    await run_pending()
    assert waiting.error == "closed: closed here"
    assert rig.wire.closed == 1 and not rig.clock.waiting


async def test_reconnect_in_a_kept_session():
    first, second = Wire(), Wire()
    rig = Rig(first, second)
    await rig.connect(clean=False, session_expiry_s=60)
    lost = await started(rig.client.publish("t", b"x"))
    await rig.deliver(server.publish("d", b"held", 7))
    message = await rig.client.receive()
    first.hang_up()
    await run_pending()
    assert lost.error == "closed: by the server"
    rig.wire = second
    second.feed(
        server.connack(5, 0, 1) + server.publish("d", b"held", 7, dup=1) + server.publish("d", b"new", 8)
    )
    facts = await opening.connect(rig.client, "me", clean=False, session_expiry_s=60)
    assert facts.session_present
    await run_pending()
    again = rig.written()[-1]
    assert (again["dup"], again["pid"], again["payload"]) == (1, 1, b"x")
    assert (await rig.client.receive()).payload == b"new"
    rig.client.done(message.receipt)
    await rig.deliver(server.puback(1))
    assert rig.written() == [{"kind": 4, "pid": 7}]
    fresh = await started(rig.client.publish("t", b"y"))
    await rig.deliver(server.puback(rig.written()[0]["pid"]))
    assert fresh.over and not fresh.error
    rig.client.close()


async def test_an_undelivered_message_is_delivered_again():
    first, second = Wire(), Wire()
    rig = Rig(first, second)
    await rig.connect(version=4, clean=False)
    for n in range(12):
        first.feed(server.publish("t", b"%d" % n, n + 1, version=4))
    await run_pending()
    rig.client.close()
    rig.wire = second
    second.feed(server.connack(4, 0, 1))
    for n in range(12):
        second.feed(server.publish("t", b"%d" % n, n + 1, dup=1, version=4))
    await opening.connect(rig.client, "me", version=4, clean=False)
    got = []
    for _ in range(12):
        message = await rig.client.receive()
        got.append(message.payload)
        rig.client.done(message.receipt)
        await run_pending()
    assert got == [b"%d" % n for n in range(12)]
    rig.client.close()


async def test_connecting_again_closes_the_old_connection():
    first, second = Wire(), Wire()
    rig = Rig(first, second)
    await rig.connect()
    waiting = await started(rig.client.receive())
    rig.wire = second
    await rig.connect()
    assert first.closed == 1 and second.closed == 0
    await rig.deliver(server.publish("t", b"x"))
    assert waiting.over
    rig.client.close()


async def test_abandon_wakes_no_task():
    rig = await connected()
    woken = [
        Outcome(rig.client.receive()), Outcome(rig.client.publish("t", b"")), Outcome(rig.client.until(lambda: False)),
    ]  # fmt: skip
    await run_pending()
    rig.client.abandon()
    await run_pending()
    assert rig.wire.closed == 1
    assert not [outcome for outcome in woken if outcome.over]
    # A new caller gets the error.
    assert await failure(rig.client.receive()) == "closed: closed here"
