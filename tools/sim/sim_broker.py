"""A small MQTT broker in memory: connects a device's byte stream to the cloud model in virtual time.

A Connection is one device's stream, from its CONNECT to the end: packets, rights, packet ids, keep-alive. What a
session keeps for the next connection (section 4.1 of MQTT 5.0, as all sections here) is a Kept. QoS 2 and topic aliases
are not supported. The broker knows who is connected, and sends the messages. Rights come from the model, answers and
faults from the fault proxy, as behind mosquitto. The reference for a device's MQTT is mosquitto
(`tools/cloud/broker.py`); this broker is for scenarios that take days.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from tests_host.support import mqtt_server as server
from tools.cloud.entities import Credential
from tools.cloud.fault_proxy import FaultProxy
from tools.cloud.faults import Faults
from tools.cloud.messages import Request
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import Timed
from tools.cloud.mqtt_v1 import Topics, topics
from tools.cloud.sessions import Message

URL = "mqtts://mqtt.realer.test:8883"

_CONNECT, _PUBLISH, _PUBACK, _SUBSCRIBE, _PINGREQ, _DISCONNECT = 1, 3, 4, 8, 12, 14

# Reason codes (section 2.4).
MALFORMED, NOT_AUTHORIZED, SHUTDOWN, TIMEOUT, TAKEN_OVER, KICKED = 0x81, 0x87, 0x8B, 0x8D, 0x8E, 0x98
NO_QOS2 = 0x9B

# Properties (section 2.2.2.2).
SESSION_EXPIRY, SERVER_KEEP_ALIVE, RECEIVE_MAXIMUM, TOPIC_ALIAS = 0x11, 0x13, 0x21, 0x23


class Kept:
    """A session: subscriptions, what was sent and not acknowledged, what waits. `until`: when it ends, on the
    broker's clock; None while a connection has it."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, int] = {}
        self.unacked: dict[int, Message] = {}
        self.waiting: deque[Message] = deque()
        self.next_id = 0
        self.until: float | None = None


class Connection:
    """One device's stream, from its CONNECT on."""

    def __init__(self, broker: SimBroker, send: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self.credential: Credential | None = None
        self.session = Kept()
        self.keep_s = 0.0
        self._broker, self._send, self._close = broker, send, close
        self._buffer = bytearray()
        self._version = 5
        self._topics = Topics((), ())
        self._window = 65535
        self._silence: asyncio.TimerHandle | None = None
        self._silence_s = 0.0

    @property
    def subscriptions(self) -> dict[str, int]:
        return self.session.subscriptions

    def feed(self, data: bytes) -> None:
        """Whatever arrives from the device."""
        self._buffer += data
        if self._broker.frozen or self not in self._broker.connections:
            return
        try:
            while self in self._broker.connections and (size := _whole(self._buffer)):
                packet = server.Reader(self._buffer[:size])
                del self._buffer[:size]
                self._restart_keep_alive()
                first, _ = packet.number(1), packet.vbi()
                self._handle(first, server.Reader(packet.take(packet.left())))
        except ValueError as error:
            self._violation("-", "-", f"broken MQTT: {error}")
            self.end("malformed packet", MALFORMED)

    def gone(self) -> None:
        """The device's stream has ended."""
        self._forget("connection lost")

    def end(self, reason: str, code: int) -> None:
        """Hang up; MQTT 5 says why first."""
        if self._forget(reason):
            if self._version == 5 and self.credential:
                self._send(server.disconnect(code))
            self._close()

    def deliver(self, message: Message) -> None:
        if not self.session.subscriptions.get(message.topic):
            # As mosquitto does: at most once, and not behind what waits with QoS 1.
            self._publish_to(message, 0)
            return
        self.session.waiting.append(message)
        self._push()

    def _push(self) -> None:
        session = self.session
        while session.waiting and len(session.unacked) < self._window:
            message = session.waiting.popleft()
            session.next_id = number = session.next_id % 65535 + 1
            session.unacked[number] = message
            self._publish_to(message, number)

    def _publish_to(self, message: Message, number: int, again: bool = False) -> None:
        self._send(server.publish(message.topic, message.payload, number, int(again), version=self._version))

    def _handle(self, first: int, body: server.Reader) -> None:
        kind = first >> 4
        if (kind == _CONNECT) == (self.credential is not None):
            raise ValueError("CONNECT comes first and once")
        if kind == _PUBLISH and first & 4:
            return self.end("QoS 2", NO_QOS2)
        retain = kind == _PUBLISH and bool(first & 1)
        seen = server.read(first - retain, body, self._version)
        if kind == _CONNECT:
            self._connect(seen)
        elif kind == _PUBLISH:
            self._publish(seen, retain)
        elif kind == _PUBACK:
            self._puback(seen["pid"])
        elif kind == _SUBSCRIBE:
            self._subscribe(seen)
        elif kind == _DISCONNECT:
            self._forget("disconnected")
            self._close()
        else:
            self._send(server.PINGRESP)
        return None

    def _connect(self, seen: dict[str, Any]) -> None:
        self._version = seen["version"]
        if self._version not in (4, 5):
            raise ValueError("neither MQTT 5.0 nor 3.1.1")
        self._broker.clean_starts.append(bool(seen["clean"]))
        limits, client_id = seen["properties"], seen["client_id"]
        password = (seen["password"] or b"").decode("utf-8", "replace")
        credential = self._broker.admits(client_id, seen["username"] or "", password)
        kept = self._broker.resume(client_id, bool(seen["clean"])) if credential else None
        code = 0 if credential else NOT_AUTHORIZED if self._version == 5 else 5
        properties = self._broker.connack.items() if credential else ()
        self._send(server.connack(self._version, code, int(kept is not None), properties))
        if credential is None:
            self._broker.model.event(self._broker.now(), "mqtt_refused")
            self.end("not authorised", NOT_AUTHORIZED)
            return
        self.credential, self._topics = credential, topics(self._broker.model, credential)
        self._window = limits.get(RECEIVE_MAXIMUM, 65535)
        # Section 3.1.2.10: one and a half times the keep-alive, which the server may have set.
        set_s = self._broker.connack.get(SERVER_KEEP_ALIVE) if self._version == 5 else None
        self._silence_s = 1.5 * (seen["keep_alive_s"] if set_s is None else set_s)
        self._restart_keep_alive()
        self.session = kept or self.session
        lasting = 0 if seen["clean"] else float("inf")
        self.keep_s = limits.get(SESSION_EXPIRY, 0) if self._version == 5 else lasting
        self._broker.opened(self, credential)
        for number, message in list(self.session.unacked.items()):
            self._publish_to(message, number, again=True)
        self._push()

    def _publish(self, seen: dict[str, Any], retain: bool) -> None:
        topic, number = seen["topic"], seen["pid"]
        if TOPIC_ALIAS in seen["properties"]:
            raise ValueError("no topic alias was offered")
        allowed = topic in self._topics.publish
        if not allowed:
            self._violation("PUBLISH", topic, "these credentials may not use that topic")
        if number:
            refused = 0 if allowed or self._version == 4 else NOT_AUTHORIZED
            self._send(server.puback(number, refused))
        if allowed:
            broker = self._broker
            payload, qos = seen["payload"], 1 if number else 0
            broker.post(broker.proxy.received(topic, payload, qos, retain, broker.now()))

    def _puback(self, number: int) -> None:
        if number not in self.session.unacked:
            self._violation("PUBACK", "-", "acknowledges what was not sent")
        self.session.unacked.pop(number, None)
        self._push()

    def _subscribe(self, seen: dict[str, Any]) -> None:
        codes = bytearray()
        for topic, qos in zip(seen["filters"], seen["qos"], strict=True):
            if topic in self._topics.subscribe:
                self.subscriptions[topic] = qos
                codes.append(qos)
            else:
                self._violation("SUBSCRIBE", topic, "these credentials may not use that topic")
                codes.append(NOT_AUTHORIZED if self._version == 5 else 0x80)
        if not codes:
            raise ValueError("a SUBSCRIBE without topics")
        if not self._broker.mute:
            self._send(server.suback(seen["pid"], codes, (), self._version))

    def _restart_keep_alive(self) -> None:
        """Begin the wait for the next packet anew."""
        if self._silence:
            self._silence.cancel()
        if self._silence_s:
            loop = asyncio.get_running_loop()
            self._silence = loop.call_later(
                self._silence_s, lambda: self.end("has exceeded timeout", TIMEOUT)
            )

    def _forget(self, reason: str) -> bool:
        if self not in self._broker.connections:
            return False
        self._broker.connections.remove(self)
        self._broker.keep(self)
        if self._silence:
            self._silence.cancel()
        model, credential = self._broker.model, self.credential
        if credential and model.sessions.get(credential.client_id, {}).get("username") == credential.username:
            model.session_closed(credential.client_id, reason, self._broker.now())
        return True

    def _violation(self, verb: str, topic: str, reason: str) -> None:
        self._broker.model.violation(self._broker.now(), Request(verb, topic), reason)


def _whole(buffer: bytearray) -> int:
    """The size of the packet that the buffer begins with, 0 as long as it is not all there."""
    size = 0
    for at in range(1, len(buffer)):
        size |= (buffer[at] & 127) << (7 * (at - 1))
        if buffer[at] < 128:
            return at + 1 + size if len(buffer) > at + size else 0
        if at == 4:
            raise ValueError("a remaining length is too long")
    return 0


class SimBroker:
    """The model's Port. `now()`: unix seconds, also for the end of sessions that are kept. `connack`: numeric
    properties for CONNACK, by identifier (MQTT 5).

    `running` False: whoever dials is to be refused. `frozen`: connections stay open, and nothing moves. `mute`: no
    SUBSCRIBE is answered. `clean_starts`: whether each CONNECT asked for a new session. `forgets`: no session outlives
    its connection. `on_desired(message)`: called with each desired state that the model publishes.
    """

    def __init__(self, model: Model, faults: Faults, now: Callable[[], float]) -> None:
        self.model, self.now = model, now
        self.proxy = FaultProxy(model, faults)
        self.connack: dict[int, int] = {}
        self.running, self.frozen, self.mute = True, False, False
        self.forgets = False
        self.on_desired: Callable[[Message], object] = lambda message: None
        self._kept: dict[str, Kept] = {}
        self.clean_starts: list[bool] = []
        self.connections: list[Connection] = []
        self._passwords: dict[str, str] = {}
        model.port, model.offer.url = self, URL

    def connection(self, send: Callable[[bytes], None], close: Callable[[], None]) -> Connection:
        """A device has dialled: `send` takes bytes for it, `close` ends its stream in order."""
        found = Connection(self, send, close)
        self.connections.append(found)
        return found

    def down(self) -> None:
        self.running = False
        for connection in list(self.connections):
            connection.end("broker down", SHUTDOWN)

    def up(self) -> None:
        self.running = True

    def freeze(self) -> None:
        self.frozen = True

    def thaw(self) -> None:
        self.frozen = False
        for connection in list(self.connections):
            connection.feed(b"")

    # what the model tells

    def admit(self, credential: Credential, secret: str) -> None:
        if self.proxy.secret(credential, secret, self.now()) != secret:
            self._passwords[credential.username] = "refused"

    def dismiss(self, credential: Credential) -> None:
        self._passwords.pop(credential.username, None)
        self.kick(credential)

    def kick(self, credential: Credential) -> None:
        for connection in self._of(username=credential.username):
            connection.end("administrative action", KICKED)

    def desired(self, message: Message, facts: dict[str, Any]) -> None:
        self.on_desired(message)
        self.post(self.proxy.desired(message, self.now()), facts)

    # what connections tell

    def admits(self, client_id: str, username: str, password: str) -> Credential | None:
        if username in self._passwords:
            return None
        self.model.expire_credentials(self.now())
        return self.model.admits(client_id, username, password, self.now())

    def opened(self, connection: Connection, credential: Credential) -> None:
        self.model.session_opened(credential.client_id, credential.username, self.now())
        # The session ends with the credentials.
        self.later(credential.ends - self.now(), lambda: self.model.expire_credentials(self.now()))

    def keep(self, connection: Connection) -> None:
        """A connection has ended: what its session keeps waits as long as the client asked for (section 3.1.2.11.2)."""
        credential = connection.credential
        if credential and connection.keep_s and not self.forgets:
            connection.session.until = self.now() + connection.keep_s
            self._kept[credential.client_id] = connection.session

    def resume(self, client_id: str, clean: bool) -> Kept | None:
        """The session that a CONNECT goes on with."""
        for older in self._of(client_id=client_id):
            older.end("another session of the same client", TAKEN_OVER)
        kept = self._kept.pop(client_id, None)
        return None if clean or kept is None or self._over(kept) else kept

    def _over(self, kept: Kept) -> bool:
        return kept.until is not None and kept.until < self.now()

    def post(self, timed: list[Timed], facts: dict[str, Any] | None = None) -> None:
        for after_s, message in timed:
            self.later(after_s, partial(self._deliver, message, facts))

    def later(self, after_s: float, do: Callable[[], object]) -> None:
        if after_s > 0:
            asyncio.get_running_loop().call_later(after_s, do)
        else:
            do()

    def _deliver(self, message: Message, facts: dict[str, Any] | None) -> None:
        subscribed = [c for c in self.connections if message.topic in c.subscriptions]
        for connection in subscribed:
            connection.deliver(message)
        keeping = [k for k in self._kept.values() if k.subscriptions.get(message.topic) and not self._over(k)]
        for kept in keeping:
            kept.waiting.append(message)
        if facts:
            self.model.desired_published(facts, bool(subscribed or keeping), self.now())

    def _of(self, **what: str) -> list[Connection]:
        ((name, value),) = what.items()
        return [c for c in self.connections if c.credential and getattr(c.credential, name) == value]
