"""A whole device with its surroundings in virtual time: the real firmware, a plant, a cloud model, a network.

It composes the parts and has the verbs of a scenario: power, waiting for a condition, looking at values.
"""

from __future__ import annotations

import asyncio
import copy
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware.app import build
from firmware.core.config import validate
from firmware.device import Device
from firmware.portal import PortalLoop
from firmware.portal_site import CONFIG
from firmware.runtime import control_loop
from firmware.runtime.clock import Clock
from firmware.runtime.log import Log
from firmware.runtime.store import Store
from tools import boards
from tools.cloud.demo_device import (
    CLIENT_ID,
    CLIENT_SECRET,
    DEVICE_ID,
    THINGER_CREDENTIAL,
    THINGER_DEVICE,
    THINGER_HOST,
    THINGER_USER,
    demo_account,
    demo_device,
)  # fmt: skip
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.thinger_model import Thinger
from tools.repository import ROOT
from tools.sim.loop import VirtualLoop
from tools.sim.recorder import Recorder
from tools.sim.sim_board import SimAccessPoint, SimBoard, SimLan, SimRadio
from tools.sim.sim_broker import SimBroker
from tools.sim.sim_net import SimNet
from tools.virtual_board.plant import DEMO_WIRING, Plant, wires_of

POWER_UP_UTC = 1795300000  # some days after the build date
WIFI_PASSWORD = "test-password-not-real"
WRAP_SOON_MS = 2**30 - 20_000  # the millisecond counter wraps in the middle of every story


def demo_config(**cloud: Any) -> dict[str, Any]:
    """The example configuration with test credentials in place of its placeholders; `cloud` overrides that section."""
    raw = json.loads((ROOT / "config.example.json").read_text())
    raw["wifi"]["networks"] = [{"ssid": "bench", "password": WIFI_PASSWORD}]
    raw["outputs"][1]["min_off_s"] = 5  # stories are about other things than this rest
    raw["cloud"] |= {"base_url": "https://api.realer.test", "device_id": str(DEVICE_ID), "poll_s": 10}
    raw["cloud"] |= {"transport": "https", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET} | cloud
    return raw


def thinger_config(**cloud: Any) -> dict[str, Any]:
    """The same device at the simulated Thinger.io."""
    raw = demo_config()
    keys = {"user": THINGER_USER, "device_id": THINGER_DEVICE, "credential": THINGER_CREDENTIAL}
    raw["cloud"] = {"api": "thinger", "host": THINGER_HOST, "ca_files": ["certs/ca.der"]} | keys | cloud
    return raw


class SimClock(Clock):
    """Up to CPython 3.11 `wait_for` swallows a cancellation that comes together with the result, and a loop that was to
    end goes on for ever. MicroPython's does not."""

    def within(self, ms: int, awaitable: Any) -> Any:
        return self._within(ms, awaitable) if ms > 0 else super().within(ms, awaitable)

    async def _within(self, ms: int, awaitable: Any) -> Any:
        async with asyncio.timeout(ms / 1000):
            return await awaitable


class SimDevice:
    """`config`: raw, as in the file; `folder`: where its flash records lie. One device to a loop, except with `alone`
    False: then it is one of many at a cloud that a fleet has set up, without a history, and time passes for its plant
    when that is measured.

    `history`: what it did, see Recorder. `mqtt`: the cloud has a broker too, `.broker`; it stays when the device is
    switched off. `most_tls`: see SimNet. `on_line(line)`: called before a line of its log is stored in `lines`; an
    exception that it raises reaches the firmware.
    """

    physics_s = 0.5

    def __init__(
        self,
        loop: VirtualLoop,
        folder: Path,
        config: dict[str, Any] | None = None,
        model: Model | None = None,
        seed: int = 0,
        mqtt: bool = False,
        most_tls: int = 2,
        alone: bool = True,
    ) -> None:
        self._loop = loop
        self.most_tls = most_tls
        self._rng = random.Random(seed)
        self.reads(config or demo_config())
        # The rooms are those of the demo; what moves is where the configuration has it.
        wired = [wires_of(output, output["name"]) for output in self.config["outputs"]]
        moving = {role: wire for wires in wired if len(wires) > 1 for role, wire in wires.items()}
        self.plant = Plant(seed, DEMO_WIRING | moving)
        self.radio = SimRadio(self._loop.time)
        self.radio.air["bench"] = WIFI_PASSWORD
        self.lan = SimLan(self._loop.time)
        self.board = SimBoard(self.plant, self.wall, self.bits)
        self.model = model or Model(seed=seed)
        if alone and not self.model.devices:
            self.model.add_device(demo_device())
        self.faults = Faults()
        self.broker = SimBroker(self.model, self.faults, self.wall) if mqtt else None
        self.thinger = Thinger(self.wall, seed) if self.config["cloud"]["api"] == "thinger" else None
        if self.thinger:
            demo_account(self.thinger)
        self.lines: list[str] = []
        self.on_line: Callable[[str], object] = lambda line: None
        self.boots = 0
        self.app: Device = None  # type: ignore[assignment]
        self.net: SimNet = None  # type: ignore[assignment]
        self._folder = folder
        self._task: asyncio.Task[None] | None = None
        self._owed_s = 0.0
        if alone:
            self.history = Recorder(self.plant, self.model, loop.time, lambda: self.config["outputs"])
            loop.on_jump = self._advance
        self._alone = alone

    def reads(self, config: dict[str, Any]) -> None:
        """What the device finds in its file at the next start."""
        self.raw = config
        self.config, problems = validate(config, boards.of(config).profile)
        assert not [p for p in problems if p[0] == "error"], problems

    def wall(self) -> float:
        return POWER_UP_UTC + self._loop.time()

    def bits(self) -> int:
        return self._rng.getrandbits(32)

    def _advance(self, dt_s: float) -> None:
        """Physics in steps of `physics_s`, finer only for loads and while a finger is on a button."""
        self.plant.move(dt_s * 1000)
        self._owed_s += dt_s
        if self._owed_s >= self.physics_s or self.plant.held:
            self.plant.pass_time(self._owed_s * 1000)
            self._owed_s = 0.0

    def power_on(self) -> None:
        self.boots += 1
        clock = SimClock(
            lambda: WRAP_SOON_MS + int(self._loop.time() * 1000 + 1e-6),
            lambda ms: self._loop.sleep(ms / 1000),
        )
        log = Log(clock, self._printed, lambda line: None)
        log.level = "debug"
        cloud = self.config["cloud"]
        log.hidden = [cloud["credential" if self.thinger else "client_secret"]]
        interface = self.lan if self.config["lan"] else self.radio
        self.net = SimNet(
            self.model,
            self.faults,
            clock,
            self.bits,
            ["ntp.realer.test", "ntp2.realer.test"],
            POWER_UP_UTC - 86400,
            self.wall,
            interface.carries,
        )
        self.net.broker, self.net.thinger = self.broker, self.thinger
        store = Store(f"{self._folder}/")
        # The start keeps of it only what is needed afterwards.
        config = copy.deepcopy(self.config)
        tell = log.log
        if self._alone:
            self.history.start()
            tell = self.history.counting(tell)
        self.app = build(config, self.board, interface, clock, self.bits, tell, store, self.net, self.boots)
        if self._alone:
            self.history.attach(self.app)
        log.hidden += self.app.link.masked()
        self.net.most_tls = self.most_tls
        self._portal(log, store)
        assert self.app.supervisor
        self._task = self._loop.create_task(self.app.supervisor.run())

    def _printed(self, line: str) -> None:
        self.on_line(line)
        self.lines.append(line)

    def _portal(self, log: Log, store: Store) -> None:
        """As app.start does it, but for the radio."""
        self.points: list[SimAccessPoint] = []

        def access_point(name: str) -> SimAccessPoint:
            self.points.append(SimAccessPoint(name))
            return self.points[-1]

        if self.config["portal"]:
            portal = PortalLoop(
                self.app, self.config["portal"], log, self.board, store, access_point, lambda: None
            )
            assert self.app.supervisor
            self.app.supervisor.add("portal", portal, 60000)
            if CONFIG not in [path.name for path in self._folder.iterdir()]:
                store.save(CONFIG, self.raw)

    async def power_off(self) -> None:
        """As if the plug were pulled: nothing is said to anybody, and the relays fall."""
        self.net.stuck = False
        if self._task:
            while not self._task.done():  # a cancellation that arrives during another one is lost
                self._task.cancel()
                await asyncio.wait({self._task}, timeout=1)
        self.net.cut()
        self.radio.reset()
        self.lan.reset()
        self.board.rtc_offset_s = None
        for output in self.config["outputs"]:
            for part in (output, output.get("close")):
                if part:
                    self.plant.drive(part["gpio"], output["active"] != "high")

    def press(self, ms: int = 100) -> None:
        """Press the button for `ms` milliseconds."""
        assert control_loop._SCAN_MS < 50, "contacts are sampled too rarely: mark the test with `button`"
        self.plant.pass_time(self._owed_s * 1000)
        self._owed_s = 0.0
        self.plant.press(self.config["buttons"][0]["gpio"], ms)

    async def until(self, what: Callable[[], Any], within_s: float) -> float:
        """Wait until `what()` is true; the seconds that took. AssertionError when it does not happen in time."""
        start = self._loop.time()
        while not what():
            assert self._loop.time() - start < within_s, "\n".join(["not in time:", *self.lines[-30:]])
            await asyncio.sleep(0.05)
        return self._loop.time() - start

    def feed(self, source: str | None = None) -> list[dict[str, Any]]:
        """What the cloud stored, in order of arrival; `source`: "command" or "sensor"."""
        return [f for f in self.model.feed(DEVICE_ID) if source is None or f"{source}_id" in f]

    def want(self, port: str, value: float | str, raw: bool = False) -> None:
        self.model.set_desired(DEVICE_ID, port, value, self.wall(), raw)

    def on(self, role: str) -> bool:
        return self.plant.is_on(role)

    @property
    def online(self) -> bool:
        return self.app.state() == "online"
