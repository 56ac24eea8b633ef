"""Misbehaviour on demand: which request meets which fault, and the bytes that result.

`Faults` has the rules and their text form. `answer` is the one way from a request to the steps of its response; the
HTTPS server and the simulations without sockets share it. `fault_bytes.py` makes the bytes. A step says what to do, and
its driver does it.

Text form: `ENDPOINT KEY[=VALUE] ...`, for example `feed-data status=503 times=3` or `commands chunked slow=40`.
ENDPOINT is token, revoke, commands, sensors, feed-data, batches, bootstrap, desired-states, mqtt, mqtt-credentials,
any, or a glob over paths (`/iot/*/sensors*`); Realino's login, commands and feeds go by token, commands and feed-data.
Keys may be combined; each field of `Fault` is a key, and its comment says what it does.
The endpoints ack, desired and connect have other keys: see `mqtt_faults.py`.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

from tools.cloud import fault_bytes
from tools.cloud.fault_bytes import Step, plan_response
from tools.cloud.fault_rule import ENDPOINTS, Fault
from tools.cloud.messages import Request, endpoint_of
from tools.cloud.model import Model
from tools.cloud.mqtt_faults import KINDS, MqttFault

__all__ = ["ENDPOINTS", "Fault", "Faults", "Step", "plan_response"]


class Faults:
    """Ordered rules; the first that fits a request or a message and has not been used up is applied, alone."""

    def __init__(self) -> None:
        self.rules: list[Fault | MqttFault] = []

    def add(self, fault: Fault | MqttFault | str) -> Any:
        """Append a rule; returns it, so that a test can look at what is left of it. Raises ValueError."""
        if isinstance(fault, str):
            kind = MqttFault if fault.split(" ")[0] in KINDS else Fault
            fault = kind.parse(fault)
        self.rules.append(fault)
        return fault

    def remove(self, fault: Fault | MqttFault) -> None:
        self.rules = [rule for rule in self.rules if rule is not fault]

    def clear(self) -> None:
        self.rules = []

    def take(self, path: str) -> Fault | None:
        """The fault for a request to this path, counted as used."""
        path = path.split("?", maxsplit=1)[0]
        name = endpoint_of(path)
        for rule in self.rules:
            if not isinstance(rule, Fault):
                continue
            fits = rule.endpoint in (name, "any") or fnmatchcase(path, rule.endpoint)
            if fits and self._due(rule):
                return rule
        return None

    def take_message(self, kind: str) -> MqttFault | None:
        """The fault for an MQTT message of one of mqtt_faults.KINDS, counted as used."""
        for rule in self.rules:
            if isinstance(rule, MqttFault) and rule.endpoint == kind and self._due(rule):
                return rule
        return None

    def _due(self, rule: Fault | MqttFault) -> bool:
        if rule.skip > 0:
            rule.skip -= 1
            return False
        if rule.times is not None:
            rule.times -= 1
            if rule.times <= 0:
                self.remove(rule)
        return True


def answer(model: Model, faults: Faults, request: Request, now: float) -> list[Step]:
    """The steps that answer one request: the only road from a request to bytes, whoever drives it."""
    fault = faults.take(request.path)
    if fault is None:
        return plan_response(model.handle(request, now))
    model.event(now, "fault", None, endpoint=endpoint_of(request.path), fault=str(fault))
    spoilt = model.handle(request, now) if fault.reaches_model else None
    if fault.status or fault.redirect or spoilt is None:
        spoilt = fault_bytes.substitute(fault, request.path, model.new_request_id(), spoilt)
    wanted = request.headers.get("accept-encoding", "")
    if fault.gzip == "always" or (fault.gzip and "identity" not in wanted):
        spoilt = fault_bytes.compressed(spoilt)
    return plan_response(spoilt, fault)
