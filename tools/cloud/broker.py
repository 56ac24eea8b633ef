"""A real mosquitto for the simulated cloud: TLS on loopback, one account for each set of credentials.

This module has the accounts and the backend client that carries messages between broker and model; `brokerprocess.py`
has the process. The model and the fault proxy decide who is admitted, what is acknowledged and what a fault changes.
"""

from __future__ import annotations

import asyncio
import secrets
import signal
import socket
from collections.abc import Callable
from typing import Any

from tools.cloud import dynsec
from tools.cloud.brokerlog import News
from tools.cloud.brokerprocess import BrokerError, MosquittoProcess
from tools.cloud.certs import TestCA
from tools.cloud.entities import Credential
from tools.cloud.fault_proxy import FaultProxy
from tools.cloud.faults import Faults
from tools.cloud.messages import Passed, Request
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import Timed
from tools.cloud.mqtt_v1 import topics
from tools.cloud.mqttclient import NOBODY_LISTENS, MqttClient
from tools.cloud.port_reservation import claim, number
from tools.cloud.sessions import Message

MODES = ("down", "up", "restart", "freeze", "thaw")
_EXPIRY_CHECK_S = 0.1


class Broker:
    """A broker of the cloud; also the model's Port. `port`: a free one, which stays over restarts. `dialed`
    counts the connections that were begun, whatever came of them. `on_passed` is called with each message of a device
    and each to one."""

    def __init__(self, model: Model, faults: Faults, certs: TestCA, clock: Callable[[], float]) -> None:
        self.model, self.port, self.dialed = model, 0, 0
        self.on_passed: Callable[[Passed], None] = lambda passed: None
        self._certs, self._clock, self._kind = certs, clock, "good"
        self._fault_proxy = FaultProxy(model, faults)
        self._accounts: dict[str, dynsec.Account] = {}
        self._backend: MqttClient | None = None
        self._password = secrets.token_hex(16)
        self._process = MosquittoProcess(self._hear, self._gone)
        self._expiry: asyncio.Task[None] | None = None
        self._orders: dict[str, asyncio.Future[list[str]]] = {}
        self._claim: socket.socket | None = None
        self._count = 0

    @property
    def url(self) -> str:
        return f"mqtts://mqtt.realer.test:{self.port}"

    @property
    def running(self) -> bool:
        return self._backend is not None

    async def start(self) -> None:
        """Run mosquitto and offer it in the catalog. Raises BrokerError, or Failed where there is no mosquitto."""
        if not self.port:
            self._claim = claim()
            self.port = number(self._claim)
        self.model.port, self.model.offer.url = self, self.url
        await self.up()
        self._expiry = asyncio.create_task(self._expire())

    async def stop(self) -> None:
        if self._expiry:
            self._expiry.cancel()
            await asyncio.gather(self._expiry, return_exceptions=True)
        self.model.port = None
        await self.down()
        self._process.clean()
        if self._claim:
            self._claim.close()

    # the whole broker misbehaves

    async def up(self) -> None:
        """Start the process (again) on the same port, with every account that is good now."""
        if self._backend is None:
            accounts = dynsec.start_file(self._password, list(self._accounts.values()))
            leaf = self._certs.write_leaf(self._process.home / "leaf.pem", self._kind)
            await self._process.start(self.port, leaf, accounts)
            backend = MqttClient("cloud", dynsec.BACKEND, self._password, self._received)
            await backend.connect(self._process.backend, keep_alive_s=600)
            # QoS 2 and the sender's retain flag, so that a device that does not keep to QoS 1 and retain off is seen.
            await backend.subscribe([dynsec.FEED], qos=2, as_published=True)
            await backend.subscribe([dynsec.ANSWERS])
            self._backend = backend
            self.model.event(self._clock(), "broker", state="up")

    async def down(self) -> None:
        """End the process: connections are cut, new ones refused, messages on their way lost."""
        backend, self._backend = self._backend, None
        if backend:
            await backend.disconnect()
        if await self._process.stop():
            for client_id in list(self.model.sessions):
                self.model.session_closed(client_id, "broker down", self._clock())
            self.model.event(self._clock(), "broker", state="down")
        for order in self._orders.values():
            order.cancel()
        self._orders.clear()

    async def restart(self) -> None:
        await self.down()
        await self.up()

    def freeze(self) -> None:
        """Connections stay open and new ones are accepted, but nothing answers."""
        self._process.signal(signal.SIGSTOP)
        self.model.event(self._clock(), "broker", state="frozen")

    def thaw(self) -> None:
        self._process.signal(signal.SIGCONT)
        self.model.event(self._clock(), "broker", state="up")

    async def mode(self, name: str) -> None:
        """One of MODES by its name. Raises ValueError."""
        if name not in MODES:
            raise ValueError(f"{name!r} is not one of {', '.join(MODES)}")
        done = getattr(self, name)()
        if done is not None:
            await done

    async def present(self, kind: str) -> None:
        """Show another certificate, one of certs.KINDS; takes a restart."""
        self._kind = kind
        if self.running:
            await self.restart()

    async def use(self, certs: TestCA) -> None:
        """Show certificates of another authority; takes a restart."""
        self._certs = certs
        if self.running:
            await self.restart()

    async def leave(self, topic: str, payload: bytes) -> None:
        """Publish a retained message, which the cloud itself never does."""
        assert self._backend
        await self._backend.send(topic, payload, retain=True)

    async def synchronized(self) -> None:
        """Wait until the broker knows what the model knows. Raises BrokerError when it refuses to."""
        waiting = list(self._orders.values())
        if waiting:
            await asyncio.wait(waiting, timeout=5)
        wrong = [
            text for order in waiting if order.done() and not order.cancelled() for text in order.result()
        ]
        if wrong:
            raise BrokerError("; ".join(wrong))

    # what the model calls

    def admit(self, credential: Credential, secret: str) -> None:
        secret = self._fault_proxy.secret(credential, secret, self._clock())
        account = dynsec.account(credential, secret, topics(self.model, credential))
        self._accounts[credential.username] = account
        self._order(dynsec.create(credential, secret, account.role))

    def dismiss(self, credential: Credential) -> None:
        if self._accounts.pop(credential.username, None):
            self._order(dynsec.delete(credential.username))

    def kick(self, credential: Credential) -> None:
        self._order(dynsec.kick(credential.username))

    def desired(self, message: Message, facts: dict[str, Any]) -> None:
        self._post(self._fault_proxy.desired(message, self._clock()), facts)

    # messages

    def _received(self, topic: str, payload: bytes, qos: int, retain: bool) -> None:
        if topic == dynsec.ANSWERS:
            number, wrong = dynsec.failures(payload)
            if wrong:  # shown even when nobody waits for it
                self.model.event(self._clock(), "broker", state="refuses: " + "; ".join(wrong))
            order = self._orders.pop(number, None)
            if order and not order.done():
                order.set_result(wrong)
        else:
            self.on_passed(Passed(self._clock(), "mqtt", True, topic, 0, payload))
            self._post(self._fault_proxy.received(topic, payload, qos, retain, self._clock()))

    def _post(self, timed: list[Timed], facts: dict[str, Any] | None = None) -> None:
        for after_s, message in timed:
            if after_s:
                asyncio.get_running_loop().call_later(after_s, self._send, message, facts)
            else:
                self._send(message, facts)

    def _send(self, message: Message, facts: dict[str, Any] | None) -> None:
        if self._backend is None:
            if facts:
                self.model.desired_published(facts, False, self._clock())
            return
        self.on_passed(Passed(self._clock(), "mqtt", False, message.topic, 0, message.payload))
        sent = self._backend.send(message.topic, message.payload)
        if facts:
            sent.add_done_callback(
                lambda reason: self.model.desired_published(
                    facts, reason.result() < NOBODY_LISTENS, self._clock()
                )
            )

    def _order(self, records: list[dynsec.Record]) -> None:
        if self._backend:
            self._count += 1
            number = str(self._count)
            self._orders[number] = asyncio.get_running_loop().create_future()
            self._backend.send(dynsec.CONTROL, dynsec.commands(number, *records))

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_CHECK_S)
            self.model.expire_credentials(self._clock())

    def _gone(self) -> None:
        self.model.event(self._clock(), "broker", state="gone")

    def _hear(self, news: News) -> None:
        model, now = self.model, self._clock()
        if news.what == "dialed":
            self.dialed += 1
        elif news.what == "opened" and news.facts[0] != dynsec.BACKEND:
            model.session_opened(news.client_id, news.facts[0], now)
        elif news.what == "closed":
            model.session_closed(news.client_id, news.facts[0], now)
        elif news.what == "subscribed":
            model.session_subscribed(news.client_id, news.facts[0], now)
        elif news.what == "refused":
            model.event(now, "mqtt_refused")
        elif news.what == "denied":
            verb, topic = news.facts
            model.violation(now, Request(verb, topic), "these credentials may not use that topic")
