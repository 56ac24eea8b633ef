"""An asyncio event loop whose time is virtual: whoever sleeps is woken at once, in the right order.

Owns the jump: when nothing is ready to run, the clock goes straight to the next timer. Refuses real I/O, and a program
that waits for nothing at all (`Deadlock`), which in real time would hang for ever.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable
from typing import Any


class Deadlock(RuntimeError):
    """Every task waits for something that no timer will bring about."""


class _NoSelector(selectors.DefaultSelector):
    """Knows what the loop registers for itself, and never waits."""

    jump: Callable[[float], None]

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        if timeout > 0:
            self.jump(timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0.0 seconds. `on_jump(dt_s)` is called with every step of the clock."""

    def __init__(self, on_jump: Callable[[float], None] | None = None) -> None:
        selector = _NoSelector()
        selector.jump = self._jump
        super().__init__(selector)
        self._virtual_s = 0.0
        self.on_jump = on_jump

    def time(self) -> float:
        return self._virtual_s

    def _jump(self, dt_s: float) -> None:
        self._virtual_s += dt_s
        if self.on_jump:
            self.on_jump(dt_s)
