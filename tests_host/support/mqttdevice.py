"""A well-behaved MQTT device for tests of the simulated cloud: catalog and credentials from the model, then a
broker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests_host.support.cloudclient import Client
from tools.cloud.entities import MQTT_SCOPES
from tools.cloud.model import Request, Response
from tools.cloud.mqttclient import MqttClient

DESIRED = "iot:mqtt:desired:read"
SCOPES = ("iot:catalog:read", "iot:feed-data:write", *MQTT_SCOPES, DESIRED)
WITHIN_S = 5.0


def report(message_id: str = "m-1", value: str = "1.0", **changes: Any) -> dict[str, Any]:
    """A payload without its source; a change to None removes the field."""
    item = {"message_id": message_id, "value": value, "value_received_at": "2026-04-29T10:00:01Z"} | changes
    return {name: value for name, value in item.items() if value is not None}


class MqttDevice(Client):
    """The HTTPS side of `Client`, and what it learns there."""

    def __init__(self, model: Any, now: float = 1_800_000_000.0) -> None:
        super().__init__(model, now)
        self.credentials: dict[str, Any] = {}
        self.catalog: dict[str, Any] = {}
        self.mqtt: MqttClient | None = None
        self.inbox: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.ended: asyncio.Queue[int] = asyncio.Queue()

    def prepare(self, scopes: tuple[str, ...] = SCOPES) -> dict[str, Any]:
        """Token, catalog, credentials; returns the credentials."""
        assert self.login(" ".join(scopes)).status == 200
        self.catalog = self.get("mqtt").json()
        body = dict(self.catalog["mqtt"]["credential_endpoint"]["body"])
        if DESIRED in scopes:
            body["scopes"] = [*body["scopes"], DESIRED]
        response = self.ask(body)
        assert response.status == 201
        self.credentials = response.json()["mqtt"]
        return self.credentials

    def ask(self, body: Any, kind: str = "application/json") -> Response:
        """POST /iot/v1/mqtt-credentials"""
        headers = {"authorization": f"Bearer {self.token}", "content-type": kind}
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send(Request("POST", "/iot/v1/mqtt-credentials", headers, data))

    def topic(self, role: str, source: int, tail: str = "feed_data") -> str:
        for route in self.catalog["mqtt_routes"]:
            if (route["source_type"], route["source_id"]) == (role, source):
                return route["mqtt"][f"{tail}_topic"]
        raise KeyError((role, source))

    @property
    def acks(self) -> str:
        return self.catalog["mqtt"]["feed_data_ack_topic"]

    # at the broker

    async def connect(self, site: Any, password: str | None = None) -> None:
        await site.broker.synchronized()
        keys = (
            self.credentials["mqtt_client_id"],
            self.credentials["mqtt_username"],
            password or self.credentials["mqtt_credential"],
        )
        self.mqtt = MqttClient(
            *keys, lambda topic, payload, *_: self.inbox.put_nowait((topic, payload)), self.ended.put_nowait
        )
        await self.mqtt.connect(site.broker.port, site.certs.client())

    async def listen(self) -> None:
        """Subscribe to acknowledgements, then to every desired topic."""
        topics = [self.acks] + [
            route["mqtt"]["desired_topic"]
            for route in self.catalog["mqtt_routes"]
            if "desired_topic" in route["mqtt"]
        ]
        assert self.mqtt and await self.mqtt.subscribe(topics) == [1] * len(topics)

    async def online(self, site: Any) -> MqttDevice:
        self.prepare()
        await self.connect(site)
        await self.listen()
        return self

    async def publish(self, topic: str, item: Any, qos: int = 1, retain: bool = False) -> int:
        """Reason code of PUBACK."""
        payload = item if isinstance(item, bytes) else json.dumps(item).encode()
        assert self.mqtt
        return await self.mqtt.send(topic, payload, qos, retain)

    async def message(self) -> dict[str, Any]:
        """The next message as JSON."""
        _, payload = await asyncio.wait_for(self.inbox.get(), WITHIN_S)
        return json.loads(payload)

    async def end(self) -> int:
        """Why the broker ended the session."""
        return await asyncio.wait_for(self.ended.get(), WITHIN_S)

    async def off(self) -> None:
        if self.mqtt:
            await self.mqtt.disconnect()
