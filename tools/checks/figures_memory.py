"""How the figures of memory are measured: heap and pool of a plain ESP32, over each transport and with each image, at
rest, in a handshake, in a renewal, and after an outage with desired states waiting.

The board's own model of memory is what measures (docs/decisions/0011). `tools.checks.bench` is the command line.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Coroutine
from typing import Any

from tools.checks.figures import Line, line
from tools.cloud.entities import Plan
from tools.fixture.scenario import Facts
from tools.fixture.system import NotInTimeError, Stage, ThirdAreaError
from tools.virtual_board.memory import WORST_CHAIN

AREA = 98_000
AT_REST = {"https": 72_000, "mqtt": 82_000, "auto": 82_000}
FREE_AT_REST = 14_000
POOL_LOWEST, POOL_LOWEST_WORST_CHAIN = 8_000, 5_000
OWN_PEAK = 52_000
_LOOKS, _EVERY_S = 12, 0.5
_WAITING = 50
_PLAN = Plan(credential_s=120, credential_renew_s=30)


class MemoryFigures:
    """`make(**settings)`: a Stage with the settings of the benchmark and these."""

    def __init__(self, make: Callable[..., Stage]) -> None:
        self._make = make

    def measurements(self) -> list[Callable[[], Coroutine[Any, Any, list[Line]]]]:
        """One for each transport and image, and the worst chain; named after what they measure."""
        rows: list[tuple[str, str, dict[str, str]]]
        rows = [(transport, image, {}) for image in ("stock", "own") for transport in AT_REST]
        rows += [(transport, "stock", {"chain": WORST_CHAIN}) for transport in AT_REST]
        return [self._row(*row) for row in rows]

    def _row(
        self, transport: str, image: str, more: dict[str, str]
    ) -> Callable[[], Coroutine[Any, Any, list[Line]]]:
        async def measure() -> list[Line]:
            moments: dict[str, Facts] = {}
            # What an image of one's own must not need, its board does not have.
            settings: dict[str, Any] = {"doubles": image == "stock", "plan": _PLAN}
            stage = self._make(transport=transport, image=image, **settings, **more)
            try:
                async with stage:
                    await _story(stage, moments)
            except (NotInTimeError, ThirdAreaError) as error:
                return [
                    line(f"third areas or no way on, {_what(stage)}", 1, 0, moments=moments, error=str(error))
                ]
            return judged(stage, moments)

        measure.__name__ = "_".join(["memory", transport, image, *more.values()])
        return measure


async def _story(stage: Stage, moments: dict[str, Facts]) -> None:
    """Raises ThirdAreaError after the first moment that had one: what follows would be another story."""

    def reached(moment: str, facts: Facts) -> None:
        moments[moment] = facts
        if stage.third_area:
            raise ThirdAreaError(f"{moment}: {stage.third_area}")

    await stage.online(40)
    reached("start", stage.memory())
    reached("rest", await rest(stage))
    if stage.transport == "https":
        stage.site.server.cut()
        await stage.online(40)
        reached("handshake", stage.memory())
        issued = len(stage.model.named("token_issued"))
        stage.expire_token()
        await stage.until("a fresh token", lambda: len(stage.model.named("token_issued")) > issued, 30)
    else:
        issued = len(stage.model.named("credential_issued"))
        stage.kick()
        await stage.until("the session is over", lambda: not stage.model.sessions, 10)
        await stage.online(40)
        reached("handshake", stage.memory())
        await stage.until(
            "a renewal", lambda: len(stage.model.named("credential_issued")) > issued and stage.held(), 60
        )
    await stage.online(40)
    reached("renewal", stage.memory())
    await outage(stage)
    reached("outage", await rest(stage))


async def outage(stage: Stage) -> None:
    """Nobody answers, until the device has noticed; then all that was wanted meanwhile waits for it at once."""
    start = len(stage.lines)
    noticed = lambda: any("link failed" in line or "polling" in line for line in stage.lines[start:])  # noqa: E731
    broker = stage.site.broker
    if broker:
        broker.freeze()
    await stage.site.server.down()
    await stage.until("the device notices", noticed, 180)
    for number in range(_WAITING):
        stage.want("9", 10 + number % 20 / 2)
    await stage.site.server.up()
    if broker:
        broker.thaw()
    last = f"{10 + (_WAITING - 1) % 20 / 2}"
    await stage.until("the last is reported", lambda: stage.reported("9") == last, 240)
    await stage.online(60)


async def rest(stage: Stage) -> Facts:
    """The memory of a device that has nothing to do; `heap_used`: the middle one of some looks."""
    looks = []
    for _ in range(_LOOKS):
        await asyncio.sleep(_EVERY_S)
        looks.append(stage.board.chip.memory.memory.live)
    facts = stage.memory()
    used = round(statistics.median(looks))
    return {"heap_used": used, "heap_free": facts["heap_area"] - used} | facts


def judged(stage: Stage, moments: dict[str, Facts]) -> list[Line]:
    """What the figures of one row must be."""
    about: dict[str, Any] = {"bits": stage.interpreter.bits, "boots": stage.board.boots, "moments": moments}
    what, now, calm = _what(stage), stage.memory(), moments["rest"]
    used = max(calm["heap_used"], moments["outage"]["heap_used"])
    lines = [line(f"third areas or no way on, {what}", 0, 0, **about)]
    lowest = POOL_LOWEST_WORST_CHAIN if stage.chain == WORST_CHAIN else POOL_LOWEST
    lines.append(line(f"pool, lowest, {what} (bytes)", now["pool_lowest"], lowest, at_least=True))
    if stage.image == "own":
        memory = stage.board.chip.memory.memory
        second = calm["pool_at_rest"] - memory.pool.image.small_left - memory.cost.peak
        lines.append(line(f"heap, peak, {what} (bytes)", now["heap_peak"], OWN_PEAK))
        lines.append(line(f"pool left by a second handshake, {what} (bytes)", second, 0, at_least=True))
        return lines
    free = calm["heap_area"] - used
    lines.append(line(f"heap, area, {what} (bytes)", now["heap_area"], AREA))
    lines.append(line(f"heap, in use at rest, {what} (bytes)", used, AT_REST[stage.transport]))
    lines.append(line(f"heap, free at rest, {what} (bytes)", free, FREE_AT_REST, at_least=True))
    return lines


def _what(stage: Stage) -> str:
    return f"{stage.transport}, {stage.image} image, {stage.chain}"
