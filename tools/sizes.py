"""Compile every device file with mpy-cross and hold the sizes that keep the firmware fit for its chip.

Owns: the compile gate (the compiler is that of the oldest supported MicroPython) and the limits below: `.mpy` bytes of
all device code together, lines per file, lines per function. `python -m tools.sizes` prints a table and one JSON line,
and exits 1 when something does not compile or exceeds a limit. A function between WISHED and LIMIT is only mentioned.
"""

import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.layers import ROOT, device_files
from tools.mpy import CompileError, compiled

TOTAL_MPY_BYTES = 48 * 1024
STANDALONE = {"mqtt5"}
"""Engines of lib that no link imports yet: compiled and measured, but no part of what a board runs."""
FILE_LINES = 250
FUNCTION_LINES_WISHED = 30
FUNCTION_LINES = 45


@dataclass(frozen=True)
class Function:
    name: str
    line: int
    lines: int


@dataclass(frozen=True)
class Size:
    """One device file. `mpy` is 0 and `error` the compiler's words when it does not compile."""

    path: PurePosixPath
    lines: int
    mpy: int
    functions: tuple[Function, ...]
    error: str = ""


def functions(text: str) -> Iterator[Function]:
    """Every function with its length: from `def` to its last line, without the docstring."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            last = node.end_lineno or node.lineno
            doc = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
            doc_lines = (doc.end_lineno or doc.lineno) - doc.lineno + 1 if doc else 0
            yield Function(node.name, node.lineno, last - node.lineno + 1 - doc_lines)


def measure(root: Path, path: PurePosixPath) -> Size:
    text = (root / path).read_text(encoding="utf-8")
    mpy, error = 0, ""
    try:
        mpy = len(compiled(root / path))
    except CompileError as e:
        error = str(e)
    found = () if error else tuple(functions(text))
    return Size(path, len(text.splitlines()), mpy, found, error)


def over(sizes: list[Size]) -> tuple[list[str], list[str]]:
    """What breaks a limit, and what only exceeds a wish: texts for people."""
    broken, wished = [], []
    for size in sizes:
        if size.error:
            broken.append(f"{size.path} does not compile: {size.error}")
        if size.lines > FILE_LINES:
            broken.append(f"{size.path} has {size.lines} lines, at most {FILE_LINES}")
        for f in size.functions:
            text = f"{size.path}:{f.line}: {f.name}() has {f.lines} lines"
            if f.lines > FUNCTION_LINES:
                broken.append(f"{text}, at most {FUNCTION_LINES}")
            elif f.lines > FUNCTION_LINES_WISHED:
                wished.append(f"{text}, better {FUNCTION_LINES_WISHED}")
    total = on_board(sizes)
    if total > TOTAL_MPY_BYTES:
        broken.append(f"device code is {total} bytes of .mpy, at most {TOTAL_MPY_BYTES}")
    return broken, wished


def on_board(sizes: list[Size]) -> int:
    """Bytes of `.mpy` that a board runs."""
    return sum(size.mpy for size in sizes if not STANDALONE & set(size.path.parts))


def facts(sizes: list[Size]) -> dict[str, int]:
    """The figures a build machine keeps."""
    return {
        "files": len(sizes),
        "lines": sum(size.lines for size in sizes),
        "mpy_bytes": on_board(sizes),
        "mpy_standalone": sum(size.mpy for size in sizes) - on_board(sizes),
        "mpy_limit": TOTAL_MPY_BYTES,
    }


def main() -> int:
    sizes = [measure(ROOT, path) for path in device_files(ROOT)]
    broken, wished = over(sizes)
    for size in sizes:
        print(f"{size.mpy:7} B {size.lines:5} lines  {size.path}")
    for text in wished:
        print("wish:", text)
    for text in broken:
        print("LIMIT:", text)
    print(json.dumps(facts(sizes)))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
