"""The in-memory broker of the simulations: paho as a device, hostile bytes by hand, hours in no time."""

import asyncio
import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netio.errors import NetError
from tests_host.support.mqttdevice import SCOPES, MqttDevice, report
from tests_host.support.scripted import FakeClock
from tools.cloud.demo_device import demo_device
from tools.cloud.entities import MQTT_SCOPES
from tools.cloud.faults import Faults
from tools.cloud.model import Model, Plan
from tools.cloud.mqttclient import Refused
from tools.sim import mqttwire as wire
from tools.sim.loop import VirtualLoop
from tools.sim.sim_broker import SimBroker
from tools.sim.sim_net import SimNet

NOW = 1_800_000_000.0


class Setting:
    """A model with a broker in memory. It looks like a Site to `MqttDevice.connect`."""

    def __init__(self, plan=None):
        self.model, self.faults = Model(plan=plan, seed=1), Faults()
        self.model.add_device(demo_device())
        self.sim = SimBroker(self.model, self.faults, lambda: NOW)
        self.broker, self.port = self, 0
        self._served = set()
        self.certs = self

    def client(self):
        """No TLS: the stream is all that matters here."""

    async def settled(self):
        pass

    @contextlib.asynccontextmanager
    async def listening(self):
        async with await asyncio.start_server(self._serve, "127.0.0.1", 0) as server:
            self.port = server.sockets[0].getsockname()[1]
            try:
                yield self
                if self._served:
                    await asyncio.wait(self._served, timeout=5)
            finally:
                for task in self._served:
                    task.cancel()
                await asyncio.gather(*self._served, return_exceptions=True)

    async def _serve(self, reader, writer):
        self._served.add(asyncio.current_task())
        connection = self.sim.connection(writer.write, writer.close)
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(7):  # packets in pieces
                    connection.feed(data)
        finally:
            connection.gone()
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@contextlib.asynccontextmanager
async def online(plan=None):
    async with Setting(plan).listening() as setting:
        device = await MqttDevice(setting.model, NOW).online(setting)
        yield setting, device
        await device.off()


async def test_a_reading_and_a_wish():
    async with online() as (setting, device):
        assert await device.publish(device.topic("sensor", 1), report()) == 0
        assert (await device.message())["status"] == "accepted"
        setting.model.set_desired(12345, "6", 1, NOW)
        assert (await device.message())["value"] == "1.0"
        assert setting.model.named("desired_published")[0]["heard"] is True
    assert setting.model.violations == []
    assert setting.model.sessions == {}


async def test_rights_are_those_of_the_tuple():
    async with online() as (setting, device):
        assert await device.mqtt.subscribe(["#", device.topic("sensor", 1)]) == [0x87, 0x87]
        assert await device.publish(device.acks, report()) == 0x87
        assert len(setting.model.violations) == 3
        device.credentials["mqtt_credential"] += "x"
        with pytest.raises(Refused):
            await device.connect(setting)
        assert len(setting.model.named("mqtt_refused")) == 1


async def test_every_end_of_a_session_has_its_reason():
    async with online() as (setting, device):
        setting.model.kick("12345")
        assert await device.end() == 0x98
        await device.connect(setting)
        await device.listen()
        other = device.mqtt
        await device.connect(setting)
        assert await device.end() == 0x8E
        await other.disconnect()
        setting.sim.down()
        assert await device.end() == 0x8B
        setting.sim.up()
        await device.connect(setting)
        setting.model.revoke_tokens(12345, NOW)
        assert await device.end() == 0x98
        with pytest.raises(Refused):
            await device.connect(setting)


async def test_faults_are_those_of_the_real_broker():
    async with online() as (setting, device):
        for text in ("ack lost times=1", "ack copies times=1", "desired value=99", "connect refused"):
            setting.faults.add(text)
        await device.publish(device.topic("sensor", 1), report("a"))
        await device.publish(device.topic("sensor", 1), report("b"))
        assert [(await device.message())["message_id"] for _ in range(2)] == ["b", "b"]
        setting.model.set_desired(12345, "6", 1, NOW)
        assert (await device.message())["value"] == "99"
        device.prepare()
        with pytest.raises(Refused):
            await device.connect(setting)


async def test_a_frozen_broker_moves_nothing_until_it_is_thawed():
    async with online() as (setting, device):
        setting.sim.freeze()
        publish = asyncio.create_task(device.publish(device.topic("sensor", 1), report()))
        await asyncio.sleep(0.1)
        assert not publish.done() and setting.model.feed(12345) == []
        setting.sim.thaw()
        assert await publish == 0


async def test_unsubscribed_means_unheard():
    async with online() as (setting, device):
        for connection in setting.sim.connections:
            connection.feed(wire.packet(wire.UNSUBSCRIBE, b"\0\x09\0" + wire.text(device.acks), 2))
        await device.publish(device.topic("sensor", 1), report())
        setting.model.set_desired(12345, "6", 1, NOW)
        assert (await device.message())["value"] == "1.0"


async def test_scopes_hold_here_too():
    async with Setting().listening() as setting:
        device = MqttDevice(setting.model, NOW)
        device.prepare(SCOPES[:1] + MQTT_SCOPES)
        await device.connect(setting)
        assert await device.mqtt.subscribe([device.topic("command", 1, "desired")]) == [0x87]
        await device.off()


# By hand: both versions, and what no client library sends.


def connect_packet(keys, level=5, keep_alive_s=0, window=None, keep_s=0, clean=True):
    """CONNECT with credentials as the cloud issued them. `keep_s`: how long its session outlives the connection."""
    asked = {wire.RECEIVE_MAXIMUM: window, wire.SESSION_EXPIRY: keep_s}
    limits = wire.properties({name: value for name, value in asked.items() if value}) if level == 5 else b""
    body = wire.text("MQTT") + bytes([level, 0xC2 if clean else 0xC0]) + wire.u16(keep_alive_s) + limits
    for name in ("mqtt_client_id", "mqtt_username", "mqtt_credential"):
        body += wire.text(keys[name])
    return wire.packet(wire.CONNECT, body)


class Hand:
    """A connection without a network: what the broker sends is in `out`."""

    def __init__(self, level=5, **options):
        self.setting = Setting()
        self.device = MqttDevice(self.setting.model, NOW)
        self.device.prepare()
        self.out, self.closed, self.level = bytearray(), 0, level
        self.connect(**options)

    def _close(self):
        self.closed += 1

    def connect(self, **options):
        self.connection = self.setting.sim.connection(self.out.extend, self._close)
        self.connection.feed(connect_packet(self.device.credentials, self.level, **options))

    def subscribe(self, topic, qos=1):
        empty = b"\0" if self.level == 5 else b""
        self.connection.feed(
            wire.packet(wire.SUBSCRIBE, b"\0\x01" + empty + wire.text(topic) + bytes([qos]), 2)
        )

    def got(self):
        """What has come since the last call."""
        return [(kind, flags, fields.rest()) for kind, flags, fields in wire.packets(self.out)]


async def test_the_older_version_is_spoken_too():
    hand = Hand(level=4)
    hand.subscribe(hand.device.acks)
    hand.subscribe("#")
    body = wire.text(hand.device.topic("sensor", 1)) + b"\0\x07{}"
    hand.connection.feed(wire.packet(wire.PUBLISH, body, 2))
    hand.connection.feed(wire.packet(wire.PINGREQ))
    kinds = [(kind, body[:4]) for kind, _, body in hand.got()]
    assert kinds[:4] == [(2, b"\0\0"), (9, b"\0\x01\x01"), (9, b"\0\x01\x80"), (4, b"\0\x07")]
    assert [kind for kind, _ in kinds[4:]] == [wire.PUBLISH, wire.PINGRESP]
    assert hand.closed == 0


async def test_the_older_version_is_refused_with_its_own_code():
    hand = Hand(level=4)
    hand.device.credentials["mqtt_credential"] = "wrong"
    hand.got()
    hand.connect()
    assert (hand.got(), hand.closed) == ([(wire.CONNACK, 0, b"\0\5")], 1)
    assert hand.connection not in hand.setting.sim.connections


async def test_no_more_messages_are_under_way_than_the_device_takes():
    hand = Hand(window=2)
    hand.subscribe(hand.device.topic("command", 2, "desired"))
    hand.got()
    for value in range(4):
        hand.setting.model.set_desired(12345, "9", value, NOW)
    first = hand.got()
    assert [flags for _, flags, _ in first] == [2, 2]
    size = 2 + len(hand.device.topic("command", 2, "desired"))
    hand.connection.feed(wire.packet(wire.PUBACK, first[0][2][size : size + 2]))
    assert len(hand.got()) == 1
    hand.connection.feed(wire.packet(wire.PUBACK, b"\x12\x34"))
    assert hand.setting.model.violations[-1]["reason"] == "acknowledges what was not sent"


@pytest.mark.parametrize(
    "data",
    [
        "10 00", "30 00", "32 05 0001 61 0000", "34 05 0001 61 0001", "82 03 0001 00", "80 00", "20 02 0000", "f0 00",
        "c0 01 00", "ff ff ff ff ff", "32 08 0001 61 0001 03 23 00", "82 06 0001 00 0005 61",
    ],
)  # fmt: skip
async def test_bad_packets_end_the_connection_and_are_a_violation(data):
    hand = Hand()
    hand.got()
    hand.connection.feed(bytes.fromhex(data))
    kind, _, body = hand.got()[-1]
    assert (kind, hand.closed) == (wire.DISCONNECT, 1)
    assert body == (b"\x9b" if data.startswith("34") else b"\x81")
    hand.connection.feed(b"\xc0\0")
    assert (hand.got(), hand.closed) == ([], 1)


async def test_a_goodbye_is_answered_with_silence():
    hand = Hand()
    hand.got()
    hand.connection.feed(b"\xe0\0\xc0\0")
    assert (hand.closed, hand.got(), hand.setting.sim.connections) == (1, [], [])
    assert hand.setting.model.violations == []


@given(st.binary(max_size=60))
def test_any_bytes_are_survived(data):
    async def scenario():
        hand = Hand()
        hand.connection.feed(data)
        hand.connection.gone()
        assert hand.setting.sim.connections == []

    asyncio.run(scenario())


@given(st.integers(0, 268_435_455))
def test_variable_byte_integers_come_back(value):
    assert wire.Fields(wire.varint(value)).varint() == value


# Time and the network of a simulation.


def in_virtual_time(scenario):
    loop = VirtualLoop()
    try:
        loop.run_until_complete(scenario(loop))
    finally:
        loop.close()


def test_a_silent_device_is_disconnected_after_one_and_a_half_keep_alives():
    async def scenario(loop):
        hand = Hand(keep_alive_s=40)
        await asyncio.sleep(59)
        hand.connection.feed(wire.packet(wire.PINGREQ))
        await asyncio.sleep(59)
        assert hand.closed == 0
        await asyncio.sleep(2)
        assert (hand.closed, hand.got()[-1]) == (1, (wire.DISCONNECT, 0, b"\x8d"))

    in_virtual_time(scenario)


def test_the_servers_keep_alive_counts():
    async def scenario(loop):
        hand = Hand()
        hand.setting.sim.connack = {wire.SERVER_KEEP_ALIVE: 10}
        hand.got()
        hand.connect(keep_alive_s=600)
        assert (wire.CONNACK, 0, b"\0\0\x03\x13\0\x0a") in hand.got()
        await asyncio.sleep(16)
        assert hand.setting.sim.connections == []

    in_virtual_time(scenario)


async def dialled(loop):
    model = Model(plan=Plan(), seed=1)
    model.add_device(demo_device())
    net = SimNet(
        model,
        Faults(),
        FakeClock(),
        lambda: 7,
        ["ntp.realer.test"],
        0,
        lambda: NOW + loop.time(),
        lambda: True,
    )
    net.broker = SimBroker(model, net.faults, net.wall)

    class Known:
        async def resolve(self, host):
            return "127.0.0.1"

        def forget(self, host):
            pass

    net._resolver = Known()
    return net, await net.dial("mqtt.realer.test", 8883)


def test_the_network_of_a_simulation_leads_to_the_broker():
    async def scenario(loop):
        net, stream = await dialled(loop)
        device = MqttDevice(net.model, NOW)
        device.prepare()
        hello = connect_packet(device.credentials)
        await stream.write(hello[:9])
        await stream.write(hello[9:])
        view = memoryview(bytearray(64))
        assert bytes(view[: await stream.read_into(view)]) == bytes.fromhex("20 03 00 00 00")
        net.silent = True
        await stream.write(b"\xc0")
        await stream.write(b"\0")
        await asyncio.sleep(5)
        net.broker.kick(net.model.store.live_credentials()[0])
        net.silent = False
        await asyncio.sleep(1)
        assert bytes(view[: await stream.read_into(view)]) == bytes.fromhex("e0 01 98")
        assert await stream.read_into(view) == 0
        stream.close()
        stream.close()
        net.broker.down()
        with pytest.raises(NetError):
            await net.dial("mqtt.realer.test", 8883)

    in_virtual_time(scenario)


def test_a_stream_that_is_cut_ends_the_session():
    async def scenario(loop):
        net, _ = await dialled(loop)
        assert len(net.broker.connections) == 1
        net.cut()
        assert net.broker.connections == []

    in_virtual_time(scenario)


@pytest.mark.parametrize(("away_s", "kept"), [(59, True), (61, False)])
def test_a_session_is_kept_as_long_as_its_client_asked_although_it_ended_where_no_loop_runs(away_s, kept):
    async def connected():
        hand = Hand(keep_s=60)
        hand.subscribe(hand.device.acks)
        return hand

    async def again(hand):
        hand.setting.sim.now = lambda: NOW + away_s
        hand.got()
        hand.connect(keep_s=60, clean=False)

    loop = VirtualLoop()
    try:
        hand = loop.run_until_complete(connected())
        hand.connection.gone()  # as where a device is switched off between two runs of its loop
        loop.run_until_complete(again(hand))
    finally:
        loop.close()
    (connack,) = [body for kind, _, body in hand.got() if kind == wire.CONNACK]
    assert bool(connack[0]) is kept
    assert (hand.device.acks in hand.connection.subscriptions) is kept


def test_credentials_expire_in_virtual_time():
    async def scenario(loop):
        hand = Hand()
        hand.setting.sim.now = lambda: NOW + loop.time()
        hand.got()
        hand.connect()
        await asyncio.sleep(3599)
        assert len(hand.setting.model.sessions) == 1
        await asyncio.sleep(2)
        assert hand.setting.model.sessions == {}

    in_virtual_time(scenario)
