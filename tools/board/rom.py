"""What a chip's image has besides the interpreter: its built-in modules, and in an image of one's own the firmware.

Owns the read-only file system from whose memory `.mpy` code runs in place, as frozen code does on a chip: the modules
that an ESP32 image has built in (`tools/board/shims`) and frozen in (`tools.stock`), and in `.frozen` what `make image`
adds. Names, tables and function objects of it are on the heap all the same, where a frozen module has less of them.
Refuses what is on the board's flash, which is `install`.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from tools import payload, stock
from tools.mpy import compiled

SHIMS = Path(__file__).resolve().parent / "shims"
IMAGE = "romfs"
FROZEN = ".frozen"

Modules = tuple[tuple[str, bytes], ...]
"""`.mpy` code by path."""


def frozen(tree: Path, instead: Mapping[str, bytes]) -> Modules:
    """The firmware of `tree` as `make image` freezes it; `instead`: Python files in place of its own, or beside them.

    Raises tools.mpy.CompileError.
    """
    sources = payload.starters(tree) | {name: text for name, text in instead.items() if name.endswith(".py")}
    made = {name[:-3] + ".mpy": _compiled(name, text) for name, text in sources.items()}
    return tuple(sorted((payload.slot_files(tree) | made).items()))


def _compiled(name: str, text: bytes) -> bytes:
    with tempfile.TemporaryDirectory(prefix="frozen-") as folder:
        source = Path(folder) / Path(name).name
        source.write_bytes(text)
        return compiled(source)


@functools.cache
def rom(frozen_modules: Modules = ()) -> tempfile.TemporaryDirectory:
    """All of it, one by one and as IMAGE, for as long as this process lives."""
    folder = tempfile.TemporaryDirectory(prefix="board-rom-")
    modules = {name: compiled(path) for name, path in stock.modules().items()}
    modules |= {path.name: compiled(path) for path in SHIMS.glob("*.py")}
    modules |= {f"{FROZEN}/{name}": code for name, code in frozen_modules}
    for name, code in modules.items():
        target = (Path(folder.name) / name).with_suffix(".mpy")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(code)
    image = VfsRomWriter()
    _pack(image, Path(folder.name))
    (Path(folder.name) / IMAGE).write_bytes(image.finalise())
    return folder


def _pack(image: VfsRomWriter, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            image.opendir(path.name)
            _pack(image, path)
            image.closedir()
        else:
            image.mkfile(path.name, path.read_bytes())
