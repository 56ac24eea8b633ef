"""A whole device on a MicroPython of any supported version, in virtual time: the units a board gets, from boot.py on.

It runs one device in node (`tests_host/node/device.mjs`) and answers its requests: the chip and the
surroundings of the virtual board, a network in memory, and behind it the simulated cloud. Its time stands still while
the device computes. What is modelled is what the device sees; memory is not.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from tests_host.support.node_net import Net
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.env import npm, wasm
from tools.sim.loop import VirtualLoop
from tools.sim.sim_broker import SimBroker
from tools.virtual_board.chip import HARD_RESET, PWRON_RESET, WDT_RESET, Chip
from tools.virtual_board.plant import Plant

ROOT = Path(__file__).resolve().parent.parent.parent
PROGRAM = ROOT / "tests_host" / "node" / "device.mjs"
SHIMS = ROOT / "tools" / "virtual_board" / "shims"
POWER_UP_UTC = 1795300000
WRAP_SOON_MS = 2**30 - 20_000
"""The device's count of milliseconds at power-on: it wraps in the middle of every story."""
_THREADS = {"stack": "=4096", "thread": "=0", "unthread": "="}
_REAL_LIMIT_S = 120


class NodeDevice:
    """`flash`: content by path; what the device writes is in there after each run. `authority`: DER of the certificate
    that the cloud's chains end at. `lines`: what it printed. `pins`: (gpio, level or None) in order, `resets`: their
    causes, both of all runs."""

    def __init__(
        self, version: str, flash: dict[str, bytes], model: Model, authority: bytes, networks: dict[str, str]
    ) -> None:
        self.version, self.flash, self.model = version, dict(flash), model
        self.lines: list[str] = []
        self.pins: list[tuple[int, int | None]] = []
        self.resets: list[int] = []
        self.loop = VirtualLoop()
        self.plant = Plant()
        self.chip = Chip(
            self.plant,
            lambda: self.loop.time() * 1000,
            lambda *pin: self.pins.append(pin),
            networks,
            "192.0.2.1",
        )
        self.faults = Faults()
        self.broker = SimBroker(model, self.faults, self.wall)
        self.net = Net(model, self.faults, self.wall, self.broker, hashlib.sha256(authority).hexdigest())
        self.loop.on_jump = lambda dt_s: self.plant.advance(dt_s * 1000)
        self._cause = PWRON_RESET

    def close(self) -> None:
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(self.loop.sleep(0))
        self.loop.close()

    def wall(self) -> float:
        """True unix seconds."""
        return POWER_UP_UTC + self.loop.time()

    def run(self, until: Callable[[], object], within_s: float) -> str:
        """Power on, and off as soon as `until()` is true; a reset in between starts it again, as on a board.

        Returns "done" then, else what happened instead: "late" after so many seconds of virtual time, or how its
        main.py ended ("over", "raised").
        """
        self._cause = PWRON_RESET
        due_s = self.loop.time() + within_s
        while True:
            self.chip.reset(self._cause)
            why = self._power(until, due_s)
            if why != "reset":
                self.chip.release()
                return why
            self.resets.append(self._cause)

    def _power(self, until: Callable[[], object], due_s: float) -> str:
        argv = [*npm.node(), str(PROGRAM), str(wasm.build(self.version)), str(SHIMS)]
        with subprocess.Popen(
            argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=ROOT
        ) as process:
            guard = threading.Timer(_REAL_LIMIT_S, process.kill)
            guard.start()
            try:
                return self.loop.run_until_complete(self._serve(process, until, due_s))
            finally:
                guard.cancel()
                process.kill()
                self.net.cut()

    async def _serve(
        self, process: subprocess.Popen[bytes], until: Callable[[], object], due_s: float
    ) -> str:
        begun_s = self.loop.time()
        flash = {name: base64.b64encode(content).decode() for name, content in self.flash.items()}
        _send(process, f"{json.dumps(flash)}\n{WRAP_SOON_MS}")
        assert process.stdout
        while raw := process.stdout.readline():
            line = raw.decode(errors="replace").rstrip("\n")
            if line.startswith('{"why"'):
                last = json.loads(line)
                self.flash = {name: base64.b64decode(text) for name, text in last["flash"].items()}
                return last["why"]
            at_ms, blank, words = line.partition(" ")
            if line.startswith("|") or not blank or not at_ms.replace(".", "", 1).isdigit():
                self.lines.append(line.removeprefix("|"))
                continue
            ahead_s = begun_s + (float(at_ms) - WRAP_SOON_MS) / 1000 - self.loop.time()
            await self.loop.sleep(max(ahead_s, 0))
            reply = await self._answer(words)
            word = self._over(until, due_s) or (reply is None and "reset")
            now_ms = WRAP_SOON_MS + (self.loop.time() - begun_s) * 1000
            _send(process, word or f"{now_ms:.3f} {reply}")
        raise RuntimeError("\n".join(["the interpreter died:", *self.lines[-40:]]))

    def _over(self, until: Callable[[], object], due_s: float) -> str:
        if until():
            return "done"
        if self.loop.time() >= due_s:
            return "late"
        bites_ms = self.chip.wdt_due_ms
        if bites_ms is not None and self.loop.time() * 1000 >= bites_ms:
            self._cause = WDT_RESET
            return "reset"
        return ""

    async def _answer(self, words: str) -> str | None:
        """None: the program asked for a reset."""
        op, *rest = words.split()
        if op == "wait":
            await self.net.wait(int(rest[0]) / 1000)
            return "="
        if op in self.net.verbs:
            return self.net.answer(op, rest)
        if op in _THREADS and not hasattr(self.chip, "memory"):
            return _THREADS[op]  # a chip that does not know what its stacks are taken of
        reply = self.chip.answer(words)
        if reply is None:
            self._cause = self.chip.ended or HARD_RESET
        return reply


def _send(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin
    with contextlib.suppress(BrokenPipeError):  # the end of its output tells
        process.stdin.write(f"{text}\n".encode())
        process.stdin.flush()
