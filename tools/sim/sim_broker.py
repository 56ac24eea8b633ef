"""A small MQTT broker in memory: connects a device's byte stream to the cloud model in virtual time.

It knows who is connected, and sends the messages. Rights come from the model, answers and faults from the fault proxy,
as behind mosquitto. `mqttsession.py` handles one connection. The reference for a device's MQTT is mosquitto
(`tools/cloud/broker.py`); this broker is for scenarios that take days.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from tools.cloud.entities import Credential
from tools.cloud.fault_proxy import FaultProxy
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import Timed
from tools.cloud.sessions import Message
from tools.sim.mqttsession import KICKED, SHUTDOWN, TAKEN_OVER, Connection, Kept

URL = "mqtts://mqtt.realer.test:8883"


class SimBroker:
    """The model's Port. `now()`: unix seconds, also for the end of sessions that are kept. `connack`: numeric
    properties for CONNACK, by identifier (MQTT 5).

    `running` False: whoever dials is to be refused. `frozen`: connections stay open, and nothing moves. `mute`: no
    SUBSCRIBE is answered. `clean_starts`: whether each CONNECT asked for a new session. `forgets`: no session outlives
    its connection.
    """

    def __init__(self, model: Model, faults: Faults, now: Callable[[], float]) -> None:
        self.model, self.now = model, now
        self.proxy = FaultProxy(model, faults)
        self.connack: dict[int, int] = {}
        self.running, self.frozen, self.mute = True, False, False
        self.forgets = False
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
