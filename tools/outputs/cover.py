"""The host's side of `firmware/outputs/cover.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

Wire = Mapping[str, Any]

MEANING = "the cloud says 0 (closed) to 100 % (open): a shutter behind two relays"
ABOUT = {
    "open_s": "How many seconds does it take from closed to open?",
    "overrun_s": "How many seconds should it run on at an end? Against its limit switch, which corrects the position.",
}
PARTS = {
    "close": {
        "gpio": "Which GPIO drives the relay that closes it? The one before is the relay that opens it."
    }
}


def wires(role: str, wire: Wire, output: Wire) -> dict[str, Wire]:
    open_s = output["open_s"]
    closes = f"{role} closes"
    motor = {"load": "cover", "closes": closes, "open_s": open_s, "close_s": output.get("close_s") or open_s}
    return {role: {**wire, **motor}, closes: {**wire, "gpio": output["close"]["gpio"]}}


class Load:
    """A motor that has limit switches: what really happens, whatever a device thinks.

    `position`: 0 closed, 100 open. `clashed`: both relays pulled at once; `shortest_rest_ms`: the shortest time in
    which the motor stood before it turned the other way."""

    def __init__(self, role: str, wire: Wire) -> None:
        self.position = 30.0
        self.clashed = False
        self.shortest_rest_ms = math.inf
        self._opens, self._closes = role, wire["closes"]
        self._travel_s = {1: wire["open_s"], -1: wire["close_s"]}
        self._way = self._last = 0
        self._rest_ms = math.inf

    def drive(self, is_on: Callable[[str], bool]) -> None:
        """The relays of these roles are on or off now."""
        opens, closes = is_on(self._opens), is_on(self._closes)
        self.clashed |= opens and closes
        self._way = opens - closes
        if self._way:
            if self._way == -self._last:
                self.shortest_rest_ms = min(self.shortest_rest_ms, self._rest_ms)
            self._last, self._rest_ms = self._way, 0.0

    def advance(self, dt_ms: float) -> None:
        if self._way:
            moved = self._way * dt_ms / 10 / self._travel_s[self._way]
            self.position = min(max(self.position + moved, 0.0), 100.0)
        else:
            self._rest_ms += dt_ms
