"""Measures each promised figure: one method each, which gives one line or several.

Real boards run beside a probe of the virtual board. Only the handshakes of an hour are counted in virtual time. `bench`
is the command.
"""

from __future__ import annotations

import asyncio
import json
import random
import socket
import statistics
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tools.build import sizes
from tools.checks import cycles
from tools.checks.cycles import probes
from tools.cloud.model import Model
from tools.env import interpreter
from tools.fixture.system import NotInTimeError, SystemFixture
from tools.repository import ROOT
from tools.sim.loop import VirtualLoop
from tools.sim.sim_device import SimDevice, demo_config
from tools.virtual_board.plant import Plant
from tools.virtual_board.virtual import VirtualBoard

PROBES = ROOT / "tools/virtual_board/probes"
HEAP, STALL = PROBES / "heap_probe.py", PROBES / "stall.py"
_IDLE = """
import asyncio

async def rest():
    while True:
        await asyncio.sleep(60)

asyncio.run(rest())
"""
_STALL_MS = 20
_RESTS = 7
_POLL_MS = 2000
_SLACK_MS = 250

Line = dict[str, Any]


class Figures:
    """`quick`: the same figures from fewer samples. `settings`: arguments of SystemFixture for every board."""

    def __init__(self, quick: bool, found: interpreter.Interpreter, **settings: Any) -> None:
        self._quick = quick
        self._seconds = 10 if quick else 60
        self._cycles_wanted = 2000 if quick else 10000
        self._trials = 5 if quick else 20
        self._found = found
        self._settings = settings

    def fixture(self, probe: Path | None = None, **more: Any) -> SystemFixture:
        tree = self._settings.get("tree", ROOT)
        files = {"device_main.py": (tree / "main.py").read_bytes()}
        if probe:
            files["main.py"] = probe.read_bytes()
        return SystemFixture(self._found, **(self._settings | more), files=files)

    # Loop stall

    async def stall_refused(self) -> Line:
        """The host says no to every connection."""
        async with self.fixture(STALL) as fixture:
            await fixture.online()
            await fixture.site.server.down()
            return await self._stall("cloud unreachable", fixture)

    async def stall_dns(self) -> Line:
        """No name server answers, ever; the time server is given by address."""

        def by_address(config: dict[str, Any]) -> None:
            port = config["time"]["servers"][0].partition(":")[2]
            config["time"]["servers"] = [f"127.0.0.1:{port}"]

        async with self.fixture(STALL, edit=by_address, powered=False) as fixture:
            fixture.site.dns.mode = "silent"
            await fixture.board.power_on()
            return await self._stall("DNS dead", fixture)

    async def stall_unroutable(self) -> Line:
        """Packets to the host vanish: a listener whose queue is full, which Linux treats so."""
        async with black_hole() as port:

            def into_it(config: dict[str, Any]) -> None:
                config["cloud"]["base_url"] = f"https://api.realer.test:{port}"

            async with self.fixture(STALL, edit=into_it) as fixture:
                return await self._stall("host unroutable", fixture)

    async def _stall(self, how: str, fixture: SystemFixture) -> Line:
        await fixture.until("the clock is set", lambda: fixture.site.ntp.queries, 20)
        async with self._idle_board() as idle:
            await asyncio.sleep(3)
            start, requests = len(probes(fixture.lines)), fixture.site.server.requests
            idle.clear()
            await asyncio.sleep(self._seconds)
        delays = [us / 1000 for us in probes(fixture.lines)[start:]]
        if fixture.site.server.requests > requests or len(delays) < self._seconds * 0.9:
            raise NotInTimeError("requests were made, or the device did not run on")
        return line(
            f"loop stall, {how} (ms)", round(max(delays), 1), _STALL_MS,
            median_of_seconds=round(statistics.median(delays), 1), seconds=self._seconds,
            # What a board with nothing to do met in the same minute: that much is this machine's doing.
            idle_board=round(max(probes(idle)) / 1000, 1),
        )  # fmt: skip

    @asynccontextmanager
    async def _idle_board(self) -> AsyncIterator[list[str]]:
        """The lines of a board on which nothing but the probe runs."""
        lines: list[str] = []
        with tempfile.TemporaryDirectory(prefix="board-flash-") as folder:
            flash = Path(folder)
            (flash / "main.py").write_bytes(STALL.read_bytes())
            (flash / "device_main.py").write_text(_IDLE)
            async with VirtualBoard(flash, Plant(), self._found, on_line=lines.append):
                yield lines

    # Handshakes

    async def handshakes(self) -> Line:
        """An hour of polling at 5 s in virtual time: whole firmware, simulated network."""
        return await asyncio.to_thread(played, demo_config(poll_s=5), _handshakes)

    # Heap

    async def cycles_https(self) -> list[Line]:
        """Thousands of polls with every fault on the way, between two rests."""
        return await self._cycles("https", "polls")

    async def _cycles(self, transport: str, what: str, **more: Any) -> list[Line]:
        faults, chance = cycles.FAULTS[transport], random.Random(1)
        async with self.fixture(HEAP, transport=transport, edit=cycles.calm, **more) as fixture:
            await fixture.online()
            # What has its final size only after the first time is warm now: a table, a buffer, a record of each kind.
            await cycles.wear(fixture, 20 * len(faults), faults, 10, chance)
            before, start = await cycles.at_rest(fixture, _RESTS), cycles.count(fixture)
            met = await cycles.wear(fixture, self._cycles_wanted, faults, 100, chance)
            after = await cycles.at_rest(fixture, _RESTS)
            about: dict[str, Any] = {what: cycles.count(fixture) - start, "faults": met}
            about |= {
                "bits": self._found.bits,
                "before": before.used,
                "after": after.used,
                "boots": fixture.board.boots,
            }
            about |= {"largest_free_before": before.largest, "largest_free_after": after.largest}
        figure = f"heap growth over {what} with faults over {transport} (bytes)"
        return [line(figure, after.used - before.used, cycles.NOISE_BYTES, **about)]

    # Size and latency

    async def mpy(self) -> Line:
        tree = self._settings.get("tree", ROOT)
        row = "realer-https"
        return line(".mpy total (bytes)", sizes.totals(tree)[row], sizes.MPY_BYTES[row])

    async def latency(self) -> Line:
        """From the desired value in the cloud to the level on the pin, asked for at random moments."""
        chance, took = random.Random(1), []
        async with self.fixture() as fixture:
            await fixture.online()
            for trial in range(self._trials):
                await asyncio.sleep(chance.uniform(0, _POLL_MS / 1000))
                took.append(await _switch(fixture, trial % 2 == 0))
        return line(
            "desired value to relay (ms)", round(max(took)), _POLL_MS + _SLACK_MS, poll_ms=_POLL_MS,
            median=round(statistics.median(took)), min=round(min(took)), trials=len(took),
        )  # fmt: skip


async def _switch(fixture: SystemFixture, on: bool) -> float:
    """Switch the pump, and wait until that is reported; the milliseconds until the relay did it."""
    at = fixture.want("6", int(on))
    await fixture.until("the relay switches", lambda: fixture.on("pump") == on, 10)
    took = ((fixture.switched("pump", on, at) or at) - at) * 1000
    await fixture.until("its report", lambda: fixture.reported("6") == f"{float(on)}", 10)
    return took


def run_probe(found: interpreter.Interpreter, name: str, orders: dict[str, Any]) -> tuple[int, str]:
    """Run a program of PROBES with its orders: exit status, and what it printed, with errors where it failed."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "orders.json"
        file.write_text(json.dumps(orders))
        argv = [*found.argv, str(PROBES / f"{name}.py"), str(file)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def line(figure: str, value: float, must: float, at_least: bool = False, **more: Any) -> Line:
    """`must` is the most that is good, or the least."""
    good = value >= must if at_least else value <= must
    return {"figure": figure, "value": value, "must": must, "ok": good, **more}


async def _handshakes(device: SimDevice) -> Line:
    start = device.net.dials - 1  # the first one belongs to this hour
    await asyncio.sleep(3600)
    polls = sum(event.get("resource") == "commands" for event in device.model.named("catalog_read"))
    what = "TLS handshakes in an hour of polling at 5 s"
    return line(what, device.net.dials - start, 3, polls=polls, time="virtual")


def played(config: dict[str, Any], story: Callable[[SimDevice], Any], model: Model | None = None) -> Any:
    """The result of a story of a device that is online in virtual time."""
    loop = VirtualLoop()
    with tempfile.TemporaryDirectory() as folder:
        mqtt = config["cloud"]["transport"] == "mqtt"
        device = SimDevice(loop, Path(folder), config, model, mqtt=mqtt)
        device.power_on()
        loop.run_until_complete(device.until(lambda: device.online, 60))
        found = loop.run_until_complete(story(device))
        loop.run_until_complete(device.power_off())
    loop.close()
    return found


@asynccontextmanager
async def black_hole() -> AsyncIterator[int]:
    """A port on 127.0.0.1 where connecting neither succeeds nor fails."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=0)
    fillers = [socket.socket() for _ in range(8)]
    try:
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
        await asyncio.sleep(0.1)
        yield listener.getsockname()[1]
    finally:
        for each in (*fillers, listener):
            each.close()
