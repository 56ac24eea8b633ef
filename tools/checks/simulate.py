"""`realer simulate --seeds A..B --hours H`: whole devices with faults in virtual time, and the invariants checked at
every step.

Everything random comes from the seed: the configuration and the cloud's generation (`tools/sim/configurations.py`), the
desired values, which of the faults of `tools/sim/fault_injection.py` begin when and for how long. After every hour or
so of faults comes a quiet time, in which the device has to be online, reconciled and rid of its events within the times
below. Owns the schedule and the report; what must hold is `tools/sim/invariants.py`'s.

The loops of the firmware run more slowly than on a chip (PACE), or a day would take a minute. Prints one JSON
line, after Ctrl-C that of what was played so far; exits 1 when something was violated, after the command to repeat it
and what happened before it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import multiprocessing
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.core.models import number
from firmware.runtime import cloud_loop, control_loop, network_loop, sampling_loop, supervisor
from tools import common
from tools.cloud.demo_device import DEVICE_ID
from tools.cloud.entities import Plan
from tools.cloud.model import Model
from tools.kinds import span
from tools.sim.configurations import Setting, drawn, full
from tools.sim.device_imports import kept_code
from tools.sim.fault_injection import KINDS
from tools.sim.loop import VirtualLoop
from tools.sim.observer import Observer, invariants_of
from tools.sim.sim_device import SimDevice

ONLINE_S = 1500.0
"""From the last fault to a device that is online: the longest wait after a refusal is 900 s, after a failure 300 s."""
EMPTY_S = 1500.0
"""From then on until the cloud has every event that waited then, no more newer ones wait than a request takes, and
every desired state that was received is acknowledged: at the end of its window where a limit keeps it from happening.
After a storm of 429 requests are 80 s apart for ten minutes, then 40 s; every second one is a poll, and of 48 events a
plan may take no more than five at once."""
RECEIVED_S = 600.0
"""From a desired value to its report: a poll after a storm of 429, the limits of the outputs, a report on its way."""
SESSION_S = 5000.0
"""The same over MQTT for a command that was taken out of the catalog: it is received with the next session, an hour."""
SEEN_S = 200.0
"""In this time every desired value is polled, so that the next one is a new one."""
TICK_S = 4.9
PACE = ((control_loop, "_TICK_MS", 4900), (sampling_loop, "_REST_MS", 25000), (network_loop, "_STEP_MS", 15000),
        (cloud_loop, "_IDLE_MS", 10000), (supervisor, "_CHECK_MS", 15000))  # fmt: skip
COVER_TICK_MS = 500
"""In place of the first of these, where there is a cover: it stops by time."""
MORE_SILENT = 5
"""How many times longer each loop may be silent, for that."""
LOOK_S = 25.0
PHYSICS_S = 4.0
RIGHTS = ("catalog", "sensors")
"""Faults that change what a broker lets a device do, which hears of it later."""
END_WITH_POWER = ("dns_loss", "delay", "loss", "half_open", "no_clock", "clock_jump", "lying_clock", "zombie",
                  "no_room", "bug", "no_memory")  # fmt: skip
TRANSPORTS = ("https", "mqtt", "auto")


class Violated(Exception):
    """An invariant was violated."""


class Run:
    """One seed. `kinds`: how often each fault began."""

    def __init__(self, seed: int, folder: Path, loop: VirtualLoop, draw: bool) -> None:
        self.chance = random.Random(seed)
        self.setting = self._setting(seed, draw)
        self.transport, device = self.setting.transport, self.setting.device
        model = Model(seed=seed, plan=self.setting.plan)
        model.served = self.setting.served
        model.add_device(device)
        self.loop, self.kinds = loop, Counter[str]()
        self.device = SimDevice(loop, folder, self.setting.config, model, seed, mqtt=True)
        self.outputs = {o["pin_port"]: o for o in self.device.config["outputs"]}
        self._lay_sensors()
        self.device.physics_s = PHYSICS_S
        self.invariants = invariants_of(self.device, TICK_S, loop.time)
        self.observer = Observer(self.device, self.invariants, folder)
        self.active: dict[str, Any] = {}
        self.worst: dict[str, float] = {}
        self.rights = False
        for command in device.commands:
            self.invariants.desired_states.desire(command.pin_port, float(command.value))

    def _setting(self, seed: int, draw: bool) -> Setting:
        if draw:
            return drawn(self.chance)
        found = full(TRANSPORTS[seed % 3], seed % 4 == 0)
        found.plan = Plan(session_s=self.chance.choice((900, 3600)))
        return found

    def _lay_sensors(self) -> None:
        """Put the relays and sensors of the setting where its configuration has them."""
        plant = self.device.plant
        plant.aliases |= self.setting.aliases
        heater = next((o for o in self.outputs.values() if "sensor" in o), None)
        if heater:
            wired = {"gpio": heater["gpio"], "active": int(heater["active"] == "high")}
            plant.wiring = {**plant.wiring, "heater": wired}

    async def live(self, hours: float) -> None:
        self.power_on()
        try:
            while self.loop.time() < hours * 3600:
                await self.trouble(self.chance.uniform(1800, 7200))
                await self.quiet()
        except Violated:
            pass
        finally:
            self.observer.cut()
            await self.device.power_off()

    # a time of faults

    async def trouble(self, seconds: float) -> None:
        end = self.loop.time() + seconds
        fault = self.loop.time()
        desired_at = fault
        while self.loop.time() < end:
            now = self.loop.time()
            for name in [n for n, (until, _) in self.active.items() if now >= until]:
                self.stop(name)
            if now >= fault:
                fault = now + self.chance.expovariate(1 / 400)
                await self.start()
            if now >= desired_at:
                desired_at = now + self.chance.expovariate(1 / 300)
                self.desire()
            await self.step()
        for name in list(self.active):
            self.stop(name)

    async def start(self) -> None:
        name = self.chance.choice((*KINDS, "power_cut"))
        if name in self.active:
            return
        self.kinds[name] += 1
        self.invariants.record(f"fault {name}")
        if name in RIGHTS:
            self.invariants.catalog_until = float("inf")
            self.rights = True
        if name == "power_cut":
            await self.power_cycle(self.chance.uniform(0.1, 120))
        else:
            lasts_s = self.chance.expovariate(1 / 300) * (10 if self.chance.random() < 0.1 else 1)
            self.active[name] = (self.loop.time() + lasts_s, KINDS[name](self.device, self.chance))

    def stop(self, name: str) -> None:
        self.invariants.record(f"fault {name} ends")
        self.active.pop(name)[1]()
        if name in RIGHTS:
            self.invariants.catalog_until = self.loop.time() + SESSION_S

    def desire(self) -> None:
        port = self.chance.choice(tuple(self.outputs))
        cfg = self.outputs[port]
        self.want(port, _step(cfg, self.chance.randint(0, _steps(cfg))))

    def want(self, port: str, value: float) -> None:
        try:
            self.device.want(port, value)
        except KeyError:
            return  # not in the catalog just now
        self.invariants.record(f"desired {port} = {value}")

    async def step(self) -> None:
        """A few seconds pass. The chip's own part: a reset that was asked for."""
        await asyncio.sleep(self.chance.uniform(1, LOOK_S))
        board = self.device.board
        if board.fed and self.device.wall() - board.fed[-1] > self.device.config["watchdog_s"]:
            self.invariants.violated("a loop hangs, and the watchdog timed out")
        if board.resets:
            self.invariants.record("reset")
            self.kinds["(reset)"] += 1
            board.resets = 0
            await self.power_cycle(0.5)
        del board.fed[:-1]
        self.observer.check()
        if self.invariants.violations:
            raise Violated

    def power_on(self) -> None:
        self.device.power_on()
        self.device.board.fed.clear()
        supervisor = self.device.app.supervisor
        assert supervisor
        loops = supervisor.loops
        loops[:] = [(name, loop, MORE_SILENT * ms, timer) for name, loop, ms, timer in loops]
        self.observer.attach()

    async def power_cycle(self, seconds: float) -> None:
        """What was done to the device and its network ends with the power; faults of the plant go on."""
        for name in END_WITH_POWER:
            if name in self.active:
                self.stop(name)
        self.observer.cut()
        await self.device.power_off()
        await asyncio.sleep(seconds)
        self.power_on()

    # a quiet time

    async def quiet(self) -> None:
        """Until the device is as it should be. It may take ONLINE_S, then EMPTY_S; then RECEIVED_S for each desired
        value."""
        device = self.device
        self.invariants.record("quiet")
        await self.reaches("online", lambda: device.online, ONLINE_S)
        await self.all_reported()
        await self.pass_s(SEEN_S)
        for port, cfg in sorted(self.outputs.items(), key=lambda item: not item[1]["interlock"]):
            if cfg["mode"] == "pulse":
                continue  # what it reports in the end is off, whatever was desired
            before = await self.seen(port)
            value = 1 - before
            if span(cfg):
                steps = _steps(cfg)
                at = round((before - cfg.get("min", 0)) / cfg["step"])
                value = _step(cfg, (at + self.chance.randint(1, steps)) % (steps + 1))
            elif cfg["interlock"]:
                # The interlock lets only one be on; and after a press of the button only a changed value is a new one.
                value = 0.0
                if not before:
                    self.want(port, 1.0)
                    await self.pass_s(SEEN_S)
                    await self.seen(port)
            self.want(port, value)
            received_s = SESSION_S if self.may_miss() else RECEIVED_S
            await self.reaches(f"{port} at {value}", self.value_reported(port, value), received_s)
        self.rights = False
        await self.all_reported()
        self.observer.check_end()

    async def all_reported(self) -> None:
        events, desired_states = self.invariants.events, self.invariants.desired_states
        events.expect()
        await self.reaches(
            "rid of its events", lambda: not (events.behind() or desired_states.pending()), EMPTY_S
        )

    async def seen(self, port: str) -> float:
        """The desired value there. A device that may have no session gets the time to receive it: of two desired
        values it would see the second only, and if that is what it knows of, no new value at all."""
        desired = float(self.device.model.desired(DEVICE_ID, port))
        # Where a desired state has an identity, the next one is another one whatever the device knows.
        if self.may_miss() and not self.setting.served.bootstrap:
            await self.reaches(f"aware of {port} = {desired}", lambda: self.aware(port, desired), SESSION_S)
            await self.pass_s(SEEN_S)
        return desired

    def aware(self, port: str, value: float) -> bool:
        last = next(c.last for c in self.device.app.controller.commands if c.output.pin_port == port)
        return last is not None and number(last.value) == value

    def may_miss(self) -> bool:
        """Whether the broker may deliver no desired state before the next session."""
        return self.rights and self.transport != "https"

    def value_reported(self, port: str, value: float) -> Callable[[], bool]:
        """Whether that value is reported. A desired state may end before a device that has no route for it yet can
        receive it; then the owner asks for the same again."""
        again_s = self.setting.plan.desired_s
        asked = self.loop.time()

        def true() -> bool:
            nonlocal asked
            if self.reconciled(port, value):
                return True
            if self.may_miss() and self.setting.served.bootstrap and self.loop.time() - asked > again_s:
                asked = self.loop.time()
                self.want(port, value)
            return False

        return true

    def reconciled(self, port: str, value: float) -> bool:
        return float(self.device.model.reported(DEVICE_ID, port) or "nan") == value

    async def pass_s(self, seconds: float) -> None:
        end = self.loop.time() + seconds
        while self.loop.time() < end:
            await self.step()

    async def reaches(self, what: str, true: Any, most_s: float) -> None:
        start = self.loop.time()
        while not true():
            if self.loop.time() - start > most_s:
                self.invariants.violated(f"not {what} after {most_s:.0f} s without a fault")
            await self.step()
        kind = "reconciled" if " at " in what else "aware" if "aware" in what else what
        self.worst[kind] = max(self.worst.get(kind, 0.0), self.loop.time() - start)


def _steps(cfg: dict[str, Any]) -> int:
    """How many steps the range of an output has."""
    low, high, step = span(cfg) or (0, 1, 1)
    return round((high - low) / step)


def _step(cfg: dict[str, Any], number: int) -> float:
    low, _, step = span(cfg) or (0, 1, 1)
    return round(float(low + number * step), 3)


def simulate(job: tuple[int, float, bool]) -> dict[str, Any]:
    """Play one seed; what came of it. The last of `job`: whether the configuration is drawn too."""
    seed, hours, draw = job
    for module, name, value in PACE:
        setattr(module, name, value)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory(prefix="simulate-") as folder, kept_code():
        run = Run(seed, Path(folder), loop, draw)
        loop.set_exception_handler(
            lambda _, error: run.invariants.violated(f"{error['message']}: {error.get('exception')!r}")
        )
        if run.device.plant.loads:
            setattr(control_loop, "_TICK_MS", COVER_TICK_MS)  # noqa: B010 - as above
        try:
            loop.run_until_complete(run.live(hours))
        except Exception as error:  # noqa: BLE001 - a finding like any other
            run.invariants.violated(f"the simulation itself ended: {error!r}")
        finally:
            for task in (tasks := asyncio.all_tasks(loop)):
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            loop.close()
    gc.collect()
    invariants = run.invariants
    return {"seed": seed, "draw": draw, "transport": run.setting.name, "hours": loop.time() / 3600, "kinds": run.kinds,
            "worst": run.worst, "violations": invariants.violations, "timeline": invariants.timeline}  # fmt: skip


def _begin_worker(folder: str) -> None:
    """What it keeps is in `folder`, which its parent deletes: a worker is ended in the middle of its work.

    Only its parent ends it. One that waits for work holds the lock of the queue; if it ended by itself, the parent
    would wait for that lock for ever.
    """
    tempfile.tempdir = folder
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


class Figures:
    """What came of all seeds so far."""

    def __init__(self) -> None:
        self.days, self.failed, self.started = 0.0, list[int](), time.monotonic()
        self.kinds, self.transports = Counter[str](), Counter[str]()
        self.worst: dict[str, float] = {}

    def add(self, found: dict[str, Any], hours: float, tell: Callable[[str], None]) -> None:
        """Count one seed; tell the story of one that found something."""
        self.kinds += found["kinds"]
        self.days += found["hours"] / 24
        self.transports[found["transport"]] += 1
        for what, seconds in found["worst"].items():
            name = f"{what}, {found['transport']}"
            self.worst[name] = max(self.worst.get(name, 0.0), round(seconds))
        if found["violations"]:
            self.failed.append(found["seed"])
            more = "" if found["draw"] else " --full"
            tell("\n".join(found["timeline"][-120:] + found["violations"]))
            tell(f"again: realer simulate --seeds {found['seed']} --hours {hours:g}{more}\n")

    def all(self) -> dict[str, Any]:
        return {
            "seeds": self.transports.total(), "device_days": round(self.days, 1),
            "wall_s": round(time.monotonic() - self.started), "transports": self.transports,
            "faults": self.kinds.total(), "kinds": dict(sorted(self.kinds.items())),
            "worst_s": dict(sorted(self.worst.items())), "violating_seeds": sorted(self.failed),
        }  # fmt: skip


def _seeds(text: str) -> range:
    first, _, last = text.partition("..")
    if not (first.isdecimal() and (last or first).isdecimal() and int(first) <= int(last or first)):
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: A..B, or one number")
    return range(int(first), int(last or first) + 1)


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("simulate", __doc__.partition("\n\n")[0])
    parser.add_argument("--seeds", type=_seeds, default="1..4", help="A..B, or one number (default 1..4)")
    parser.add_argument(
        "--hours",
        type=common.number(0, of=float),
        default=24,
        help="virtual hours for each seed (default 24)",
    )
    parser.add_argument(
        "--jobs", type=common.number(1), default=None, help="processes (default: one for each processor)"
    )
    parser.add_argument("--full", action="store_true", help="one configuration that uses every limit")
    common.add_json(parser)
    args = parser.parse_args(argv)
    jobs = [(seed, args.hours, not args.full) for seed in args.seeds]
    figures = Figures()
    # In memory, where nobody names a place.
    in_memory = "/dev/shm" if Path("/dev/shm").is_dir() and "TMPDIR" not in os.environ else None
    with (
        tempfile.TemporaryDirectory(prefix="simulate-", dir=in_memory) as folder,
        multiprocessing.Pool(args.jobs, _begin_worker, (folder,)) as pool,
        common.LongRun(f"{len(jobs)} seeds", len(jobs), args.json) as run,
    ):
        try:
            for found in pool.imap_unordered(simulate, jobs):
                figures.add(found, args.hours, run.print)
                run.step()
            # To kill idle workers, as the end of `with` does, can hang: one may hold the lock of their queue.
            pool.close()
            pool.join()
        except KeyboardInterrupt:
            print("stopped; so far:", file=sys.stderr)
        run.result(figures.all())
    return 1 if figures.failed else 0
