"""One device's stream at the in-memory broker, from its CONNECT to the end: packets, rights, packet ids, keep-alive.

What a session keeps for the next connection (section 4.1) is a Kept. QoS 2 and topic aliases are not supported.
Sections are MQTT 5.0's.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from tools.cloud.entities import Credential
from tools.cloud.fault_proxy import FaultProxy
from tools.cloud.messages import Request
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import Timed
from tools.cloud.mqtt_v1 import Topics, topics
from tools.cloud.sessions import Message
from tools.sim import mqttwire as wire

# Reason codes (section 2.4).
MALFORMED, NOT_AUTHORIZED, SHUTDOWN, TIMEOUT, TAKEN_OVER, KICKED, NO_QOS2 = (
    0x81,
    0x87,
    0x8B,
    0x8D,
    0x8E,
    0x98,
    0x9B,
)


class Kept:
    """A session: subscriptions, what was sent and not acknowledged, what waits. `until`: when it ends, on the
    broker's clock; None while a connection has it."""

    def __init__(self) -> None:
        self.subscriptions: dict[str, int] = {}
        self.unacked: dict[int, Message] = {}
        self.waiting: deque[Message] = deque()
        self.next_id = 0
        self.until: float | None = None


class Broker(Protocol):
    """What a connection needs of its broker; see SimBroker."""

    model: Model
    now: Callable[[], float]
    proxy: FaultProxy
    connack: dict[int, int]
    frozen: bool
    mute: bool
    clean_starts: list[bool]
    connections: list[Connection]

    def admits(self, client_id: str, username: str, password: str) -> Credential | None: ...

    def resume(self, client_id: str, clean: bool) -> Kept | None: ...

    def opened(self, connection: Connection, credential: Credential) -> None: ...

    def keep(self, connection: Connection) -> None: ...

    def post(self, timed: list[Timed], facts: dict[str, Any] | None = None) -> None: ...


class Connection:
    """One device's stream, from its CONNECT on."""

    def __init__(self, broker: Broker, send: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self.credential: Credential | None = None
        self.session = Kept()
        self.keep_s = 0.0
        self._broker, self._send, self._close = broker, send, close
        self._buffer = bytearray()
        self._v5 = True
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
            for kind, flags, fields in wire.packets(self._buffer):
                self._restart_keep_alive()
                self._handle(kind, flags, fields)
                if self not in self._broker.connections:
                    return
                if fields.more:
                    raise ValueError("a packet is longer than its fields")
        except ValueError as error:
            self._violation("-", "-", f"broken MQTT: {error}")
            self.end("malformed packet", MALFORMED)

    def gone(self) -> None:
        """The device's stream has ended."""
        self._forget("connection lost")

    def end(self, reason: str, code: int) -> None:
        """Hang up; MQTT 5 says why first."""
        if self._forget(reason):
            if self._v5 and self.credential:
                self._send(wire.packet(wire.DISCONNECT, bytes([code])))
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
        body = wire.text(message.topic) + (wire.u16(number) if number else b"")
        body += (b"\0" if self._v5 else b"") + message.payload
        self._send(wire.packet(wire.PUBLISH, body, 8 * again | 2 * (number > 0)))

    def _handle(self, kind: int, flags: int, fields: wire.Fields) -> None:
        verbs = {
            wire.PUBACK: self._puback,
            wire.SUBSCRIBE: self._subscribe,
            wire.PINGREQ: lambda _: self._send(wire.packet(wire.PINGRESP)),
            wire.DISCONNECT: self._disconnect,
        }
        if (kind == wire.CONNECT) == (self.credential is not None):
            raise ValueError("CONNECT comes first and once")
        if kind == wire.CONNECT:
            self._connect(fields)
        elif kind == wire.PUBLISH:
            self._publish(flags, fields)
        elif kind in verbs:
            verbs[kind](fields)
        else:
            raise ValueError(f"packet type {kind} is not for a broker")

    def _connect(self, fields: wire.Fields) -> None:
        if fields.text() != "MQTT" or (level := fields.u8()) not in (4, 5):
            raise ValueError("neither MQTT 5.0 nor 3.1.1")
        self._v5 = level == 5
        flags, keep_alive_s = fields.u8(), fields.u16()
        self._broker.clean_starts.append(bool(flags & 2))
        limits = fields.properties() if self._v5 else {}
        client_id = fields.text()
        if flags & 4:
            if self._v5:
                fields.properties()
            fields.text(), fields.data()
        username = fields.text() if flags & 128 else ""
        password = fields.data().decode("utf-8", "replace") if flags & 64 else ""
        credential = self._broker.admits(client_id, username, password)
        code = 0 if credential else NOT_AUTHORIZED if self._v5 else 5
        kept = self._broker.resume(client_id, bool(flags & 2)) if credential else None
        body = bytes([kept is not None, code]) + (
            wire.properties(self._broker.connack if credential else {}) if self._v5 else b""
        )
        self._send(wire.packet(wire.CONNACK, body))
        if credential is None:
            self._broker.model.event(self._broker.now(), "mqtt_refused")
            self.end("not authorised", NOT_AUTHORIZED)
            return
        self.credential, self._topics = credential, topics(self._broker.model, credential)
        self._window = limits.get(wire.RECEIVE_MAXIMUM, 65535)
        # Section 3.1.2.10: one and a half times the keep-alive, which the server may have set.
        self._silence_s = 1.5 * (
            self._broker.connack.get(wire.SERVER_KEEP_ALIVE, keep_alive_s) if self._v5 else keep_alive_s
        )
        self._restart_keep_alive()
        self.session = kept or self.session
        self.keep_s = limits.get(wire.SESSION_EXPIRY, 0) if self._v5 else 0 if flags & 2 else float("inf")
        self._broker.opened(self, credential)
        for number, message in list(self.session.unacked.items()):
            self._publish_to(message, number, again=True)
        self._push()

    def _publish(self, flags: int, fields: wire.Fields) -> None:
        qos, retain = flags >> 1 & 3, bool(flags & 1)
        if qos > 1:
            return self.end("QoS 2", NO_QOS2)
        topic = fields.text()
        number = fields.u16() if qos else 0
        given = fields.properties() if self._v5 else {}
        payload = fields.rest()
        if not topic or wire.TOPIC_ALIAS in given or (qos and not number):
            raise ValueError("a PUBLISH needs a topic, no alias, and a packet id that is not 0")
        allowed = topic in self._topics.publish
        if not allowed:
            self._violation("PUBLISH", topic, "these credentials may not use that topic")
        if qos:
            refused = b"" if allowed or not self._v5 else bytes([NOT_AUTHORIZED])
            self._send(wire.packet(wire.PUBACK, wire.u16(number) + refused))
        if allowed:
            broker = self._broker
            broker.post(broker.proxy.received(topic, payload, qos, retain, broker.now()))
        return None

    def _puback(self, fields: wire.Fields) -> None:
        number = fields.u16()
        if (
            self._v5 and fields.more
        ):  # reason code and properties may be left out when there is nothing to say
            fields.u8()
            if fields.more:
                fields.properties()
        if number not in self.session.unacked:
            self._violation("PUBACK", "-", "acknowledges what was not sent")
        self.session.unacked.pop(number, None)
        self._push()

    def _subscribe(self, fields: wire.Fields) -> None:
        number, codes = fields.u16(), bytearray()
        if self._v5:
            fields.properties()
        while fields.more:
            topic, qos = fields.text(), fields.u8() & 3
            if topic in self._topics.subscribe:
                self.subscriptions[topic] = min(qos, 1)
                codes.append(min(qos, 1))
            else:
                self._violation("SUBSCRIBE", topic, "these credentials may not use that topic")
                codes.append(NOT_AUTHORIZED if self._v5 else 0x80)
        if not codes:
            raise ValueError("a SUBSCRIBE without topics")
        if self._broker.mute:
            return
        self._send(wire.packet(wire.SUBACK, wire.u16(number) + (b"\0" if self._v5 else b"") + codes))

    def _disconnect(self, _fields: wire.Fields) -> None:
        self._forget("disconnected")
        self._close()

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
