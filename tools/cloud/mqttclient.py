"""An MQTT client for asyncio on top of paho: the cloud's own end at the broker, and devices in tests.

It leads from paho's network thread into the event loop. It does not reconnect: `on_close` reports the end of a
connection once. Reason codes are MQTT 5's (section 2.4): below 0x80 is success.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.subscribeoptions import SubscribeOptions

_CONNECT_S = 30
NOBODY_LISTENS = 0x10
LOST = 0x80
"""Given as the reason of a publish whose acknowledgement never came."""


class Refused(Exception):
    """CONNACK said no; `reason` is its code."""

    def __init__(self, reason: int) -> None:
        super().__init__(f"CONNACK reason 0x{reason:02x}")
        self.reason = reason


class MqttClient:
    """`on_message(topic, payload, qos, retain)` and `on_close(reason)` are called in the event loop."""

    def __init__(
        self, client_id: str, username: str, password: str,
        on_message: Callable[[str, bytes, int, bool], None] = lambda *_: None,
        on_close: Callable[[int], None] = lambda _: None, version: int = MQTTProtocolVersion.MQTTv5,
    ) -> None:  # fmt: skip
        self._loop = asyncio.get_running_loop()
        self._id, self._keys, self._version = client_id, (username, password), MQTTProtocolVersion(version)
        self._on_message, self._on_close = on_message, on_close
        self._paho: Any = None
        self._connected: asyncio.Future[int] = self._loop.create_future()
        self._waiting: dict[tuple[str, int], asyncio.Future[Any]] = {}

    async def connect(
        self, where: int | Path, tls: ssl.SSLContext | None = None, keep_alive_s: int = 60
    ) -> None:
        """`where`: TCP port on loopback, or a Unix socket. Raises Refused or OSError."""
        host, port = (str(where), 1) if isinstance(where, Path) else ("127.0.0.1", where)
        client = self._paho = paho.Client(
            CallbackAPIVersion.VERSION2, self._id, protocol=self._version,
            transport="unix" if isinstance(where, Path) else "tcp", reconnect_on_failure=False,
        )  # fmt: skip
        client.connect_timeout = _CONNECT_S
        client.username_pw_set(*self._keys)
        if tls:
            client.tls_set_context(tls)
        client.on_connect = self._tell(lambda _f, reason, _p: self._settle(self._connected, reason.value))
        client.on_disconnect = self._tell(lambda _f, reason, _p: self._ended(reason.value))
        client.on_message = self._tell(
            lambda m: self._on_message(m.topic, bytes(m.payload), m.qos, bool(m.retain))
        )
        client.on_publish = self._tell(lambda mid, reason, _p: self._answer("publish", mid, reason.value))
        client.on_subscribe = self._tell(
            lambda mid, reasons, _p: self._answer("subscribe", mid, [reason.value for reason in reasons])
        )
        await asyncio.to_thread(client.connect, host, port, keep_alive_s)
        client.loop_start()
        reason = await self._connected
        if reason:
            await self.disconnect()
            raise Refused(reason)

    async def subscribe(self, topics: Iterable[str], qos: int = 1, as_published: bool = False) -> list[int]:
        """Reason codes, one for each topic. `as_published`: show the retain flag that the sender gave."""
        newest = self._version == paho.MQTTv5
        options = SubscribeOptions(qos=qos, retainAsPublished=as_published) if newest else qos
        _, mid = self._paho.subscribe([(topic, options) for topic in topics])
        return await self._wait("subscribe", mid)

    def send(self, topic: str, payload: bytes, qos: int = 1, retain: bool = False) -> asyncio.Future[int]:
        """Publish now; the future is the reason code of PUBACK, or LOST."""
        return self._wait("publish", self._paho.publish(topic, payload, qos, retain).mid)

    async def disconnect(self) -> None:
        """Say goodbye; `on_close` is not called for that. Safe to call again."""
        client, self._paho = self._paho, None
        self._on_close = lambda _: None
        if client:
            client.disconnect()
            await asyncio.to_thread(client.loop_stop)
            self._ended(0)

    async def drop(self) -> None:
        """End the connection without DISCONNECT, as a device does that loses power."""
        if self._paho and self._paho.socket():
            self._paho.socket().close()
        await self.disconnect()

    def _wait(self, what: str, mid: int) -> asyncio.Future[Any]:
        return self._waiting.setdefault((what, mid), self._loop.create_future())

    def _answer(self, what: str, mid: int, value: Any) -> None:
        self._settle(self._waiting.pop((what, mid), None), value)

    def _ended(self, reason: int) -> None:
        for future in self._waiting.values():
            self._settle(future, LOST)
        self._waiting.clear()
        self._settle(self._connected, reason or LOST)
        self._on_close(reason)

    @staticmethod
    def _settle(future: asyncio.Future[Any] | None, value: Any) -> None:
        if future and not future.done():
            future.set_result(value)

    def _tell(self, tell: Callable[..., None]) -> Callable[..., None]:
        """A paho callback that passes its arguments to the event loop."""

        def callback(_client: Any, _userdata: Any, *facts: Any) -> None:
            if not self._loop.is_closed():
                self._loop.call_soon_threadsafe(tell, *facts)

        return callback
