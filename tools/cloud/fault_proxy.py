"""Between a broker and the model: a device's publish in, the cloud's messages out, changed where a fault applies.

It orders faults and model for MQTT, as `faults.answer` does for HTTPS. A broker, real or in memory, hands messages in
and sends what comes out when it is due.
"""

from __future__ import annotations

import secrets

from tools.cloud import mqtt_feed
from tools.cloud.entities import Credential
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import Timed, plan
from tools.cloud.sessions import Message


class FaultProxy:
    """Keeps nothing of its own."""

    def __init__(self, model: Model, faults: Faults) -> None:
        self._model, self._faults = model, faults

    def secret(self, credential: Credential, secret: str, now: float) -> str:
        """The password that the broker gets for credentials: another one where CONNECT is to be refused."""
        fault = self._faults.take_message("connect")
        if fault is None:
            return secret
        self._tell(now, "connect", str(fault), credential.device)
        return secrets.token_hex(16)

    def received(self, topic: str, payload: bytes, qos: int, retain: bool, now: float) -> list[Timed]:
        """What a publish of a device brings about: its acknowledgement, if nothing is in the way."""
        fault = self._faults.take_message("ack")
        if fault:
            self._tell(now, "ack", str(fault))
        if fault is None or fault.reaches_model:
            ack = mqtt_feed.publish(self._model, topic, payload, now, qos, retain)
        else:
            ack = mqtt_feed.unseen(topic, payload)
        return plan(fault, ack) if ack else []

    def desired(self, message: Message, now: float) -> list[Timed]:
        """What goes out in place of a desired-state message."""
        fault = self._faults.take_message("desired")
        if fault:
            self._tell(now, "desired", str(fault))
        return plan(fault, message)

    def _tell(self, now: float, endpoint: str, fault: str, device: str | None = None) -> None:
        self._model.event(now, "fault", device, endpoint=endpoint, fault=fault)
