"""What the simulated Realer cloud knows and what happened in it, for every generation of its API.

It has the pace of each device, the event log and the list of broken contracts. The owner's side is in `owner.py`, what
happens at the broker in `sessions.py`. `model.py` decides which generation answers a request.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections.abc import Callable
from typing import Any

from tools.cloud.entities import Device, Plan, Served, Token
from tools.cloud.messages import Refusal, Request, Response
from tools.cloud.owner import Owner
from tools.cloud.sessions import Sessions

Event = dict[str, Any]


class CloudState(Owner, Sessions):
    """One cloud with its devices, without its API.

    `plan` and `served` may be changed at any time. `seed` makes tokens and request ids repeatable (tests); without it
    they are unpredictable. `devices`: by key; `clients`: the same by client id; `tokens`: by text;
    `routes`: of MQTT, what each stands for, for longer than the catalog has it. `events` and
    `violations` are in order; `listeners` are called with each event as it happens, `watchers` with each request;
    `on_answer` may change what is answered to one.
    """

    def __init__(self, plan: Plan | None = None, seed: int | None = None) -> None:
        Sessions.__init__(self)
        self.plan = plan or Plan()
        self.served = Served()
        self.devices: dict[str, Device] = {}
        self.clients: dict[str, Device] = {}
        self.tokens: dict[str, Token] = {}
        self.routes: dict[str, tuple[Device, str, int | str]] = {}
        self.asked, self.feed_numbers = itertools.count(1), itertools.count(1)
        self.events: list[Event] = []
        self.violations: list[Event] = []
        self.listeners: list[Callable[[Event], None]] = []
        self.watchers: list[Callable[[Request], object]] = []
        self.on_answer: Callable[[Request, Response], Response] = lambda _, response: response
        self.keep_events = 100_000
        self.last_request: dict[str, float] = {}
        self._count = 0
        self._random: random.Random = random.SystemRandom() if seed is None else random.Random(seed)

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

    def issue_token(self, device: Device, scope: str, now: float) -> str:
        token = Token(self.new_token(), device.key, scope, now + self.plan.token_s)
        self.tokens[token.text] = token
        device.tokens.append(token)
        self.event(now, "token_issued", device.key, scope=scope, expires_in=self.plan.token_s)
        return token.text

    def new_token(self) -> str:
        return f"{self._random.getrandbits(120):030x}"

    def new_request_id(self) -> str:
        return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
