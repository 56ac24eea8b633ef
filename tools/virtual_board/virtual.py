"""A virtual ESP32 board: the real MicroPython running a flash folder, with simulated hardware behind its pins.

It has power, resets, the timeout of the watchdog, and the connection over which the shims ask for hardware (one
loopback TCP connection per run; a run without the token is turned away). The rules of the chip are in `chip.py`,
physics in `plant.py`, processes in `process.py`.

Where it is not an ESP32: sockets (which are cut without Wi-Fi), `time.time()` and the dates that TLS checks are the
host's, and files are plain files and not littlefs. Memory is that of `memory.py` (docs/decisions/0011).
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools import boards
from tools.boards import Board
from tools.env.interpreter import Interpreter
from tools.virtual_board.chip import CAUSES, HARD_RESET, PWRON_RESET, SOFT_RESET, UNIQUE_ID, WDT_RESET, Chip
from tools.virtual_board.chip_memory import ChipMemory
from tools.virtual_board.memory import TIGHTEST, Memory
from tools.virtual_board.plant import Plant
from tools.virtual_board.process import HEAP, Run
from tools.virtual_board.serial_console import Console

_BOOT_S = 0.05
"""From the end of one run to the start of the next: the chip's boot loader, and a brake on reset storms."""
_TICK_S = 0.1
_IDLE_S = 0.5
_SOON_S = 0.001


def image_of(board: Board) -> str:
    """Whose memory a board has, see `memory`."""
    return TIGHTEST if board.chip == boards.CLASSIC else board.chip


class VirtualBoard:
    """One board on the bench; `async with` switches it on and, whatever happens, off.

    `flash`: folder that is its file system (see `install`). `board`: its chip, a classic ESP32 when None.
    `memory`: the chip's, a stock one's when None; `heap`: a Python heap of that size instead, such as "4m", as a board
    with PSRAM has it.
    `networks`: ssid -> password on the air, None = any. `dns`: name server that DHCP hands out.
    `on_line(text)`: a printed line. `on_event(event)`: tuples, in order, `t` in `time.monotonic()` seconds:
    `("boot", n)`, `("line", text)`, `("pin", gpio, level or None, t)`, `("wdt",)`, `("crash", status)`,
    `("panic", why)`, `("third_area", why)`, `("listen", port of the access point, port on 127.0.0.1)`,
    `("reset", cause)`, `("repl",)`, `("off",)`. Lines and pins travel by different ways: their order among each other
    says nothing below a millisecond or two.
    `listening`: where on 127.0.0.1 the access point's ports are.
    `unique_id`: its MAC, 6 bytes. `console.open()` plugs in a cable: see there. `rom`: file that is its ROM partition
    (see `board.rom`), None: a stock image, which has none. `sparing`: one of many, which takes as little processor time
    as possible; the memory that is given with it must not be limited.
    """

    def __init__(
        self,
        flash: Path,
        plant: Plant,
        interpreter: Interpreter,
        heap: str | None = None,
        dns: str = "127.0.0.1",
        networks: dict[str, str] | None = None,
        on_line: Callable[[str], None] = lambda text: None,
        on_event: Callable[[tuple[Any, ...]], None] = lambda event: None,
        rom: Path | None = None,
        memory: Memory | None = None,
        board: Board | None = None,
        sparing: bool = False,
        unique_id: bytes = UNIQUE_ID,
    ) -> None:
        self.plant = plant
        board = board or boards.chips()[boards.CLASSIC]
        limited = not heap and interpreter.bits == 32
        memory = memory or Memory("psram" if heap else image_of(board), limited=limited and not sparing)
        self._sparing = sparing
        chip_memory = ChipMemory(
            memory, _now_ms, interpreter.bits // 32, lambda why: self._emit("third_area", why)
        )
        self.chip = Chip(plant, _now_ms, self._pin, networks, dns, unique_id, chip_memory, board)
        self.chip.listen = self._listen
        self.chip.radio.on_link = self.chip.lan.on_link = self._link
        self.chip.on_edges = self._edges
        self.chip.nowhere = self._nowhere
        self.listening: dict[int, int] = {}
        self._silent: dict[bool, list[socket.socket]] = {}
        self.boots = 0
        self._flash = flash.resolve()
        self._interpreter = interpreter
        self._heap = heap or HEAP[interpreter.bits]
        self._rom = rom and rom.resolve()
        self._on_line = on_line
        self._on_event = on_event
        self.console = Console(self.type)
        self._typed: list[bytes] = []
        self._typing: set[asyncio.Future[None]] = set()
        self._life: asyncio.Task[None] | None = None
        self._ended: asyncio.Future[int] | None = None
        self._program: Run | None = None
        self._news = asyncio.Event()
        self._token = ""
        self._wires: set[asyncio.Transport] = set()
        self._world_ms = _now_ms()

    async def __aenter__(self) -> VirtualBoard:
        await self.power_on()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.power_off()
        self.console.close()

    @property
    def reset_cause(self) -> str:
        """Why the present run started: power_on, hard, watchdog or soft."""
        return CAUSES[self.chip.reset_cause]

    @property
    def powered(self) -> bool:
        return self._life is not None

    @property
    def process_id(self) -> int | None:
        """Of the run, None without one."""
        return self._program.process_id if self._program else None

    @property
    def levels(self) -> dict[int, int]:
        """gpio -> level of every driven pin; empty without power."""
        return self.chip.levels()

    async def power_on(self) -> None:
        if self._life is None:
            self.chip.reset(PWRON_RESET)
            self._typed.clear()
            self._life = asyncio.create_task(self._live())

    async def power_off(self) -> None:
        """Cut the power at this very moment."""
        life, self._life = self._life, None
        if life is not None:
            life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await life
            self.chip.release()
            self.console.reset()
            self._emit("off")
        for sock in [sock for socks in self._silent.values() for sock in socks]:
            sock.close()
        self._silent.clear()

    async def reset(self) -> None:
        """Reset the running program from outside, as a crash of the chip would."""
        self._end(HARD_RESET)

    async def ctrl_c(self) -> None:
        """Type Ctrl-C at the board's console.

        It strikes at the program's next use of the hardware, where no dialogue on the wire is torn apart; only a
        program that uses none for a while gets a signal.
        """
        self.chip.ctrl_c = True
        with contextlib.suppress(TimeoutError):
            await self.until(lambda: not self.chip.ctrl_c, _IDLE_S)
        if self.chip.ctrl_c and self._program is not None:
            self.chip.ctrl_c = False
            self._program.interrupt()

    def type(self, data: bytes) -> None:
        """Type at the board's console. Ctrl-C is a key only where nothing runs that it could interrupt."""
        for part in re.split(b"(\x03)", data):
            if part == b"\x03" and not self.chip.at_prompt:
                task = asyncio.ensure_future(self.ctrl_c())
                self._typing.add(task)
                task.add_done_callback(self._typing.discard)
            elif part and self._program is not None:
                self._program.type(part)
            elif part:
                self._typed.append(part)

    def press_button(self, ms: int = 200) -> None:
        """Press the wired button for that long."""
        self._sync()
        self.plant.press(self.plant.wiring["button"]["gpio"], ms)

    def network_down(self) -> None:
        """Switch the access point off, or pull out the cable: no connection of the board goes on, and none can be made
        until it is back."""
        self._network(False)

    def network_up(self) -> None:
        self._network(True)

    def _network(self, there: bool) -> None:
        self.chip.radio.set_air(there, _now_ms())
        self.chip.lan.plug(there, _now_ms())

    async def until(self, condition: Callable[[], bool], timeout_s: float) -> None:
        """Wait until the condition holds, looking after each event and each 100 ms. Raises TimeoutError."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                if self._life is not None and self._life.done():
                    self._life.result()  # raises why the board died
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_TICK_S):
                        await self._news.wait()
                self._news.clear()

    async def _live(self) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        # Not serving yet means not suspended: a power cut at this moment could not close it otherwise.
        server = await asyncio.get_running_loop().create_server(
            lambda: _Wire(self), sock=listener, start_serving=False
        )
        ticking = asyncio.create_task(self._tick())
        try:
            await server.start_serving()
            while True:
                cause = await self._run(listener.getsockname()[1])
                self.chip.reset(cause)
                if cause != SOFT_RESET:
                    self.console.reset()
                self._emit("reset", CAUSES[cause])
                await asyncio.sleep(_BOOT_S)
        finally:
            ticking.cancel()
            server.close()

    async def _run(self, port: int) -> int:
        """One run of the program; returns the cause of the reset that ended it."""
        self._token = secrets.token_hex(8)
        self._ended = asyncio.get_running_loop().create_future()
        self.boots += 1
        self._emit("boot", self.boots)
        starting = asyncio.ensure_future(
            Run.start(
                self._interpreter, self._heap, self._flash, port, self._token, self.chip.raw_repl,
                self._line, self.console.show, self._rom, self.chip.memory.memory.limited,
                self._sparing,
            )
        )  # fmt: skip
        try:
            # It may have said all it had to say before it counts as started: a power cut then loses nothing of it.
            program = await asyncio.shield(starting)
            self.chip.memory.open_file = program.open_file
            self._program = program
            while self._typed:
                self._program.type(self._typed.pop(0))
            exited = asyncio.create_task(self._program.wait())
            try:
                await asyncio.wait((exited, self._ended), return_when=asyncio.FIRST_COMPLETED)
            finally:
                exited.cancel()
            if self._ended.done():
                return self._ended.result()
            self._emit("crash", exited.result())
            return HARD_RESET
        finally:
            self._token = ""
            self._program = None
            await asyncio.shield(_ended(starting))
            while self._wires:
                self._wires.pop().abort()
            await asyncio.sleep(0)

    async def _tick(self) -> None:
        """Keep the plant moving and let the watchdog bite."""
        while True:
            await asyncio.sleep(_TICK_S)
            self._sync()
            due_ms = self.chip.wdt_due_ms
            if due_ms is not None and _now_ms() >= due_ms and self._running():
                self._emit("wdt")
                self._end(WDT_RESET)

    def _running(self) -> bool:
        return self._ended is not None and not self._ended.done()

    def _end(self, cause: int) -> None:
        """The program that runs is over."""
        if self._ended is not None and not self._ended.done():
            self._ended.set_result(cause)

    def _sync(self) -> None:
        now_ms = _now_ms()
        self.plant.advance(now_ms - self._world_ms)
        self._world_ms = now_ms

    def _answer(self, line: str) -> str | None:
        """A request of the running program; None when it gets no reply any more."""
        if not self._running():
            return None
        self._sync()
        ran = not self.chip.at_repl
        reply = self.chip.answer(line)
        if self.chip.panicked:
            self._emit("panic", self.chip.panicked)
        if self.chip.ended is not None:
            self._end(self.chip.ended)
        elif ran and self.chip.at_repl:
            self._emit("repl")
        return reply

    def _link(self, up: bool) -> None:
        """Let the program's sockets go the way of the network; `_net.py` reads that before the next reply."""
        cut = [] if up or self.chip.access_point.active else self.chip.memory.sockets()
        if up or cut:
            for wire in self._wires:
                wire.write(b"\x05 %s\n" % " ".join(map(str, cut)).encode())

    def _edges(self, gpio: int, count: int) -> None:
        """Let the program's handler know of edges at a pin, before the next reply."""
        for wire in self._wires:
            wire.write(b"\x06 %d %d\n" % (gpio, count))

    def _nowhere(self, stream: bool) -> int:
        """A port of the host where packets end: nobody reads them, and no connection comes about, because as many wait
        already as may."""
        if stream not in self._silent:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM)
            sock.bind(("127.0.0.1", 0))
            self._silent[stream] = [sock]
            if stream:
                sock.listen(0)
                for _ in range(2):
                    waiting = socket.socket()
                    waiting.setblocking(False)
                    waiting.connect_ex(sock.getsockname())
                    self._silent[stream].append(waiting)
        return self._silent[stream][0].getsockname()[1]

    def _listen(self, port: int) -> int:
        """A free port for one of the access point's, and none that is free for TCP only."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            free = probe.getsockname()[1]
            with socket.socket(type=socket.SOCK_DGRAM) as other:
                other.bind(("127.0.0.1", free))
        self.listening[port] = free
        self._emit("listen", port, free)
        return free

    def _pin(self, gpio: int, level: int | None) -> None:
        self._emit("pin", gpio, level, time.monotonic())

    def _line(self, text: str) -> None:
        self._on_line(text)
        self._emit("line", text)

    def _emit(self, *event: object) -> None:
        self._on_event(event)
        self._news.set()


class _Wire(asyncio.Protocol):
    """The host's end of the wire to one run."""

    def __init__(self, board: VirtualBoard):
        self._board = board
        self._rest = b""
        self._greeting: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._board._wires.add(transport)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            self._take(line.decode("ascii", "replace"))

    def _take(self, line: str) -> None:
        if self._greeting is None:
            self._greeting = line
        token = self._board._token
        if not token or not secrets.compare_digest(self._greeting, f"hello {token}"):
            self._transport.close()
        elif line is not self._greeting:
            self._serve(line)

    def _serve(self, line: str) -> None:
        if self._board._program is None:
            # The program was faster than its start, without which its files are not known: it waits, as it always does.
            if self._board._token and not self._transport.is_closing():
                asyncio.get_running_loop().call_later(_SOON_S, self._serve, line)
            return
        tag, _, request = line.partition(" ")
        reply = self._board._answer(request)
        if reply is not None:
            self._transport.write(f"{tag}{reply}\n".encode("ascii"))


async def _ended(starting: asyncio.Future[Run]) -> None:
    await (await starting).kill()


def _now_ms() -> float:
    return time.monotonic() * 1000
