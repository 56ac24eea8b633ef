"""The whole scene on one machine: the simulated cloud, a world, and a virtual board that runs this firmware.

Owns what demo, smoke test, benchmarks and end-to-end tests have in common: the demo's configuration, the composition,
the record of what happened, and the few verbs of a story. Refuses to print, and to judge what it sees.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from tools.board import memory, rom
from tools.board.install import Form, install
from tools.board.virtual import VirtualBoard
from tools.board.world import World, wiring_from
from tools.cloud.client import CONNECTION_FILE
from tools.cloud.demo import CA_FILE, DEVICE_ID, SSID, WIFI_PASSWORD, demo_config, demo_device
from tools.cloud.model import Plan, Served
from tools.cloud.nouns import Device
from tools.cloud.site import Site
from tools.interpreter import Interpreter
from tools.romplan import ROM_BYTES

__all__ = ["CONNECTION_FILE", "NotInTimeError", "Stage"]

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ("stock", "own")
"""A published image, with the code in the file system, and one with a ROM partition, which has it."""


class NotInTimeError(Exception):
    """What a story waited for did not happen; the text says what, and what the device said last."""


class ThirdAreaError(Exception):
    """The firmware needed more heap than the chip has for it; the text says how much."""


class Stage:
    """`async with Stage(interpreter) as stage:` everything runs, and the board is switched on.

    The 32-bit board, whose memory is a chip's, gets compiled code as a deploy sends it; the 64-bit one, whose heap is
    not judged, the sources. `image` "own": it has a ROM partition of `rom_bytes`, as those of `make image` do, and the
    code, Python files of `files` too, is in that. `chain`: the certificates that all servers present. `version`: the
    published image whose memory it has.
    `doubles` False: its heap has the first area only, and what needs more needs a third. `heap`: a Python heap of that
    size in place of a plain ESP32's.

    A board that needs a third area of heap ends the stage with ThirdAreaError, except where it is `starved`.

    `edit(config)` changes the demo's configuration before it is installed; `files` adds files to the flash, also in
    place of the device's own. `transport`: `cloud.transport` of the device; but for "https" the cloud has MQTT.
    `device`: what the cloud knows, by default the demo's; its id and keys are the demo's in any case.
    `powered` False leaves the board off; `blank` leaves its flash empty, for a deploy. `served`: the generations that
    the cloud answers to. `cloud`: arguments of Site.

    `lines`: what the device printed; `pins`: (gpio, level or None, `time.monotonic()`); both in order, over all boots.
    """

    def __init__(
        self,
        interpreter: Interpreter,
        *,
        heap: str | None = None,
        tree: Path = ROOT,
        transport: str = "https",
        edit: Callable[[dict[str, Any]], None] = lambda config: None,
        files: Mapping[str, bytes] | None = None,
        powered: bool = True,
        blank: bool = False,
        rom_bytes: int = ROM_BYTES,
        image: str = IMAGES[0],
        chain: str = memory.USUAL_CHAIN,
        version: str = memory.TIGHTEST,
        doubles: bool = True,
        starved: bool = False,
        served: Served | None = None,
        device: Device | None = None,
        time_scale: float = 60.0,
        room_c: float = 17.0,
        on_event: Callable[[tuple[Any, ...]], None] = lambda event: None,
        **cloud: Any,
    ) -> None:
        self.interpreter, self.device_id = interpreter, DEVICE_ID
        mqtt = transport != "https"
        if image not in IMAGES:
            raise ValueError(f"unknown image {image!r}; one of {', '.join(IMAGES)}")
        self.site = Site(**{"connection_file": None, "plan": Plan(), "mqtt": mqtt, "chain": chain} | cloud)
        self.model = self.site.model
        self.lines: list[str] = []
        self.pins: list[tuple[int, int | None, float]] = []
        self.config: dict[str, Any] = {}
        self.transport = transport
        self.image, self.chain, self.version = image, chain, version
        self.third_area = ""
        self._heap, self._doubles, self._starved = heap, doubles, starved
        self._tree, self._edit, self._files = tree, edit, dict(files or {})
        self._powered, self._blank, self._on_event = powered, blank, on_event
        self.model.served = served or self.model.served
        self._scale, self._room_c = time_scale, room_c
        self._device = device or demo_device()
        self._temp = tempfile.TemporaryDirectory(prefix="board-flash-")
        self.flash = Path(self._temp.name) / "flash"
        self.flash.mkdir()
        self.rom = rom.erased(Path(self._temp.name) / "rom", rom_bytes) if image == "own" else None

    async def __aenter__(self) -> Stage:
        await self.site.__aenter__()
        try:
            self.model.add_device(self._device)
            self.config = demo_config(self.site.addresses(), self.transport)
            self._edit(self.config)
            if not self._blank:
                self.install()
            self.world = World(
                wiring=wiring_from(self.config), time_scale=self._scale, room_c=self._room_c, outside_c=8.0
            )
            judged = self.interpreter.bits == 32 and not self._heap
            # The 64-bit board, whose heap is not judged, is one with memory for two connections.
            version = "psram" if self._heap or self.interpreter.bits == 64 else self.version
            self.board = VirtualBoard(
                self.flash, self.world, self.interpreter, self._heap, networks={SSID: WIFI_PASSWORD},
                on_event=self._record, rom=self.rom,
                memory=memory.Memory(version, self.chain, self._doubles, judged),
            )  # fmt: skip
            if self._powered:
                await self.board.power_on()
        except BaseException:
            await self.site.__aexit__()
            self._temp.cleanup()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        try:
            await self.board.power_off()
            self.board.console.close()
        finally:
            await self.site.__aexit__(*error)
            self._temp.cleanup()
        if self.third_area and not self._starved and error[0] is None:
            raise ThirdAreaError(self.third_area)

    def install(self) -> None:
        """Put code, configuration and certificate on the flash (again); the device's own records stay."""
        files = {CA_FILE: self.site.certs.certificate, **self._files}
        form = Form.LINKED if self.interpreter.bits == 32 else Form.SOURCES
        if self.rom:
            form = Form.ROM
            rom.fill(self.rom, self._tree, files, self.config)
        install(self.flash, self.config, self._tree, files, form)

    def owners_files(self) -> dict[str, bytes]:
        """Configuration and certificate, for a deploy in place of `install`."""
        return {"config.json": json.dumps(self.config).encode(), CA_FILE: self.site.certs.certificate}

    def _record(self, event: tuple[Any, ...]) -> None:
        if event[0] == "line":
            self.lines.append(event[1])
        elif event[0] == "pin":
            self.pins.append(event[1:])
        elif event[0] == "third_area":
            self.third_area = f"third area of heap: {event[1]}; {self.board.chip.memory.memory}"
        self._on_event(event)

    # What an owner does

    def want(self, port: str, value: float | str) -> float:
        """Ask for a value in the cloud; the `time.monotonic()` at which it was there."""
        self.model.set_desired(DEVICE_ID, port, value, time.time())
        return time.monotonic()

    def expire_token(self) -> None:
        self.model.expire_tokens(DEVICE_ID, time.time())

    def subscription(self, active: bool) -> float:
        self.model.set_subscription(DEVICE_ID, active, time.time())
        return time.monotonic()

    def kick(self) -> float:
        """Let the broker end the device's session."""
        self.model.kick(str(DEVICE_ID))
        return time.monotonic()

    def keys(self, enabled: bool) -> None:
        self.model.set_keys(DEVICE_ID, enabled, time.time())

    @contextlib.asynccontextmanager
    async def traffic(self, between: Callable[[bool], Awaitable[object]]) -> AsyncIterator[None]:
        """Meanwhile the owner switches the pump again and again. `between(on)`: what comes after each time."""

        async def switch() -> None:
            on = False
            while True:
                on = not on
                self.want("6", int(on))
                await between(on)

        switching = asyncio.create_task(switch())
        try:
            yield
        finally:
            switching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await switching

    # What a story looks at

    def on(self, role: str) -> bool:
        """Whether that relay pulls."""
        return self.world.is_on(role)

    def switched(self, role: str, on: bool, since: float) -> float | None:
        """`time.monotonic()` of the first switch of a relay to that state after `since`."""
        wire = self.world.wiring[role]
        wanted = wire["active"] if on else 1 - wire["active"]
        for gpio, level, at in self.pins:
            if gpio == wire["gpio"] and level == wanted and at >= since:
                return at
        return None

    def feed(self, source: str) -> list[dict[str, Any]]:
        """What the cloud stored of "command" or "sensor", in order of arrival."""
        return [item for item in self.model.feed(DEVICE_ID) if f"{source}_id" in item]

    def reported(self, port: str) -> str | None:
        """The value the device last reported for a command."""
        return self.model.reported(DEVICE_ID, port)

    def polls(self, since: float = 0, noun: str = "commands") -> int:
        """How often what is wanted (or the catalog of `noun`) was read, since a moment in unix seconds."""
        nouns = (noun, "desired-states") if noun == "commands" else (noun,)
        reads = self.model.named("catalog_read")
        return sum(event["noun"] in nouns and event["at"] > since for event in reads)

    def held(self) -> bool:
        """Whether the device holds an MQTT session, has read once what there is, and what is wanted since it was first
        connected: with memory for one connection it ends the session for that, and the broker keeps it."""
        known = self.polls(noun="sensors") + self.polls(noun="bootstrap")
        connected = self.model.named("mqtt_connected")
        return bool(known and self.model.sessions and self.polls(connected[0]["at"]))

    def gaps_ms(self) -> list[float]:
        """How long the device was without a session, each time: from the end of one until the next hears all topics."""
        gaps: list[list[float]] = []
        for event in self.model.events:
            if event["event"] == "mqtt_disconnected":
                gaps.append([event["at"]])
            elif event["event"] == "mqtt_subscribed" and gaps:
                gaps[-1][1:] = [event["at"]]
        return [(gap[1] - gap[0]) * 1000 for gap in gaps if len(gap) > 1]

    async def until(self, what: str, condition: Callable[[], Any], within_s: float) -> float:
        """Wait for a condition; the milliseconds that took. Raises NotInTimeError, which names `what`."""
        start = time.monotonic()
        try:
            await self.board.until(condition, within_s)
        except TimeoutError:
            said = "\n  ".join([*self.lines[-12:], self.third_area or str(self.board.chip.memory.memory)])
            raise NotInTimeError(f"not within {within_s:g} s: {what}\n  {said}") from None
        return (time.monotonic() - start) * 1000

    async def online(self, within_s: float = 20) -> float:
        """Wait until the device has read both catalogs and asked once more, or holds an MQTT session."""
        polls = self.polls()
        there = lambda: self.held() or self.polls() > polls + 1  # noqa: E731
        return await self.until("the device is online", there, within_s)

    def memory(self) -> dict[str, Any]:
        """What the memory of the board's runs showed so far. `heap_peak`: the most that was in use after a collection,
        at requests to the hardware, of which there are ten in a second and more, and at the program's collections:
        what it held for a moment in between is not in it. `pool_at_rest`: the pool outside of the heap, now."""
        desk = self.board.chip.memory
        return {
            "image": self.image,
            "chain": self.chain,
            "chip": desk.memory.image,
            "heap_peak": desk.peak,
            "heap_area": desk.memory.area,
            "heap_doubled": desk.doubled,
            "pool_at_rest": desk.memory.pool.free,
            "pool_lowest": desk.lowest,
        }

    async def power_cycle(self) -> None:
        await self.board.power_off()
        await asyncio.sleep(0.5)
        await self.board.power_on()

    async def ctrl_c(self, within_s: float = 10) -> None:
        """Stop the program by hand, as at the board's console; returns when the REPL would wait."""
        await self.board.ctrl_c()
        await self.until("the program ends after Ctrl-C", lambda: self.board.chip.at_repl, within_s)
