"""Finds a real MicroPython for the host, and fetches one where the machine's package manager can.

`find` looks at PATH and at `.cache/micropython/`, and never uses the network. `fetch` fills the cache (Debian family:
the packaged interpreter with its own libraries, 64-bit, and on amd64 32-bit as well, whose 4-byte words make heap
figures those of an ESP32). An interpreter older than the oldest one that the firmware supports is not used.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.repository import ROOT

OLDEST = (1, 24, 0)
CACHE = ROOT / ".cache" / "micropython"
_INSTALL = (
    "install a MicroPython of at least version 1.24 so that `micropython` is on PATH "
    "(package `micropython` of Debian 13, of Ubuntu 25.04 or of Homebrew)"
)
_PROBE = (
    "import sys, tls, asyncio, socket, vfs\n"
    "print(*sys.implementation.version[:3], 64 if sys.maxsize > 1 << 32 else 32)"
)
_PROGRAM = "usr/bin/micropython"
_SMALLER = {"amd64": "i386"}
"""Architectures whose processors also run a 32-bit one, in Debian's names."""


@dataclass(frozen=True)
class Interpreter:
    """A MicroPython that was started once and answered.

    `argv`: how to start it; `version`: three numbers; `bits`: its word size, 32 or 64; `origin`: where it is.
    """

    argv: list[str]
    version: tuple[int, int, int]
    bits: int
    origin: str

    def __str__(self) -> str:
        return f"MicroPython {'.'.join(map(str, self.version))}, {self.bits}-bit, {self.origin}"


def available(cache: Path = CACHE) -> list[Interpreter]:
    """What is here, at most one of each word size, the 32-bit one first; PATH wins over the cache."""
    best: dict[int, Interpreter] = {}
    for found in _candidates(cache):
        best.setdefault(found.bits, found)
    return sorted(best.values(), key=lambda found: found.bits)


def find(bits: int | None = None, cache: Path = CACHE) -> Interpreter:
    """The interpreter with that word size; without one the 32-bit one where there is one, as on the chip.

    Raises Failed.
    """
    for found in available(cache):
        if bits in (None, found.bits):
            return found
    kind = f"{bits}-bit " if bits else ""
    raise Failed(f"no {kind}MicroPython here", f"Run realer fetch, or {_INSTALL}.")


def fetch(bits: int | None = None, cache: Path = CACHE, etc: Path = aptroot.ETC) -> list[Interpreter]:
    """Make sure there is an interpreter, with that word size or else every one this machine can have.

    Does nothing where one is there already. Raises Failed when in the end there is none.
    """
    own = aptroot.debian_arch()
    wanted = {64 if own.endswith("64") else 32: own}
    if own in _SMALLER:
        wanted[32] = _SMALLER[own]
    with aptroot.only_one_at_a_time(cache, "interpreter"):
        for size in (bits,) if bits else sorted(wanted, reverse=True):
            here = available(cache)
            if size in [found.bits for found in here]:
                continue
            try:
                _fetch_arch(wanted.get(size), cache, etc)
            except Failed as error:
                if bits or not here:
                    raise
                aptroot.say("interpreter", f"going on without a {size}-bit one: {error}")
        return [found for found in available(cache) if bits in (None, found.bits)]


def _candidates(cache: Path) -> Iterator[Interpreter]:
    on_path = shutil.which("micropython")
    if on_path:
        yield from _probe([on_path], on_path)
    for root in sorted(cache.glob("[!.]*/root")):
        yield from _probe(
            aptroot.argv(root, _PROGRAM), f"{cache.parent.name}/{cache.name}/{root.parent.name}"
        )


def _probe(argv: list[str], origin: str) -> Iterator[Interpreter]:
    """Start it once. Yields nothing when it does not start, lacks a needed module, or is too old."""
    try:
        done = subprocess.run([*argv, "-c", _PROBE], check=False, capture_output=True, text=True, timeout=20)
        *version, bits = map(int, done.stdout.split())
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return
    if len(version) == 3 and tuple(version) >= OLDEST:
        yield Interpreter(argv, (version[0], version[1], version[2]), bits, origin)


def _fetch_arch(arch: str | None, cache: Path, etc: Path) -> None:
    if arch is None:
        raise Failed("this machine's processor has no such MicroPython", f"Please {_INSTALL}.")
    aptroot.fetch(
        "micropython", "MicroPython", cache, etc, f"Please {_INSTALL}.", arch, below=arch, since=13,
        works=lambda root: bool(list(_probe(aptroot.argv(root, _PROGRAM), ""))),
    )  # fmt: skip
