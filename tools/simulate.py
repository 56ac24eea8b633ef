"""`python -m tools.simulate --seeds A..B --hours H`: whole devices with bad luck in virtual time, judged at every step.

Everything random comes from the seed: the transport, what the owner wishes, which of the faults of
`tools/sim/chaos.py` begin when and for how long. After every hour or so of faults comes a quiet time, in which the
device has to be online, reconciled and rid of its events within QUIET_S. Owns the schedule and the report; what must
hold is `tools/sim/judge.py`.

The loops of the firmware run at a calmer pace than on a chip (PACE), or a day would take a minute. Prints one JSON
line; exits 1 when something was violated, after the way to play it again and what happened before it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "lib"), str(ROOT / "tests_host" / "support" / "hostshim")]

from firmware.runtime import local, network, session, supervisor  # noqa: E402 - after the path to it
from tools.cloud.demo import CLIENT_ID, CLIENT_SECRET, DEVICE_ID  # noqa: E402
from tools.cloud.model import Model  # noqa: E402
from tools.cloud.nouns import Command, Device, Plan, Sensor  # noqa: E402
from tools.sim.chaos import KINDS  # noqa: E402
from tools.sim.device import SimDevice, demo_config  # noqa: E402
from tools.sim.judge import Judge  # noqa: E402
from tools.sim.loop import VirtualLoop  # noqa: E402

QUIET_S = 6000.0
"""Longest time from the end of the faults to a device that is online, reconciled and rid of its events: the longest
wait after a refusal (900 s, jitter included), one after a failure (300 s), the limits of the outputs, and over MQTT a
whole session (3600 s), for a command that comes back into the catalog is heard of with the next one."""
PACE = ((local, "_TICK_MS", 1900), (local, "_REST_MS", 25000), (network, "_STEP_MS", 5000),
        (session, "_IDLE_MS", 5000), (supervisor, "_CHECK_MS", 5000))  # fmt: skip
LOOK_S = 15.0
TICK_S = 1.9


def setting(transport: str) -> tuple[dict, Device]:
    """A configuration that uses every limit, and the device in the cloud that belongs to it."""
    config = demo_config(poll_s=60, probe_s=60, transport=transport)
    pump, heater = config["outputs"]
    pump |= {"min_on_s": 20, "min_off_s": 30, "max_on_s": 1200}
    up = {"pin_port": "7", "name": "up", "gpio": 18, "interlock": "shutter", "min_off_s": 5}
    down = {"pin_port": "8", "name": "down", "gpio": 19, "interlock": "shutter", "min_off_s": 5}
    lock = {"pin_port": "10", "name": "lock", "gpio": 21, "safe": "hold"}
    config["outputs"] = [pump, heater, up, down, lock]
    config["buttons"] = []
    for sensor in config["sensors"]:
        sensor |= {"period_s": 60, "samples": 1, "keep": sensor["kind"] == "thermistor"}
    commands = [Command(1, "6"), Command(2, "9", value="18.5", limits=(5, 35, 0.5))]
    commands += [Command(3, "7"), Command(4, "8"), Command(5, "10")]
    sensors = [Sensor(1, "14"), Sensor(2, "15", kind="ldr_sensor", qc="illuminance", mu="lux:0")]
    return config, Device(DEVICE_ID, CLIENT_ID, CLIENT_SECRET, commands=commands, sensors=sensors)


class Run:
    """One seed. `kinds`: how often each fault began."""

    def __init__(self, seed: int, folder: Path, loop: VirtualLoop) -> None:
        self.chance = random.Random(seed)
        self.transport = self.chance.choice(("https", "mqtt", "auto"))
        config, device = setting(self.transport)
        model = Model(seed=seed, plan=Plan(session_s=self.chance.choice((900, 3600))))
        model.add_device(device)
        self.loop, self.kinds = loop, Counter[str]()
        self.device = SimDevice(loop, folder, config, model, seed, mqtt=True)
        self.judge = Judge(self.device, TICK_S, loop.time)
        self.active: dict[str, Any] = {}
        for command in device.commands:
            self.judge.wished[command.pin_port] = {float(command.value)}

    async def live(self, hours: float) -> None:
        self.power_on()
        try:
            while self.loop.time() < hours * 3600 and not self.judge.violations:
                await self.trouble(self.chance.uniform(1800, 7200))
                await self.quiet()
        finally:
            self.judge.cut()
            await self.device.power_off()

    # a time of faults

    async def trouble(self, seconds: float) -> None:
        end = self.loop.time() + seconds
        fault = self.loop.time()
        wish = fault
        while self.loop.time() < end and not self.judge.violations:
            now = self.loop.time()
            for name in [n for n, (until, _) in self.active.items() if now >= until]:
                self.stop(name)
            if now >= fault:
                fault = now + self.chance.expovariate(1 / 400)
                await self.start()
            if now >= wish:
                wish = now + self.chance.expovariate(1 / 300)
                self.wish()
            await self.step()
        for name in list(self.active):
            self.stop(name)

    async def start(self) -> None:
        name = self.chance.choice((*KINDS, "power_cut"))
        if name in self.active:
            return
        self.kinds[name] += 1
        self.judge.tell(f"fault {name}")
        if name == "catalog":
            self.judge.catalog_until = float("inf")
        if name == "power_cut":
            await self.power_cycle(self.chance.uniform(0.1, 120))
        else:
            self.active[name] = (
                self.loop.time() + self.chance.expovariate(1 / 300),
                KINDS[name](self.device, self.chance),
            )

    def stop(self, name: str) -> None:
        self.judge.tell(f"fault {name} ends")
        self.active.pop(name)[1]()
        if name == "catalog":
            self.judge.catalog_until = self.loop.time() + QUIET_S

    def wish(self) -> None:
        port = self.chance.choice(("6", "7", "8", "9", "10"))
        value = self.chance.randrange(10, 71) / 2 if port == "9" else float(self.chance.randint(0, 1))
        self.want(port, value)

    def want(self, port: str, value: float) -> None:
        try:
            self.device.want(port, value)
        except KeyError:
            return  # not in the catalog just now
        self.judge.tell(f"wish {port} = {value}")
        self.judge.wished[port].add(value)

    async def step(self) -> None:
        """A few seconds pass. The chip's own part: a reset that was asked for, and a watchdog that starved."""
        await asyncio.sleep(self.chance.uniform(1, LOOK_S))
        board = self.device.board
        starved = board.fed and self.device.wall() - board.fed[-1] > self.device.config["watchdog_s"]
        if board.resets or starved:
            self.judge.tell("watchdog" if starved else "reset")
            self.kinds["(watchdog)" if starved else "(reset)"] += 1
            board.resets = 0
            await self.power_cycle(0.5)
        del board.fed[:-1]
        self.judge.look()

    def power_on(self) -> None:
        self.device.power_on()
        self.device.board.fed.clear()
        self.judge.adopt()

    async def power_cycle(self, seconds: float) -> None:
        """What was done to the device and its network ends with the power; what is wrong in the world goes on."""
        for name in ("dns_loss", "delay", "half_open", "no_clock", "clock_jump", "bug", "no_memory"):
            if name in self.active:
                self.stop(name)
        self.judge.cut()
        await self.device.power_off()
        await asyncio.sleep(seconds)
        self.power_on()

    # a quiet time

    async def quiet(self) -> None:
        """Until the device is as it should be, and a little longer."""
        judge, device = self.judge, self.device
        judge.tell("quiet")
        start = self.loop.time()
        await self.reaches("online", lambda: device.online, start)
        await self.reaches("rid of its events", lambda: not len(device.app.controller.outbox), start)
        for port in ("7", "8", "6", "9", "10"):
            before = float(device.model.desired(DEVICE_ID, port))
            value = 1 - before
            if port == "9":
                value = 5 + (before - 5 + self.chance.randint(1, 59) / 2) % 30.5
            elif port in ("7", "8"):
                # The interlock lets only one be on; and to a hand only a wish that changes is a new one.
                value = 0.0
                if not before:
                    self.want(port, 1.0)
                    await asyncio.sleep(150)
            self.want(port, value)
            await self.reaches(f"{port} at {value}", lambda p=port, v=value: self.reconciled(p, v), start)
        await self.reaches("rid of its events", lambda: not len(device.app.controller.outbox), start)
        judge.settle()

    def reconciled(self, port: str, value: float) -> bool:
        return float(self.device.model.reported(DEVICE_ID, port) or "nan") == value

    async def reaches(self, what: str, true: Any, start: float) -> None:
        while not true() and not self.judge.violations:
            if self.loop.time() - start > QUIET_S:
                self.judge.wrong(f"not {what} {QUIET_S:.0f} s after the last fault")
            await self.step()


def simulate(job: tuple[int, float]) -> dict[str, Any]:
    """Play one seed; what came of it."""
    seed, hours = job
    for module, name, value in PACE:
        setattr(module, name, value)
    loop = VirtualLoop()
    asyncio.set_event_loop(loop)
    with tempfile.TemporaryDirectory(prefix="simulate-") as folder:
        run = Run(seed, Path(folder), loop)
        try:
            loop.run_until_complete(run.live(hours))
        except Exception as error:  # noqa: BLE001 - a finding like any other
            run.judge.wrong(f"the simulation itself ended: {error!r}")
        finally:
            for task in (tasks := asyncio.all_tasks(loop)):
                task.cancel()
            loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            run.device.model.close()
            loop.close()
    gc.collect()
    judge = run.judge
    return {"seed": seed, "transport": run.transport, "hours": loop.time() / 3600, "kinds": run.kinds,
            "violations": judge.violations, "timeline": judge.timeline}  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.simulate", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1..4", help="A..B, or one number (default 1..4)")
    parser.add_argument("--hours", type=float, default=24, help="virtual hours for each seed (default 24)")
    parser.add_argument("--jobs", type=int, default=None, help="processes (default: one for each processor)")
    args = parser.parse_args(argv)
    first, _, last = args.seeds.partition("..")
    seeds = range(int(first), int(last or first) + 1)
    started, failed = time.monotonic(), []
    kinds, days, by_transport = Counter[str](), 0.0, Counter[str]()
    with multiprocessing.Pool(args.jobs) as pool:
        for found in pool.imap_unordered(simulate, [(seed, args.hours) for seed in seeds]):
            kinds += found["kinds"]
            days += found["hours"] / 24
            by_transport[found["transport"]] += 1
            if found["violations"]:
                failed.append(found["seed"])
                print("\n".join(found["timeline"][-120:]))
                print("\n".join(found["violations"]))
                print(
                    f"again: python -m tools.simulate --seeds {found['seed']} --hours {args.hours:g}\n",
                    flush=True,
                )
    print(json.dumps({
        "seeds": len(seeds), "device_days": round(days, 1), "wall_s": round(time.monotonic() - started),
        "transports": by_transport, "faults": sum(kinds.values()), "kinds": dict(sorted(kinds.items())),
        "violating_seeds": sorted(failed),
    }))  # fmt: skip
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
