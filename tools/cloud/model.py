"""The simulated Realer cloud as one pure model: requests in, responses out, time passed in.

Owns the route from a request to the words of an API generation (`oauth.py`, `iot_v1.py`; a new generation is one
more file with an `answer`), the event log and the list of broken contracts. The owner's side is in `owner.py`, what
happens at the broker in `sessions.py` and `mqtt_feed.py`.
Refuses sockets, clocks and faults: `now` is unix seconds, misbehaviour is added outside by `faults.py`.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

from tools.cloud import contract, iot_v1, mqtt_feed, oauth, realino
from tools.cloud.messages import OAuthRefusal, Refusal, Request, Response, to_json
from tools.cloud.nouns import Command, Device, MqttOffer, Plan, Sensor, Served
from tools.cloud.owner import Owner
from tools.cloud.sessions import Sessions
from tools.cloud.store import Store

__all__ = ["Command", "Device", "Model", "MqttOffer", "Plan", "Request", "Response", "Sensor", "Served"]

Event = dict[str, Any]


class Model(Owner, Sessions):
    """One cloud with its devices.

    `path`: SQLite file, or ":memory:". A model opened on an existing file knows everything the last one knew.
    `plan` and `served` may be changed at any time. `seed` makes tokens and request ids repeatable (tests); without it
    they are unpredictable. `events` and `violations` are in order; `listeners` are called with each event as it
    happens.
    """

    def __init__(self, path: str = ":memory:", plan: Plan | None = None, seed: int | None = None) -> None:
        Sessions.__init__(self)
        self.plan = plan or Plan()
        self.served = Served()
        self.store = Store(path)
        self.events: list[Event] = []
        self.violations: list[Event] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.keep_events = 100_000
        self.last_request: dict[str, float] = {}
        self._count = 0
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)

    def close(self) -> None:
        self.store.close()

    def handle(self, request: Request, now: float) -> Response:
        """Answer one request at `now` (unix seconds). Never raises for what a device does."""
        with self.store.transaction():
            response, schema = self._judge(request, now)
        contract.assert_own(schema, response.body)
        headers = {"Date": formatdate(now, usegmt=True), "Content-Type": "application/json; charset=utf-8"}
        return Response(response.status, headers | response.headers, response.body)

    def _judge(self, request: Request, now: float) -> tuple[Response, str]:
        try:
            return self._route(request, now)
        except Refusal as refusal:
            headers = {}
            if refusal.status == 429 and self.plan.retry_after:
                headers["Retry-After"] = str(max(1, round(self.plan.min_interval_s)))
            if request.path.startswith(realino.PREFIX):
                return realino.refused(refusal, headers), "realino-error-response"
            body = {"code": refusal.code, "error": refusal.error(), "request_id": self.new_request_id()}
            return Response(refusal.status, headers, to_json(body)), "http-error-response"
        except OAuthRefusal as refusal:
            return oauth.refused(refusal, self.new_request_id()), "oauth-error-response"

    def _route(self, request: Request, now: float) -> tuple[Response, str]:
        if "?" in request.path:
            self.violation(now, request, "no endpoint takes a query string")
        if request.method == "GET" and request.body:
            self.violation(now, request, "a GET carries no body")
        path = request.path.split("?")[0]
        if not path.isascii():
            path = ""
        for prefix, generation in (("/oauth/", oauth), ("/iot/v1/", iot_v1), (realino.PREFIX, realino)):
            if path.startswith(prefix) and (self.served.iot or generation is realino):
                return generation.answer(self, request, path, now)
        if self.served.iot:
            self.violation(now, request, "unknown path")
        raise Refusal(404)

    def pace(self, device: str, now: float) -> None:
        """Refuse a request that comes sooner after the last one than the plan allows."""
        last = self.last_request.get(device)
        # A refused request does not move the mark: a hasty device gets through once its interval has passed. The
        # millisecond is for sums of decimal fractions.
        if last is not None and 0 <= now - last < self.plan.min_interval_s - 0.001:
            allowed_s = self.plan.min_interval_s
            self.event(now, "cadence_exceeded", device, after_s=round(now - last, 3), allowed_s=allowed_s)
            raise Refusal(429)
        self.last_request[device] = now

    def announce(self, device: str, command: Command, n: int, now: float) -> None:
        """Tell the broker about the n-th wish; a device without a session has to find it in its catalog."""
        if self.port:
            self.port.desired(*mqtt_feed.desired(self, device, command, n, now))

    def event(self, now: float, name: str, device: Any = None, **facts: Any) -> Event:
        """Append an event and tell the listeners. `n` counts from 1 and survives trimming of the list."""
        self._count += 1
        event: Event = {"n": self._count, "at": now, "event": name, "device": device, **facts}
        self.events.append(event)
        if len(self.events) > self.keep_events:
            del self.events[: self.keep_events // 2]
        for listener in self.listeners:
            listener(event)
        return event

    def violation(self, now: float, request: Request, reason: str, **facts: Any) -> None:
        """The device broke the contract. Nothing of the request but method and path is kept: it may hold secrets."""
        path = request.path.split("?")[0]
        event = self.event(now, "violation", None, reason=reason, method=request.method, path=path, **facts)
        self.violations.append(event)

    def named(self, name: str) -> list[Event]:
        """All events of one name, in order."""
        return [event for event in self.events if event["event"] == name]

    def new_token(self) -> str:
        return f"{self._random.getrandbits(120):030x}"

    def new_request_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
