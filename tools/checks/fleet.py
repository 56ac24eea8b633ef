"""`realer fleet --devices N --minutes M`: many devices at one simulated cloud, and what a bad day does to all of them.

Either N processes of the real MicroPython at a real mosquitto, or, with `--virtual`, the same firmware in virtual time
in one process, which takes thousands. Both play the same scenario: a start of all at once, some minutes in which owners
switch their pumps, a restart of the broker, power that returns to all at once, and in virtual time a token service that
is down for an hour. Owners go on switching all the time. Prints a JSON line for each part; exits 1 when not all
devices came back, or an event was lost or came twice. Figures and their limits: docs/fleet.md.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from firmware.runtime import cloud_loop, control_loop, network_loop, sampling_loop, supervisor
from tools import common
from tools.env import interpreter
from tools.fixture.process_fleet import Fleet
from tools.sim.loop import VirtualLoop
from tools.sim.virtual_fleet import SimFleet, load_all

PACE = ((control_loop, "_TICK_MS", 4900), (sampling_loop, "_REST_MS", 25000), (network_loop, "_STEP_MS", 1000),
        (cloud_loop, "_IDLE_MS", 1000), (supervisor, "_CHECK_MS", 15000))  # fmt: skip
"""How much more slowly the loops run in virtual time than on a chip; what answers the cloud does not wait for them."""
BACK_S = 420.0
"""How long a part may take until all are back: after a long outage attempts are up to 300 s apart."""
SETTLED_S = 5.0
"""For how long the last session has to be there before that counts."""
EACH_S = 30.0
"""How often an owner switches a pump, on average."""
DOWN_S, OFF_S = 5.0, 5.0
"""How long broker and power are away."""
PER_S = 1000.0
"""Handshakes that the simulated cloud completes in a second, in virtual time."""


class Story:
    """The scenario. `tell(figures)` is called after each part. `ok`: all came back each time."""

    def __init__(self, fleet: Fleet | SimFleet, seed: int, tell: Callable[[dict[str, Any]], None]) -> None:
        self.fleet, self.ok = fleet, True
        self._chance, self._tell = random.Random(seed), tell
        self._owed = 0.0

    async def play(self, minutes: float, outage: bool) -> None:
        fleet = self.fleet
        await self.part("start", self.starts)
        began = fleet.now()
        fleet.record.begin()
        while fleet.now() - began < minutes * 60:
            await self.second()
        self.tell("calm", began, desired_to_relay_ms=fleet.record.latency(), **fleet.memory_kb())
        await self.part("broker restart", self.broker_restarts)
        await self.part("power", self.power_returns)
        if outage:
            await self.part("token service down", self.tokens_fail)
        await self.end()

    # what happens

    async def starts(self) -> float:
        await self.fleet.power_on()
        return self.fleet.now()

    async def broker_restarts(self) -> float:
        await self.fleet.broker_down()
        await self.seconds(DOWN_S)
        await self.fleet.broker_up()
        return self.fleet.now()

    async def power_returns(self) -> float:
        await self.fleet.power_off()
        await self.seconds(OFF_S)
        await self.fleet.power_on()
        return self.fleet.now()

    async def tokens_fail(self) -> float:
        """For as long as a token lives, so all run out."""
        faults = self.fleet.faults
        rule = faults.add("token status=503")
        await self.seconds(self.fleet.model.plan.token_s)
        faults.remove(rule)
        return self.fleet.now()

    # what is reported

    async def part(self, name: str, happens: Callable[[], Awaitable[float]]) -> None:
        """Let something happen, and wait until all devices are back."""
        fleet, record = self.fleet, self.fleet.record
        began = fleet.now()
        since = await happens()
        # Without tokens sessions begin and end; what counts there is the first with a fresh one.
        before = since if name == "token service down" else began
        count = len(fleet.keys)
        while record.back(fleet.keys, before) < count or fleet.now() - record.latest(fleet.keys) < SETTLED_S:
            if fleet.now() - since > BACK_S:
                break
            await self.second()
        back = record.back(fleet.keys, before)
        self.ok = self.ok and back == count
        self.tell(
            name, began, back=back, all_back_s=round(record.latest(fleet.keys) - since, 1),
            peak_per_s=fleet.rate.peak(since), connections=fleet.rate.total(since),
        )  # fmt: skip

    async def second(self) -> None:
        """One second, in which some owners switch their pumps."""
        self._owed += len(self.fleet.keys) / EACH_S
        now, self._owed = int(self._owed), self._owed % 1
        for key in self._chance.sample(self.fleet.keys, now):
            self.fleet.record.ask(key)
        await self.fleet.sleep(1)

    async def seconds(self, count: float) -> None:
        end = self.fleet.now() + count
        while self.fleet.now() < end:
            await self.second()

    async def end(self) -> None:
        """Nothing happens any more: what is under way arrives."""
        fleet, record = self.fleet, self.fleet.record
        began = fleet.now()
        behind = fleet.keys
        while behind and fleet.now() - began < BACK_S:
            await fleet.sleep(1)
            behind = [key for key in behind if not record.reconciled(key)]
        facts = {"lost": record.lost(), "doubled": record.doubled(), "not_reconciled": len(behind)}
        self.ok = self.ok and not any(facts.values())
        self.tell("end", began, stored=record.stored(), sent_again=record.sent_again, **facts)

    def tell(self, name: str, began: float, **facts: Any) -> None:
        seconds = round(self.fleet.now() - began)
        self._tell({"part": name, "devices": len(self.fleet.keys), "seconds": seconds, **facts})


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("fleet", "Simulate a bad day of many devices.")
    parser.add_argument("--devices", type=common.number(1), default=20, help="how many (default: 20)")
    parser.add_argument(
        "--minutes",
        type=common.number(0, of=float),
        default=1,
        help="of calm, between start and faults (default: 1)",
    )
    parser.add_argument("--virtual", action="store_true", help="in virtual time, in one process")
    parser.add_argument(
        "--transport", choices=("mqtt", "auto"), default="mqtt", help="of the devices (default: mqtt)"
    )
    parser.add_argument(
        "--handshakes", type=common.number(0, of=float), default=PER_S,
        help="that the cloud completes in a second, with --virtual; 0: any number (default: 1000)",
    )  # fmt: skip
    parser.add_argument(
        "--outage", action="store_true", help="also an hour without tokens; needs --virtual, and takes most of the time"
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1, help="of what the owners do (default: 1)")
    common.add_json(parser)
    options = parser.parse_args(argv)
    if options.outage and not options.virtual:
        parser.error("--outage needs --virtual")
    parts = 6 if options.outage else 5
    with common.LongRun(f"{options.devices} devices", parts, options.json) as run:

        def tell(found: dict[str, Any]) -> None:
            run.result(found)
            run.step()

        ok = virtually(options, tell) if options.virtual else asyncio.run(really(options, tell))
    return 0 if ok else 1


async def really(options: argparse.Namespace, tell: Callable[[dict[str, Any]], None]) -> bool:
    async with Fleet(interpreter.find(), options.devices, options.transport) as fleet:
        story = Story(fleet, options.seed, tell)
        await story.play(options.minutes, False)
        return story.ok


def virtually(options: argparse.Namespace, tell: Callable[[dict[str, Any]], None]) -> bool:
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    load_all()
    for module, name, value in PACE:
        setattr(module, name, value)
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 50, 100)
    try:
        return loop.run_until_complete(_virtually(loop, options, tell))
    finally:
        loop.close()


async def _virtually(
    loop: VirtualLoop, options: argparse.Namespace, tell: Callable[[dict[str, Any]], None]
) -> bool:
    async with SimFleet(loop, options.devices, options.transport, per_s=options.handshakes) as fleet:
        story = Story(fleet, options.seed, tell)
        started = time.process_time()
        await story.play(options.minutes, options.outage)
        tell({"part": "run", "ok": story.ok, "cpu_s": round(time.process_time() - started)})
        return story.ok


if __name__ == "__main__":
    sys.exit(main())
