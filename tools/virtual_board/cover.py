"""A shutter behind two relays, with a motor that has limit switches: what really happens, whatever a device thinks."""

from __future__ import annotations

import math


class Cover:
    """`opens`, `closes`: roles of its relays; `position`: 0 closed, 100 open. `clashed`: both relays pulled at once;
    `shortest_rest_ms`: the shortest time in which the motor stood before it turned the other way."""

    def __init__(
        self, opens: str, closes: str, open_s: float, close_s: float, position: float = 30.0
    ) -> None:
        self.opens, self.closes = opens, closes
        self.position = position
        self.clashed = False
        self.shortest_rest_ms = math.inf
        self._travel_s = {1: open_s, -1: close_s}
        self._way = self._last = 0
        self._rest_ms = math.inf

    def drive(self, opens: bool, closes: bool) -> None:
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
