"""The in-memory broker of the simulations, packet by packet: what a device that is at fault would meet there.

What a device that works meets there, the simulations themselves test; the reference is mosquitto
(`e2e/test_cloud_broker.py`).
"""

import asyncio

import pytest

from tests_host.support import mqtt_server as server
from tests_host.support.mqttdevice import SCOPES, MqttDevice
from tools.cloud.demo_device import demo_device
from tools.cloud.entities import MQTT_SCOPES
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.sim.loop import VirtualLoop
from tools.sim.sim_broker import RECEIVE_MAXIMUM, SERVER_KEEP_ALIVE, SESSION_EXPIRY, SimBroker

NOW = 1_800_000_000.0


CONNACK, PUBLISH, PINGRESP, DISCONNECT = 2, 3, 13, 14


def connect_packet(keys, level=5, keep_alive_s=0, window=None, keep_s=0, clean=True):
    """CONNECT with credentials as the cloud issued them. `keep_s`: how long its session outlives the connection."""
    limits = [(name, value) for name, value in ((RECEIVE_MAXIMUM, window), (SESSION_EXPIRY, keep_s)) if value]
    body = server.counted("MQTT") + bytes([level, 0xC2 if clean else 0xC0]) + server.word(keep_alive_s)
    body += server.properties(level, limits)
    for name in ("mqtt_client_id", "mqtt_username", "mqtt_credential"):
        body += server.counted(keys[name])
    return server.packet(0x10, body)


class Hand:
    """A device without a network at a broker of its own: what that sends is in `out`."""

    def __init__(self, level=5, scopes=SCOPES, **options):
        self.model = Model(seed=1)
        self.model.add_device(demo_device())
        self.now = NOW
        self.sim = SimBroker(self.model, Faults(), lambda: self.now)
        self.device = MqttDevice(self.model, NOW)
        self.device.prepare(scopes)
        self.out, self.closed, self.level = bytearray(), 0, level
        self.connect(**options)

    def _close(self):
        self.closed += 1

    def connect(self, **options):
        self.connection = self.sim.connection(self.out.extend, self._close)
        self.connection.feed(connect_packet(self.device.credentials, self.level, **options))

    def subscribe(self, topic):
        body = b"\0\x01" + server.properties(self.level, ()) + server.counted(topic) + b"\x01"
        self.connection.feed(server.packet(0x82, body))

    def publish(self, topic):
        self.connection.feed(server.publish(topic, b"{}", 7, version=self.level))

    def got(self):
        """What has come since the last call."""
        reader, found = server.Reader(self.out), []
        while reader.left():
            first = reader.number(1)
            found.append((first >> 4, first & 15, reader.take(reader.vbi())))
        self.out.clear()
        return found


async def test_rights_are_those_of_the_credentials():
    hand = Hand(scopes=SCOPES[:1] + MQTT_SCOPES)
    hand.got()
    for topic in ("#", hand.device.topic("sensor", 1), hand.device.topic("command", 1, "desired")):
        hand.subscribe(topic)
    hand.publish(hand.device.acks)
    assert [0x87 in body for _, _, body in hand.got()] == [True] * 4
    assert len(hand.model.violations) == 4
    hand.device.credentials["mqtt_credential"] += "x"
    hand.connect()
    assert hand.got()[0] == (CONNACK, 0, b"\0\x87\0")
    assert len(hand.model.named("mqtt_refused")) == 1


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda hand: hand.model.kick("12345"), 0x98),
        (lambda hand: hand.connect(), 0x8E),
        (lambda hand: hand.sim.down(), 0x8B),
        (lambda hand: hand.model.revoke_tokens(12345, NOW), 0x98),
    ],
    ids=["kicked", "another connection", "broker down", "revoked"],
)
async def test_every_end_of_a_session_has_its_reason(end, code):
    hand = Hand()
    hand.got()
    end(hand)
    assert hand.got()[0] == (DISCONNECT, 0, bytes([code, 0]))
    assert hand.closed == 1


async def test_the_older_version_is_spoken_too():
    hand = Hand(level=4)
    hand.subscribe(hand.device.acks)
    hand.subscribe("#")
    hand.publish(hand.device.topic("sensor", 1))
    hand.connection.feed(server.PINGREQ)
    kinds = [(kind, body[:4]) for kind, _, body in hand.got()]
    assert kinds[:4] == [(2, b"\0\0"), (9, b"\0\x01\x01"), (9, b"\0\x01\x80"), (4, b"\0\x07")]
    assert [kind for kind, _ in kinds[4:]] == [PUBLISH, PINGRESP]
    assert hand.closed == 0
    hand.device.credentials["mqtt_credential"] = "wrong"
    hand.connect()
    assert (hand.got(), hand.closed) == ([(CONNACK, 0, b"\0\5")], 1)


async def test_no_more_messages_are_under_way_than_the_device_takes():
    hand = Hand(window=2)
    hand.subscribe(hand.device.topic("command", 2, "desired"))
    hand.got()
    for value in range(4):
        hand.model.set_desired(12345, "9", value, NOW)
    first = hand.got()
    assert [flags for _, flags, _ in first] == [2, 2]
    size = 2 + len(hand.device.topic("command", 2, "desired"))
    hand.connection.feed(server.packet(0x40, first[0][2][size : size + 2]))
    assert len(hand.got()) == 1
    hand.connection.feed(server.puback(0x1234))
    assert hand.model.violations[-1]["reason"] == "acknowledges what was not sent"


@pytest.mark.parametrize(
    "data",
    [
        "10 00", "30 00", "32 05 0001 61 0000", "34 05 0001 61 0001", "82 03 0001 00", "80 00", "20 02 0000", "f0 00",
        "c0 01 00", "ff ff ff ff ff", "32 09 0001 61 0001 03 23 0001", "82 06 0001 00 0005 61",
    ],
)  # fmt: skip
async def test_bad_packets_end_the_connection_and_are_a_violation(data):
    hand = Hand()
    hand.got()
    hand.connection.feed(bytes.fromhex(data))
    kind, _, body = hand.got()[-1]
    assert (kind, hand.closed) == (DISCONNECT, 1)
    qos_2 = data.startswith("34")  # well-formed, and not on offer
    assert (body[:1], len(hand.model.violations)) == ((b"\x9b", 0) if qos_2 else (b"\x81", 1))
    hand.connection.feed(b"\xc0\0")
    assert (hand.got(), hand.closed) == ([], 1)


@pytest.mark.parametrize(("server_s", "least_s", "most_s"), [(None, 59, 61), (10, 14, 16)])
def test_a_silent_device_is_disconnected_after_one_and_a_half_keep_alives(server_s, least_s, most_s):
    """The server's keep-alive counts where it names one."""

    async def scenario():
        hand = Hand()
        if server_s:
            hand.sim.connack = {SERVER_KEEP_ALIVE: server_s}
        hand.connect(keep_alive_s=40)
        hand.closed = 0
        await asyncio.sleep(least_s)
        hand.connection.feed(server.PINGREQ)
        await asyncio.sleep(least_s)
        assert hand.closed == 0
        await asyncio.sleep(most_s - least_s)
        assert (hand.closed, hand.got()[-1]) == (1, (DISCONNECT, 0, b"\x8d\0"))

    loop = VirtualLoop()
    try:
        loop.run_until_complete(scenario())
    finally:
        loop.close()


@pytest.mark.parametrize(("away_s", "kept"), [(59, True), (61, False)])
def test_a_session_is_kept_as_long_as_its_client_asked_although_it_ended_where_no_loop_runs(away_s, kept):
    async def connected():
        hand = Hand(keep_s=60)
        hand.subscribe(hand.device.acks)
        return hand

    async def again(hand):
        hand.now = NOW + away_s
        hand.got()
        hand.connect(keep_s=60, clean=False)

    loop = VirtualLoop()
    try:
        hand = loop.run_until_complete(connected())
        hand.connection.gone()  # as where a device is switched off between two runs of its loop
        loop.run_until_complete(again(hand))
    finally:
        loop.close()
    (connack,) = [body for kind, _, body in hand.got() if kind == CONNACK]
    assert bool(connack[0]) is kept
    assert (hand.device.acks in hand.connection.subscriptions) is kept
