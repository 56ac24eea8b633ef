"""What a chip's image has besides the interpreter: its built-in modules, and in an own image a ROM partition.

Built in are the modules that an ESP32 image has in C (`shims`) and frozen (`tools.env.stock`): a read-only file system
from whose memory `.mpy` code runs in place. Names, tables and function objects of it are still on the heap; a frozen
module has fewer of them. The ROM partition is a file of the host, which a deploy or an update writes; `fill` leaves in
it what a first deploy does.
"""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware.core import romslot
from tools.build import payload, rom_plan
from tools.build.mpy import compiled
from tools.env import stock
from tools.repository import ROOT
from tools.virtual_board.install import in_rom

SHIMS = Path(__file__).resolve().parent / "shims"
IMAGE = "romfs"
NAMES = "names"
_ERASED = b"\xff"


def erased(path: Path, size: int = rom_plan.ROM_BYTES) -> Path:
    """A partition as a chip comes out of `realer flash`; by default as large as `realer image` makes it."""
    path.write_bytes(_ERASED * size)
    return path


def fill(path: Path, tree: Path, files: Mapping[str, bytes], config: Mapping[str, Any]) -> Path:
    """Write the units of `tree` to the beginning of the partition, as a first deploy does. `files`: what else goes
    there, Python as a deploy compiles it, or instead. Raises tools.build.mpy.CompileError."""
    more = {
        name.removesuffix(".py") + ".mpy" if name.endswith(".py") else name: text
        for name, text in files.items()
        if in_rom(name)
    }
    code = payload.slot_files(tree) | {name: _code(name, text) for name, text in more.items()}
    image = rom_plan.Image(
        rom_plan.chosen(code, payload.conditions(tree), romslot.traits(config), path.stat().st_size)
    )
    with path.open("r+b") as partition:
        partition.write(image.data)
    return path


def _code(name: str, text: bytes) -> bytes:
    """A `.mpy` as it is, or that of a Python file."""
    if text[:1] == b"M":
        return text
    with tempfile.TemporaryDirectory(prefix="rom-") as folder:
        source = Path(folder) / f"{Path(name).stem}.py"
        source.write_bytes(text)
        return compiled(source)


@functools.cache
def built_in() -> tempfile.TemporaryDirectory[str]:
    """The built-in modules, one by one and as IMAGE, for as long as this process lives; and in NAMES, a line of JSON
    each, the names of the firmware that `realer image` builds in."""
    folder = tempfile.TemporaryDirectory(prefix="board-rom-")
    modules = {name: compiled(path) for name, path in stock.modules().items()}
    modules |= {path.name: compiled(path) for path in SHIMS.glob("*.py")}
    modules = {str(Path(name).with_suffix(".mpy")): code for name, code in modules.items()}
    for name, code in modules.items():
        target = Path(folder.name) / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(code)
    (Path(folder.name) / IMAGE).write_bytes(rom_plan.Image(modules).data)
    (Path(folder.name) / NAMES).write_text("\n".join(map(json.dumps, payload.names(ROOT))))
    return folder
