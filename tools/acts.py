"""Acts of a story on a stage: how they are played, and how one fails. What they are, `smoke` and its kin know."""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from tools.stage import NotInTimeError, Stage

Facts = dict[str, Any]
Act = Callable[[Any, Facts], Awaitable[None]]


class ActFailedError(Exception):
    """Something was seen that must not be."""


def must(holds: Any, text: str) -> None:
    if not holds:
        raise ActFailedError(text)


async def play(stage: Stage, acts: Sequence[Act], tell: Callable[[str], None]) -> Facts:
    """Play the acts in order; what they found. ActFailedError names the act."""
    facts: Facts = {}
    for act in acts:
        started = time.monotonic()
        seen = stage.memory()  # the last: before the end
        facts |= {name: seen[name] for name in ("heap_area", "pool_at_rest")}
        try:
            await act(stage, facts)
        except (ActFailedError, NotInTimeError) as error:
            raise ActFailedError(f"act {act.__name__}: {error}") from None
        tell(f"{time.monotonic() - started:5.1f} s  {act.__name__}: {(act.__doc__ or '').splitlines()[0]}")
    must(not stage.third_area, stage.third_area)
    must(stage.board.boots == 1, f"{stage.board.boots} boots where one would do")
    return facts | {"boots": stage.board.boots}


async def heater(stage: Stage, on: bool, within_s: float) -> None:
    """Wait until the heater is on, or off."""
    await stage.until(f"the heater goes {'on' if on else 'off'}", lambda: stage.on("heater") == on, within_s)


def about(stage: Stage) -> Facts:
    """What ran, what the health loop said of the heap last, and what the board saw of all memory."""
    found = stage.interpreter
    heaps = [int(used) for line in stage.lines for used in re.findall(r"heap (\d+) used", line)]
    must(heaps, "the device told its heap")
    return {
        "micropython": ".".join(map(str, found.version)),
        "bits": found.bits,
        "api": stage.config["cloud"]["api"],
        "runtime": "unix",
        "heap_used": heaps[-1],
        **stage.memory(),
    }
