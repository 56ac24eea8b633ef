"""What the pages of the dashboard get about one device, without a network: the present state, and the latest of
what happened.

Pages come and go, and a slow one must not hold anything up. So nothing is queued for a page: it says up to where it
has everything (`since`), and gets what changed. A new page has nothing, and gets everything there is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from itertools import takewhile
from typing import Any

LIMITS = {"messages": 250, "timeline": 250, "samples": 900}
"""How many there are of each at most, the latest ones."""


class Feed:
    """`on_change` is called after each change."""

    def __init__(self) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._count = 0
        self._state: dict[str, tuple[int, Any]] = {}
        self._rings: dict[str, deque[tuple[int, Any]]] = {
            name: deque(maxlen=limit) for name, limit in LIMITS.items()
        }

    def put(self, name: str, value: Any) -> None:
        """A part of the state is now `value`: plain data, replaced as a whole."""
        if name not in self._state or self._state[name][1] != value:
            self._count += 1
            self._state[name] = self._count, value
            self.on_change()

    def state(self, name: str, default: Any = None) -> Any:
        return self._state[name][1] if name in self._state else default

    def add(self, ring: str, item: Any) -> None:
        """Something happened: an item of one of LIMITS, plain data."""
        self._count += 1
        self._rings[ring].append((self._count, item))
        self.on_change()

    def since(self, count: int) -> dict[str, Any]:
        """What a page lacks that has everything up to `count`, 0: nothing yet. `n`: up to where it has it then."""
        if count > self._count or count < 0:  # of a demo before this one
            count = 0
        news: dict[str, Any] = {"n": self._count}
        state = {name: value for name, (n, value) in self._state.items() if n > count}
        if state:
            news["state"] = state
        for name, ring in self._rings.items():
            items = [item for _, item in takewhile(lambda numbered: numbered[0] > count, reversed(ring))]
            if items:
                news[name] = items[::-1]
        return news
