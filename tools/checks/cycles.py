"""Runs a real board through thousands of cycles with faults, and compares its heap before and after.

Two heaps can be compared at rest: no desired value is open, every report is sent, and every fault has occurred at least
once. The fixture's board must run `probes/heap_probe.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from tools.fixture.system import NotInTimeError, SystemFixture

Fault = str | Callable[[SystemFixture], object]
"""A rule of tools/cloud/faults.py, or a verb of the fixture."""

_LOOKS = 12
_SETTLE_S = 1.0
_BETWEEN = 20
_LASTS_S = 1.0
"""Over this a session has lasted, by the fast clock of the probe; after several that did not, attempts become rare."""
_PORT = "6"
NOISE_BYTES = 256
"""By so much two rests may differ all the same: the lists of a loop are one entry longer or shorter."""
_BLOCK_BYTES = {32: 16, 64: 32}


def _unpaid(fixture: SystemFixture) -> None:
    fixture.subscription(False)
    asyncio.get_running_loop().call_later(0.2, fixture.subscription, True)


def _restart(fixture: SystemFixture) -> asyncio.Task[None]:
    assert fixture.site.broker
    return asyncio.create_task(fixture.site.broker.restart())


FAULTS: dict[str, tuple[Fault, ...]] = {
    "https": (
        "commands status=503 times=2", "feed-data status=500 times=1", "any status=429 times=1",
        "commands status=404 times=1", "token status=503 times=1", "any drop times=2", "any cut=60 times=2",
        "commands badjson=half times=1", "commands badjson=deep times=1", "any oversized times=1",
        "any huge_headers times=1", "commands endless=body times=1", "any chunked times=3", "any close times=2",
        "any empty times=1", SystemFixture.expire_token, _unpaid,
    ),
    "mqtt": (
        "ack status=error times=2", "ack status=rejected times=1", "ack stray times=1", "ack copies=3 times=3",
        "ack delay=0.2 times=3", "desired badjson=half times=1", "desired copies times=2", "desired value=99 times=1",
        "desired sequence=1 times=1", "desired valid_s=0 times=1", "connect refused times=1",
        "mqtt-credentials status=503 times=1", "mqtt badjson=half times=1", "any drop times=1", SystemFixture.kick,
        _restart, SystemFixture.expire_token, _unpaid,
    ),
}  # fmt: skip
"""By transport. None of them has a deadline as its only end: deadlines are the one thing that takes its real time."""


def calm(config: dict[str, Any]) -> None:
    """Sensors that are asked so seldom that a fast clock does not make a flood of readings of it."""
    for sensor in config["sensors"]:
        sensor["period_s"] = 60


@dataclass
class Rest:
    """`used`: bytes of the heap that stay in use; `largest`: bytes of its largest free piece."""

    used: int
    largest: int


def count(fixture: SystemFixture) -> int:
    """Cycles so far: polls, or over MQTT desired states to the device, reports from it, and their acknowledgements."""
    if fixture.transport == "https":
        return fixture.polls()
    return len(fixture.model.named("desired_published")) + 2 * len(fixture.model.named("feed_stored"))


async def wear(
    fixture: SystemFixture, cycles: int, faults: Sequence[Fault], each: int, chance: random.Random
) -> int:
    """So many cycles, with one of `faults` after every `each`, all of them once before any comes again; how many that
    were."""
    end = count(fixture) + cycles
    order: list[Fault] = []
    met = 0
    async with fixture.traffic(partial(_is_reported, fixture)):
        while (now := count(fixture)) < end:
            order = order or chance.sample(faults, len(faults))
            fault = order.pop()
            done = fixture.site.faults.add(fault) if isinstance(fault, str) else fault(fixture)
            met += 1
            await _until_count(fixture, now + each, f"{each} cycles after {fault}")
            if isinstance(done, asyncio.Task):
                await done
    return met


async def change(fixture: SystemFixture) -> None:
    """From MQTT to polling and back, by `auto`: the broker ends, and starts again; the session lasts."""
    broker, polls = fixture.site.broker, fixture.polls()
    assert broker
    await broker.down()
    await fixture.until("the device polls", lambda: fixture.polls() > polls + 1, 240)
    sessions = fixture.model.named("mqtt_connected")
    await broker.up()
    again = lambda: len(fixture.model.named("mqtt_connected")) > len(sessions) and fixture.held()  # noqa: E731
    await fixture.until("MQTT again", again, 240)
    await asyncio.sleep(_LASTS_S)


async def _until_count(fixture: SystemFixture, cycles: int, what: str) -> None:
    await fixture.until(what, lambda: count(fixture) >= cycles, 120)


async def at_rest(fixture: SystemFixture, times: int = 3) -> Rest:
    """What the heap holds in the middle one of so many rests, with a few cycles before each: frames that wait keep
    addresses of what ran in them last, which the collector takes for references."""
    rests = []
    fixture.site.faults.clear()
    for _ in range(times):
        await _cycles(fixture, _BETWEEN, "before a rest")
        rests.append(await _one_rest(fixture))
    used = statistics.median_low(rest.used for rest in rests)
    return Rest(used, max(rest.largest for rest in rests))


async def _one_rest(fixture: SystemFixture) -> Rest:
    fixture.want(_PORT, 0)
    await fixture.until(
        "the pump rests", lambda: not fixture.on("pump") and fixture.reported(_PORT) == "0.0", 60
    )
    await fixture.online()
    await asyncio.sleep(_SETTLE_S)
    start = len(fixture.lines)
    looks = lambda: probes(fixture.lines[start:])  # noqa: E731
    await fixture.until("the probe has looked often enough", lambda: len(looks()) >= _LOOKS, 60)
    # What a loop holds for a moment is not there in all of the looks.
    largest = max(_largest(fixture.lines[start:]))
    return Rest(min(looks()), largest * _BLOCK_BYTES[fixture.interpreter.bits])


async def _cycles(fixture: SystemFixture, cycles: int, what: str) -> None:
    """With the owner's traffic."""
    end = count(fixture) + cycles
    async with fixture.traffic(partial(_is_reported, fixture)):
        await _until_count(fixture, end, f"{cycles} cycles {what}")


def probes(lines: list[str]) -> list[int]:
    """The numbers that the program beside the firmware printed."""
    return [int(text.split()[1]) for text in lines if text.startswith("PROBE ")]


def _largest(lines: list[str]) -> list[int]:
    """Largest free pieces in blocks, from `micropython.mem_info()`."""
    return [int(found[1]) for text in lines if (found := re.search(r"max free sz: (\d+)", text))]


async def _is_reported(fixture: SystemFixture, on: bool) -> None:
    """Until the pump is reported so, or a second."""
    with contextlib.suppress(NotInTimeError):
        await fixture.until("it is reported", lambda: fixture.reported(_PORT) == f"{float(on)}", 1)
