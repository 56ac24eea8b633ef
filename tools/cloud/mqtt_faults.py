"""Misbehaviour of messages over MQTT: what is sent in place of one acknowledgement or desired state, and when.

`MqttFault` is the rule, with its text form; `plan` is pure. The real broker's bridge and the simulations without one
share them. Text form as in `faults.py`: `ack lost times=2`, `ack status=error`, `desired value=99`, `desired copies`,
`connect refused`.

`ack` and `desired` are the messages of the cloud; `connect` is what happens to credentials when they are issued.
What happens to the broker as a whole (down, restart, frozen, kick) are verbs of `broker.py`, not rules.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tools.cloud import fault_text
from tools.cloud.broken_json import BROKEN
from tools.cloud.messages import REGISTRY, to_json
from tools.cloud.sessions import Message

KINDS = ("ack", "desired", "connect")
ACK_STATUS = ("accepted", "replayed", "conflict", "rejected", "error")

Timed = tuple[float, Message]
"""So many seconds from now, this message."""


@dataclass
class MqttFault:
    """One rule. A field that keeps its default does nothing."""

    endpoint: str
    # whether, when and how often
    lost: bool = False  # never comes
    delay: float = 0.0  # comes so many seconds late
    copies: int = 1  # comes so many times; bare: 2
    reorder: int = 1  # held back until there are so many, which then come in reverse order; bare: 2
    # what it says
    badjson: str = ""  # half (bare), text, utf8, list, null, nan, deep
    version: str = ""  # another version; digits make a number
    status: str = (
        ""  # acks: this status; conflict, rejected and error are answered without reaching the cloud
    )
    retryable: bool | None = None  # acks: as said; default: only error is
    error: str = ""  # acks: another error.type
    stray: bool = False  # acks: about a message_id that nobody sent
    value: str = ""  # desired states: another value, such as 99 or warm
    valid_s: int | None = None  # desired states: valid_for_seconds; 0 has expired on arrival
    sequence: int | None = None  # desired states: another sequence_number
    # credentials
    refused: bool = False  # the broker knows another password than the device got
    # which
    times: int | None = None  # so many messages, then the rule is gone; default: until cleared
    skip: int = 0  # let so many pass first
    held: list[Message] = field(default_factory=list, init=False, compare=False)

    @property
    def reaches_model(self) -> bool:
        """Whether the publish that is acknowledged so takes effect."""
        return self.status in ("", "accepted", "replayed")

    @classmethod
    def parse(cls, text: str) -> MqttFault:
        """Read the text form. Raises ValueError with a sentence for the person who typed it."""
        endpoint, *words = text.split()
        fault = cls(endpoint)
        fault_text.read(fault, words, _BARE, _CHOICES)
        idle = cls(endpoint, times=fault.times, skip=fault.skip)
        others = [
            name for name in _ONLY if _ONLY[name] != endpoint and getattr(fault, name) != getattr(idle, name)
        ]
        if others:
            raise ValueError(f"{others[0]} is for {_ONLY[others[0]]}")
        if fault == idle or (endpoint == "connect" and not fault.refused):
            raise ValueError(
                "this fault does nothing; say for example ack lost, desired copies or connect refused"
            )
        return fault

    def __str__(self) -> str:
        return fault_text.write(self)


_BARE = {"copies": 2, "reorder": 2, "badjson": "half"}
_CHOICES = {"badjson": tuple(BROKEN), "status": ACK_STATUS}
_ONLY = dict.fromkeys(("status", "retryable", "error", "stray"), "ack")
_ONLY |= dict.fromkeys(("value", "valid_s", "sequence"), "desired") | {"refused": "connect"}


def plan(fault: MqttFault | None, message: Message) -> list[Timed]:
    """What comes out in place of a message. Only `reorder` remembers: the rule holds what it holds back."""
    if fault is None:
        return [(0.0, message)]
    if fault.lost:
        return []
    messages = [_spoil(fault, message)] * fault.copies
    if fault.reorder > 1:
        fault.held += messages
        if len(fault.held) < fault.reorder * fault.copies:
            return []
        messages, fault.held = fault.held[::-1], []
    return [(fault.delay, message) for message in messages]


def _spoil(fault: MqttFault, message: Message) -> Message:
    body = json.loads(message.payload)
    if fault.version:
        body["version"] = int(fault.version) if fault.version.isdigit() else fault.version
    body = (_other_ack if fault.endpoint == "ack" else _other_desired)(fault, body)
    payload = to_json(body)
    return Message(message.topic, BROKEN[fault.badjson](payload) if fault.badjson else payload)


def _other_ack(fault: MqttFault, body: dict[str, Any]) -> dict[str, Any]:
    if fault.status:
        body |= {"status": fault.status, "retryable": fault.status == "error"}
        body.pop("error", None)
    number = {"conflict": 409, "rejected": 422, "error": 503}.get(body["status"])
    if number and "error" not in body:
        _, kind, text = REGISTRY[number]
        body["error"] = {"type": kind, "message": text, "details": {}}
    if fault.error:
        body["error"] = {"message": "", "details": {}} | body.get("error", {}) | {"type": fault.error}
    if fault.retryable is not None:
        body["retryable"] = fault.retryable
    return body | ({"message_id": "nobody-sent-this"} if fault.stray else {})


def _other_desired(fault: MqttFault, body: dict[str, Any]) -> dict[str, Any]:
    changes = {
        "value": fault.value or None,
        "valid_for_seconds": fault.valid_s,
        "sequence_number": fault.sequence,
    }
    return body | {name: value for name, value in changes.items() if value is not None}
