"""The MQTT session of a Realer device against a broker played by hand: what a kept session brings again."""

import asyncio
import json

from firmware.cloud.mqtt_catalog import MqttCatalog, Route
from firmware.cloud.mqtt_credentials import MqttCredentials
from firmware.core.errors import LinkError
from firmware.core.models import Report, Secret
from firmware.links.account import Account
from firmware.links.mqtt import MqttSession
from firmware.links.mqtt_connecting import connect
from tests_host.support import mqtt_server as server
from tests_host.support.wire import Timers, Wire, Wires, run_pending, started

ACKS, PUMP = "d/acks", "d/pump"
CATALOG = MqttCatalog(
    "mqtt.realer.test", 8883, 5, ACKS, "/credentials", "{}", {("command", "1"): Route("d/feed", PUMP)}, ()
)
CREDENTIALS = MqttCredentials("me", "u", Secret("test-secret-not-real"), 600, 300)


def desired_state(number):
    facts = {
        "version": 1,
        "desired_id": "des_%d" % number,
        "sequence_number": number,
        "value": "1",
        "valid_for_seconds": 60,
    }
    return json.dumps(facts).encode()


class Net:
    def __init__(self, wires):
        self.dial = wires.dial

    def explain(self, error):
        return str(error)


class Rig:
    """`wires`: one for each connection that will be."""

    def __init__(self, connections):
        self.wires = [Wire() for _ in range(connections)]
        self.clock = Timers()
        self.output = []
        account = Account(
            {"api": "realer"},
            Net(Wires(*self.wires)),
            self.clock,
            lambda: 0,
            lambda *output: self.output.append(output),
        )
        self.broker = MqttSession(account, False)
        self.broker.topics = {PUMP: "1"}
        self.at = -1

    async def connect(self, present, brought=()):
        """Be subscribed on the next wire, where the broker first sends `brought` again: (packet id, sequence
        number)."""
        self.at += 1
        wire = self.wires[self.at]
        again = [server.publish(PUMP, desired_state(n), pid, dup=1) for pid, n in brought]
        wire.feed(server.connack(5, 0, present) + b"".join(again))
        outcome = await started(connect(self.broker, CATALOG, CREDENTIALS, asyncio.create_task))
        for pid, codes in ((1, (1,)), (2, (1,))):
            wire.feed(server.suback(pid + 2 * self.at * present, codes))
            await run_pending()
        assert outcome.over and outcome.error is None, outcome.error
        self.acknowledged()

    async def receive(self, *brought):
        for pid, n in brought:
            self.wires[self.at].feed(server.publish(PUMP, desired_state(n), pid))
        await run_pending()

    async def listen(self):
        outcome = await started(self.broker.listen(100))
        await self.clock.advance(100)
        return [desired.desired_id for desired in outcome.result or ()]

    def acknowledged(self):
        """Packet ids of the PUBACKs since the last look."""
        return [
            seen["pid"] for seen in server.read_all(self.wires[self.at].take_sent(), 5) if seen["kind"] == 4
        ]


async def test_a_repeated_message_that_was_handled_is_acknowledged():
    rig = Rig(2)
    await rig.connect(0)
    await rig.receive((11, 1))
    assert await rig.listen() == ["des_1"] and rig.acknowledged() == [], rig.output
    rig.broker.close()
    await rig.connect(1, [(11, 1)])
    assert await rig.listen() == [] and rig.broker.client.session.held == {}


async def test_a_repeated_message_that_was_not_handled_is_delivered():
    rig = Rig(2)
    await rig.connect(0)
    await rig.receive((11, 1))
    assert len(rig.broker.received) == 1
    rig.broker.close()
    await rig.connect(1, [(11, 1)])
    assert await rig.listen() == ["des_1"]
    await rig.listen()
    await run_pending()
    assert rig.acknowledged() == [11]


async def test_a_failing_link_leaves_no_receipts():
    rig = Rig(12)
    brought = []
    await rig.connect(0)
    for turn in range(11):
        await rig.receive((turn + 20, turn))
        if turn % 2:
            await rig.listen()
        rig.broker.close()
        await rig.connect(1, [(turn + 20, turn)])
        brought += await rig.listen()
        await rig.listen()
    assert len(brought) == 6 and rig.broker.client.session.owed() == 0


async def test_the_window_of_a_desired_state_begins_when_its_message_comes():
    """Though its topic is known later, or nobody listens for a while."""
    rig = Rig(1)
    rig.broker.topics = None
    await rig.connect(0)
    await rig.receive((11, 1))
    await rig.clock.advance(20000)
    await rig.receive((12, 2))
    await rig.clock.advance(15000)
    rig.broker.route({PUMP: "1"})
    await rig.receive((13, 3))
    await rig.clock.advance(30000)
    outcome = await started(rig.broker.listen(100))
    await rig.clock.advance(100)
    assert [desired.valid_s for desired in outcome.result] == [0, 15, 30]


async def test_a_report_waiting_for_a_refused_session_raises_link_error():
    rig = Rig(2)
    await rig.connect(0)
    rig.wires[1].feed(server.connack(5, 0x87))
    refused = down = ""
    try:
        await connect(rig.broker, CATALOG, CREDENTIALS, asyncio.create_task)
    except LinkError as e:
        refused = str(e)
    try:
        await rig.broker.send([Report("m", "command", "1", "1.0", 0, 0, None, None, None)])
    except LinkError as e:
        down = str(e)
    assert "0x87" in refused and down and not rig.broker.kept


async def test_a_broker_that_acknowledges_nothing_gets_four_publishes_and_no_more():
    rig = Rig(1)
    await rig.connect(0)
    reports = [Report("m%d" % n, "command", "1", "1.0", 0, 0, None, None, None) for n in range(6)]
    for _ in range(2):
        outcome = await started(rig.broker.send(reports))
        await rig.clock.advance(11000)
        assert outcome.over and outcome.result == []
    seen = server.read_all(rig.wires[0].take_sent(), 5)
    assert len([1 for each in seen if each["kind"] == 3]) == 4


async def received_ids(rig):
    """All that waits, as `listen` hands it over."""
    found = []
    while names := await rig.listen():
        found += names
    return found


async def test_of_many_desired_values_at_once_the_latest_of_each_command_stay():
    rig = Rig(1)
    rig.broker.topics["d/heater"] = "2"
    await rig.connect(0)
    rig.wires[0].feed(server.publish("d/heater", desired_state(7), 99))
    for n in range(1, 41):
        await rig.receive((100 + n, n))
    assert rig.acknowledged() == [100 + n for n in range(1, 26)]
    assert await received_ids(rig) == ["des_7"] + ["des_%d" % n for n in range(26, 41)]


async def test_waiting_states_that_no_newer_one_replaces_are_kept():
    rig = Rig(1)
    await rig.connect(0)
    falling = list(range(40, 10, -1))
    for n in falling:
        await rig.receive((100 + n, n))
    assert rig.acknowledged() == []
    assert await received_ids(rig) == ["des_%d" % n for n in falling]


class Full(dict):
    """Topics whose message finds no room, as often as `short` says."""

    short = 1

    def __getitem__(self, topic):
        if Full.short:
            Full.short -= 1
            raise MemoryError("no room")
        return super().__getitem__(topic)


async def test_a_message_without_memory_ends_the_session_and_is_redelivered():
    rig = Rig(2)
    rig.broker.topics = Full(rig.broker.topics)
    await rig.connect(0)
    await rig.receive((11, 1))
    try:
        await rig.broker.listen(100)
        raise AssertionError("the session goes on")
    except MemoryError:
        pass
    rig.broker.close()
    assert rig.acknowledged() == []
    await rig.connect(1, [(11, 1)])
    assert await rig.listen() == ["des_1"]


async def test_messages_before_the_topics_are_known_are_handled_later():
    rig = Rig(1)
    topics, rig.broker.topics = rig.broker.topics, None
    await rig.connect(0)
    await rig.receive((11, 1))
    assert await rig.listen() == [] and rig.acknowledged() == []
    rig.broker.route(topics)
    assert await rig.listen() == ["des_1"]


async def test_a_message_without_room_is_skipped_and_the_session_continues():
    rig = Rig(1)
    await rig.connect(0)
    for topics in (rig.broker.topics, None):
        rig.broker.topics = topics
        for topic in (PUMP, ACKS, "d/unknown"):
            rig.wires[0].feed(server.publish(topic, bytes(10000), 11, retain=1))
            await run_pending()
            await run_pending()
            assert rig.acknowledged() == [11]
            assert [output[0] for output in rig.output] == ["warning"] and topic in rig.output.pop()[1]
    rig.broker.topics = {PUMP: "1"}
    await rig.receive((12, 1))
    assert await rig.listen() == ["des_1"]
