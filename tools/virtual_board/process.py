"""One run of the real MicroPython on a flash folder: it is started, read, typed at, killed, and never left behind.

The command line has the heap size, the mount points and the search path. `virtual.py` decides why a run ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable
from pathlib import Path

from tools.env.interpreter import Interpreter
from tools.virtual_board.rom_partition import IMAGE, NAMES, built_in

HEAP = {32: "192k", 64: "360k"}
"""Both areas of a chip's heap with their tables, and room for the board's own modules; what is too much of it the board
holds itself. The 64-bit board has twice the words and runs the sources, which take more than what a board gets."""

_START = """
import vfs, os, sys
try:
    import ffi, uctypes
    v = os.stat({image!r})[6]
    v = uctypes.bytearray_at(ffi.open("libc.so.6").func("p", "malloc", "L")(v), v)
    with open({image!r}, "rb") as f:
        f.readinto(v)
    v = vfs.VfsRom(v)
except (ImportError, AttributeError, OSError):
    v = vfs.VfsPosix({shims!r})
if {names!r}:
    import gc, json
    gc.threshold(2048)  # a table beyond garbage would cut the heap in two
    with open({names!r}) as f:
        for line in f:
            hasattr(f, json.loads(line))  # which puts it into the interpreter's tables
    gc.threshold(-1)
vfs.umount("/")
vfs.mount(vfs.VfsPosix({flash!r}), "/")
vfs.mount(v, "/.rom")
os.chdir("/")
sys.path[:] = {path!r}
ffi = uctypes = gc = json = v = f = line = vfs = None
if {rom!r}:
    import _rom
    _rom.install({rom!r})
    _rom.mount_first()
    _rom = None
import _launch
_launch.start({port}, {token!r}, {raw}, {word})
"""
"""A read-only file system in memory outside of the heap, from where `.mpy` code runs in place as a chip's own modules
do from its flash; a MicroPython that cannot do that loads the shims into its heap (docs/decisions/0011)."""
_LONGEST_LINE = 4096
_PROC = Path("/proc")
REPL_BEGINS = b"\0"
"""What the launcher prints, for this end only, where the program's own output is over."""


class Run:
    """A started interpreter. Use `await Run.start(...)`, then always `await run.kill()`.

    `on_line(text)`: a printed line; `on_data(data)`: the same output as it comes, in pieces, and that of the REPL.
    """

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        on_line: Callable[[str], None],
        on_data: Callable[[bytes], None],
    ) -> None:
        assert process.stdin
        assert process.stdout
        self._process, self._input, self._output = process, process.stdin, process.stdout
        self._on_line = on_line
        self._on_data = on_data
        self._reading = asyncio.ensure_future(self._read())

    @classmethod
    async def start(
        cls,
        interpreter: Interpreter,
        heap: str,
        flash: Path,
        port: int,
        token: str,
        raw: bool,
        on_line: Callable[[str], None],
        on_data: Callable[[bytes], None] = lambda data: None,
        rom: Path | None = None,
        watched: bool = True,
        sparing: bool = False,
    ) -> Run:
        """`flash` (absolute) is the run's whole file system, as littlefs is on the chip; `raw`: begin in raw mode.

        `rom` (absolute): file that is the ROM partition of the image; a stock image has none. `watched`: it tells when
        an allocation failed. `sparing`: it takes as little processor time as possible, and tells nothing of its heap.
        """
        folder = built_in().name
        path = ["/.rom", "", ".frozen", "/lib"]
        places = {"flash": str(flash), "shims": folder, "image": f"{folder}/{IMAGE}", "path": path}
        places |= {"rom": str(rom or ""), "names": f"{folder}/{NAMES}" if rom else ""}
        word = -1 if sparing else interpreter.bits // 8 if watched else 0
        code = _START.format(**places, port=port, token=token, raw=raw, word=word)
        process = await asyncio.create_subprocess_exec(
            *interpreter.argv,
            "-X",
            f"heapsize={heap}",
            "-c",
            code,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C in the terminal is for the host, which then ends this
        )
        return cls(process, on_line, on_data)

    @property
    def process_id(self) -> int:
        return self._process.pid

    def open_file(self, fd: int) -> str | None:
        """What lies behind one of its descriptors, None: nothing. Without /proc: the number, which tells only that a
        descriptor is used again."""
        if not _PROC.is_dir():
            return f"file {fd}"
        try:
            return str((_PROC / str(self._process.pid) / "fd" / str(fd)).readlink())
        except OSError:
            return None

    async def wait(self) -> int:
        """Its exit status, once it ended by itself."""
        return await self._process.wait()

    def interrupt(self) -> None:
        """Ctrl-C, by signal: for a program that only waits."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)

    def type(self, data: bytes) -> None:
        """Bytes for its standard input."""
        self._input.write(data)

    async def kill(self) -> None:
        """End it as a power cut does, then hand over what it had already printed."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        self._input.close()
        await self._process.wait()
        await self._reading

    async def _read(self) -> None:
        rest, at_repl = b"", False
        while data := await self._output.read(4096):
            data, begins, more = data.partition(REPL_BEGINS)
            self._on_data(data + more)
            if at_repl:
                continue
            at_repl = bool(begins)
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._emit(line)
            if len(rest) > _LONGEST_LINE:
                self._emit(rest)
                rest = b""
        if rest:
            self._emit(rest)

    def _emit(self, line: bytes) -> None:
        self._on_line(line.decode(errors="replace").rstrip("\r"))
