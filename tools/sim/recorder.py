"""Records what a simulated device did, as events in order, so that tests need not read its log.

It observes a whole device at its seams, from outside; nothing of it is on a board. Each life of the device begins with
`("power", True)` and with the state that it starts in. So an expected sequence is never empty, and a broken seam is
noticed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tools.cloud.model import Model
from tools.virtual_board.plant import Plant


class Event(NamedTuple):
    """`at`: virtual seconds. `kind`: "power", "relay" (of an output by name), "safe" (whether in safe state), "online",
    "open" (of the link: the error's class, None for success), "answer" (the cloud's outcome for an event, by
    message_id), "request" (by HTTP, by method), or "warning" and "error" (said by the firmware)."""

    at: float
    kind: str
    name: str
    value: Any


class Recorder:
    """`events`: over all lives of the device. `now()`: virtual seconds; `outputs()`: items of its configuration."""

    def __init__(
        self,
        plant: Plant,
        model: Model,
        now: Callable[[], float],
        outputs: Callable[[], list[dict[str, Any]]],
    ) -> None:
        self.plant, self._now, self._outputs = plant, now, outputs
        self.events: list[Event] = []
        self._relays: dict[str, bool] = {}
        self._wired: dict[int, list[dict[str, Any]]] = {}
        plant.watchers.append(self._driven)
        model.watchers.append(lambda request: self.note("request", request.method, request))

    def note(self, kind: str, name: str, value: Any) -> None:
        self.events.append(Event(self._now(), kind, name, value))

    def of(self, kind: str, name: str = "", since: float = 0.0) -> list[Any]:
        """The values of a kind of event, of one name only where it is given, from virtual second `since` on."""
        return [e.value for e in self.events if e.kind == kind and name in ("", e.name) and e.at >= since]

    def counting(self, log: Callable[[str, str], None]) -> Callable[[str, str], None]:
        """The same `log`, whose warnings and errors are counted."""

        def counted(level: str, text: str) -> None:
            if level in ("warning", "error"):
                self.note(level, "", None)
            log(level, text)

        return counted

    def start(self) -> None:
        """A device is about to be built, which drives its outputs."""
        self.note("power", "", True)
        self._relays, self._wired = {}, {}
        for cfg in self._outputs():
            self._wired.setdefault(cfg["gpio"], []).append(cfg)

    def attach(self, app: Any) -> None:
        """A device has been built and is about to run."""
        self.watch(app.controller.safety, "safe")
        self.watch(app.cloud_loop, "online")
        opened, send = app.link.open, app.link.send

        async def noted() -> Any:
            try:
                catalog = await opened()
            except Exception as error:
                self.note("open", "", type(error))
                raise
            self.note("open", "", None)
            return catalog

        async def sent(reports: Any) -> Any:
            answers = await send(reports)
            for message_id, outcome in answers:
                self.note("answer", message_id, outcome)
            return answers

        app.link.open, app.link.send = noted, sent

    def watch(self, part: Any, name: str) -> None:
        """Note the attribute `name` of a part now and whenever it changes, as events of the kind `name`."""
        kind: Any = type(part)
        note = self.note

        def changed(part: Any, key: str, value: Any) -> None:
            if key == name and value != getattr(part, key):
                note(name, "", value)
            kind.__setattr__(part, key, value)

        self.note(name, "", getattr(part, name))
        part.__class__ = type(kind.__name__, (kind,), {"__setattr__": changed})

    def _driven(self, gpio: int) -> None:
        for cfg in self._wired.get(gpio, ()):
            on = self.plant.level(gpio) == (cfg["active"] == "high")
            if self._relays.get(cfg["name"]) is not on:
                self._relays[cfg["name"]] = on
                self.note("relay", cfg["name"], on)
