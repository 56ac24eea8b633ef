"""Measures the figures of memory: heap and pool of a plain ESP32, over each transport and with each image, at rest, in
a handshake, in a renewal, and after an outage with desired states waiting.

The board's own model of memory measures (docs/decisions/0011). `bench` is the command.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable, Coroutine
from typing import Any

from tools.checks.figures import Line, line
from tools.cloud.entities import Plan
from tools.fixture.scenario import Facts
from tools.fixture.system import NotInTimeError, SystemFixture, ThirdAreaError
from tools.virtual_board.memory import WORST_CHAIN

AREA = 98_000
AT_REST = {
    "stock": {"https": 72_000, "mqtt": 82_000, "auto": 82_000},
    "own": {"https": 44_000, "mqtt": 51_000, "auto": 51_000},
}
FREE_AT_REST = 14_000
POOL_LOWEST, POOL_LOWEST_WORST_CHAIN = 8_000, 5_000
OWN_PEAK = 52_000
"""Up to a renewal. What 50 desired states after an outage become takes more than the first area holds."""
_WINDOWS, _LOOKS, _EVERY_S = 3, 10, 0.5
_SETTLES_S = 30
"""After an outage, until what only that needs is gone from memory, and all reports are acknowledged."""
_WAITING = 50
_PLAN = Plan(credential_s=120, credential_renew_s=30)


class MemoryFigures:
    """`make(**settings)`: a SystemFixture with the settings of the benchmark and these."""

    def __init__(self, make: Callable[..., SystemFixture]) -> None:
        self._make = make

    def measurements(self) -> list[Callable[[], Coroutine[Any, Any, list[Line]]]]:
        """One for each transport and image, and the worst chain; named after what they measure."""
        rows: list[tuple[str, str, dict[str, str]]]
        rows = [(transport, image, {}) for image in AT_REST for transport in AT_REST[image]]
        rows += [(transport, "stock", {"chain": WORST_CHAIN}) for transport in AT_REST["stock"]]
        return [self._row(*row) for row in rows]

    def _row(
        self, transport: str, image: str, more: dict[str, str]
    ) -> Callable[[], Coroutine[Any, Any, list[Line]]]:
        async def measure() -> list[Line]:
            moments: dict[str, Facts] = {}
            fixture = self._make(transport=transport, image=image, plan=_PLAN, **more)
            try:
                async with fixture:
                    await _story(fixture, moments)
            except (NotInTimeError, ThirdAreaError) as error:
                what = f"third areas or no way on, {_what(fixture)}"
                return [line(what, 1, 0, moments=moments, error=str(error))]
            return assessed(fixture, moments)

        measure.__name__ = "_".join(["memory", transport, image, *more.values()])
        return measure


async def _story(fixture: SystemFixture, moments: dict[str, Facts]) -> None:
    """Raises ThirdAreaError after the first moment that had one: what follows would be another scenario."""

    def reached(moment: str, facts: Facts) -> None:
        moments[moment] = facts
        if fixture.third_area:
            raise ThirdAreaError(f"{moment}: {fixture.third_area}")

    await fixture.online(40)
    reached("start", fixture.memory())
    reached("rest", await rest(fixture))
    if fixture.transport == "https":
        fixture.site.server.cut()
        await fixture.online(40)
        reached("handshake", fixture.memory())
        issued = len(fixture.model.named("token_issued"))
        fixture.expire_token()
        await fixture.until("a fresh token", lambda: len(fixture.model.named("token_issued")) > issued, 30)
    else:
        issued = len(fixture.model.named("credential_issued"))
        fixture.kick()
        await fixture.until("the session is over", lambda: not fixture.model.sessions, 10)
        await fixture.online(40)
        reached("handshake", fixture.memory())
        await fixture.until(
            "a renewal", lambda: len(fixture.model.named("credential_issued")) > issued and fixture.held(), 60
        )
    await fixture.online(40)
    reached("renewal", fixture.memory())
    await outage(fixture)
    reached("outage", fixture.memory())
    await asyncio.sleep(_SETTLES_S)
    reached("rest again", await rest(fixture))


async def outage(fixture: SystemFixture) -> None:
    """Nobody answers, until the device has noticed; then all desired states of meanwhile wait for it at once."""
    start = len(fixture.lines)
    noticed = lambda: any("link failed" in line or "polling" in line for line in fixture.lines[start:])  # noqa: E731
    broker = fixture.site.broker
    if broker:
        broker.freeze()
    await fixture.site.server.down()
    await fixture.until("the device notices", noticed, 180)
    for number in range(_WAITING):
        fixture.want("9", 10 + number % 7 / 2)
    await fixture.site.server.up()
    if broker:
        broker.thaw()
    last = f"{10 + (_WAITING - 1) % 7 / 2}"
    await fixture.until("the last is reported", lambda: fixture.reported("9") == last, 240)
    await fixture.online(60)


async def rest(fixture: SystemFixture) -> Facts:
    """The memory of a device that has nothing to do. `heap_used`: of a few windows, the lowest middle one of some
    looks; in the others a report may have been on its way."""
    middles = []
    for _ in range(_WINDOWS):
        looks = []
        for _ in range(_LOOKS):
            await asyncio.sleep(_EVERY_S)
            looks.append(fixture.board.chip.memory.memory.live)
        middles.append(round(statistics.median(looks)))
    facts = fixture.memory()
    used = min(middles)
    return {"heap_used": used, "heap_free": facts["heap_area"] - used} | facts


def assessed(fixture: SystemFixture, moments: dict[str, Facts]) -> list[Line]:
    """What the figures of one row must be."""
    about: dict[str, Any] = {
        "bits": fixture.interpreter.bits,
        "boots": fixture.board.boots,
        "moments": moments,
    }
    what, now, calm = _what(fixture), fixture.memory(), moments["rest"]
    used = max(calm["heap_used"], moments["rest again"]["heap_used"])
    free = calm["heap_area"] - used
    lowest = POOL_LOWEST_WORST_CHAIN if fixture.chain == WORST_CHAIN else POOL_LOWEST
    lines = [
        line(f"third areas or no way on, {what}", 0, 0, **about),
        line(f"pool, lowest, {what} (bytes)", now["pool_lowest"], lowest, at_least=True),
        line(f"heap, area, {what} (bytes)", now["heap_area"], AREA),
        line(f"heap, in use at rest, {what} (bytes)", used, AT_REST[fixture.image][fixture.transport]),
        line(f"heap, free at rest, {what} (bytes)", free, FREE_AT_REST, at_least=True),
    ]
    if fixture.image == "own":
        lines.append(line(f"heap, peak, {what} (bytes)", moments["renewal"]["heap_peak"], OWN_PEAK))
    return lines


def _what(fixture: SystemFixture) -> str:
    return f"{fixture.transport}, {fixture.image} image, {fixture.chain}"
