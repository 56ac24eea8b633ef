"""Watches one device and all around it, and keeps the feed of its pages up to date."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

from tools.cloud.messages import Passed
from tools.dashboard import snapshot
from tools.dashboard.actions import Actions
from tools.dashboard.feed import Feed
from tools.dashboard.masking import masked
from tools.dashboard.narration import BoardNarration, Said, of_cloud
from tools.fixture.system import SystemFixture

_LOOK_S, _SAMPLE_S, _ASK_S = 0.2, 0.99, 1.99
_PATIENCE = 10
"""After how many times a question that had no answer is asked again."""
_STATUS = "status "
_OWNERS = ("tokens_expired", "subscription_set", "keys_set")
"""Events of the cloud that a person brings about, beside those that say so."""


class Projection:
    """Turns what happens into the feed. Pure: `now` is unix seconds, `secrets` are masked wherever they are."""

    def __init__(self, secrets: tuple[str, ...] = ()) -> None:
        self.feed, self._secrets = Feed(), secrets

    def said(self, said: Said, now: float) -> None:
        """A line of the timeline, unless it is quiet."""
        if not said.quiet:
            text = masked(said.text.encode(), self._secrets)
            self.feed.add(
                "timeline", {"t": round(now, 2), "who": said.who, "text": text, "style": said.style}
            )

    def passed(self, passed: Passed) -> None:
        item = {"t": round(passed.at, 2), "via": passed.via, "up": passed.up, "what": passed.what}
        item |= {
            "status": passed.status,
            "size": len(passed.body),
            "body": masked(passed.body, self._secrets),
        }
        self.feed.add("messages", item)

    def line(self, text: str, now: float) -> bool:
        """Whether a printed line is the device's answer to `status`; takes it then (see runtime/status.py)."""
        if not text.startswith(_STATUS):
            return False
        try:
            status = json.loads(text[len(_STATUS) :])
        except ValueError:
            return False
        if not isinstance(status, dict) or (status and not status.keys() >= {"state", "lease_s"}):
            return False
        if status:  # else the device had no memory for it
            left_s = status["lease_s"]
            ends, before = round(now + left_s), self.feed.state("status", {}).get("lease_ends", 0)
            # Whole seconds, asked for at any moment: the countdown must not jump by one.
            ends = before if abs(ends - before) <= 1 else ends
            kept = {
                name: value for name, value in status.items() if name not in ("lease_s", "uptime_s", "utc")
            }
            self.feed.put("status", kept | {"lease_ends": ends if left_s else 0})
        return True

    def look(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            self.feed.put(name, value)


class Watch:
    """`async with Watch(fixture, name)`, of a fixture that runs. `tell(said)`: what happened, also what is quiet.
    `watched()`: whether anybody looks: only then is the device asked for its status."""

    def __init__(
        self,
        fixture: SystemFixture,
        name: str,
        tell: Callable[[Said], None] = lambda said: None,
        watched: Callable[[], bool] = lambda: True,
    ) -> None:
        networks = fixture.config.get("wifi", {}).get("networks", ())
        secrets = (fixture.config["cloud"]["client_secret"], *(network["password"] for network in networks))
        self.fixture, self.projection = fixture, Projection(secrets)
        self.feed = self.projection.feed
        self._narration = BoardNarration(fixture.plant.wiring, lambda: fixture.plant.sensor_c)
        self._tell, self._watched = tell, watched
        self._actions = Actions(fixture, self.did)
        self._asked = 0
        self._running: asyncio.Task[None] | None = None
        self.feed.put("about", snapshot.about(fixture, name))

    async def __aenter__(self) -> Watch:
        self.fixture.listeners.append(self._board)
        self.fixture.site.observers.append(self.projection.passed)
        self.fixture.model.listeners.append(self._cloud)
        self._running = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *_: object) -> None:
        self.fixture.listeners.remove(self._board)
        self.fixture.site.observers.remove(self.projection.passed)
        self.fixture.model.listeners.remove(self._cloud)
        if self._running:
            self._running.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._running

    async def do(self, call: Any) -> None:
        """Carry out a call; see `Actions.do`."""
        await self._actions.do(call)
        self.look()

    def did(self, text: str) -> None:
        """A person did something to the device, or around it."""
        self._said(Said("you", text, "bold"), time.time())

    def _board(self, event: tuple[Any, ...]) -> None:
        now = time.time()
        if event[0] == "line" and self.projection.line(event[1], now):
            self._asked = 0
            return
        if event[0] in ("boot", "off"):  # what it said before is over
            self._asked = 0
            self.feed.put("status", {})
        said = self._narration.of(event)
        if said:
            self._said(said, now)
        if event[0] == "pin":
            self.feed.put("parts", snapshot.parts(self.fixture))

    def _cloud(self, event: dict[str, Any]) -> None:
        said = of_cloud(event)
        self._tell(said)
        # The readings have their charts, and would push what matters out of sight.
        if not (event["event"] == "feed_stored" and "sensor_id" in event):
            by = event.get("by", "owner" if event["event"] in _OWNERS else "")
            self.projection.said(said._replace(who="you") if by == "owner" else said, event["at"])

    def _said(self, said: Said, now: float) -> None:
        self.projection.said(said, now)
        self._tell(said)

    def look(self) -> dict[str, Any]:
        state = snapshot.look(self.fixture, time.time())
        status = self.feed.state("status", {})
        readings = dict(status.get("readings", ())) if self._watched() else {}
        for row in state["sensors"]:
            row["measured"] = readings.get(row["name"], row["measured"])
        self.projection.look(state)
        return state

    def _ask(self) -> None:
        board = self.fixture.board
        if self._asked:  # it does not answer, and what is typed would only pile up
            self._asked -= 1
        elif self._watched() and board.powered and not board.chip.at_repl and not board.console.in_use:
            self._asked = _PATIENCE
            board.type(b"status\r")

    async def _run(self) -> None:
        sampled = asked = 0.0
        while True:
            now, state = time.monotonic(), self.look()
            if now - sampled >= _SAMPLE_S:
                sampled = now
                self.feed.add("samples", snapshot.sample(self.fixture, state, time.time()))
            if now - asked >= _ASK_S:
                asked = now
                self._ask()
            await asyncio.sleep(_LOOK_S if self._watched() else _SAMPLE_S)
