"""An asyncio event loop whose time is virtual: a task that sleeps is resumed at once, in the right order.

When nothing is ready to run, the clock jumps to the next timer. There is no real I/O. A program that waits for nothing
at all, and would hang for ever in real time, raises `Deadlock`.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections import deque
from collections.abc import Callable, Sequence
from contextvars import Context
from typing import TypeVarTuple

_Ts = TypeVarTuple("_Ts")


class Deadlock(RuntimeError):
    """Every task waits for something that no timer will bring about."""


class _Call(asyncio.TimerHandle):
    """A callback that is due. Unlike the base class's it has no context, for no program here has context variables, and
    what it raises ends the simulation."""

    __slots__ = ()

    def __init__(self, callback: Callable[..., object], args: Sequence[object], when: float) -> None:
        self._callback, self._args, self._when = callback, args, when
        self._cancelled, self._source_traceback = False, None

    def cancel(self) -> None:
        self._cancelled = True


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` starts at 0.0 seconds. `on_jump(dt_s)` is called with every step of the clock.

    Its turn is the base class's without the look at sockets: simulated years consist of turns.
    """

    # The base class's.
    _ready: deque[_Call]
    _stopping: bool

    def __init__(self) -> None:
        super().__init__()
        self._virtual_s = 0.0
        self._timers: list[tuple[float, int, _Call | asyncio.Future[None]]] = []
        self._order = itertools.count()
        self.on_jump: Callable[[float], None] | None = None

    def time(self) -> float:
        return self._virtual_s

    def sleep(self, seconds: float) -> asyncio.Future[None]:
        """What asyncio.sleep does, in fewer steps."""
        future = self.create_future()
        heapq.heappush(self._timers, (self._virtual_s + max(seconds, 0), next(self._order), future))
        return future

    def call_soon(
        self, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.Handle:
        handle = _Call(callback, args, self._virtual_s)
        self._ready.append(handle)
        return handle

    def call_at(
        self, when: float, callback: Callable[[*_Ts], object], *args: *_Ts, context: Context | None = None
    ) -> asyncio.TimerHandle:
        timer = _Call(callback, args, when)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def _run_once(self) -> None:
        ready, timers = self._ready, self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not ready and not self._stopping:
            if not timers:
                raise Deadlock
            before, self._virtual_s = self._virtual_s, max(timers[0][0], self._virtual_s)
            if self.on_jump:
                self.on_jump(self._virtual_s - before)
        while timers and timers[0][0] <= self._virtual_s:
            timer = heapq.heappop(timers)[2]
            if isinstance(timer, _Call):
                ready.append(timer)
            elif not timer.done():
                timer.set_result(None)
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle._cancelled:
                handle._callback(*handle._args)
