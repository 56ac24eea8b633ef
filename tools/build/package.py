"""`realer package [--write]`: what is made from other files: lists for `mpremote mip install`, pins in `boot.py`, and
the JSON Schema of config.json.

`package.json` is the app, to be installed at `/`. `lib/ENGINE.json` is an engine with the engines it imports, to be
installed at `/lib`. In mip's format, a list says what is installed where; sources are relative to the list. mip copies
sources; `realer deploy` sends compiled code. Without --write the command reports the lists that are out of date.
"""

from __future__ import annotations

import ast
import json
import re
import textwrap
from pathlib import Path

from tools import boards, common
from tools.build import config_schema
from tools.repository import ROOT, device_files, imported


def version(root: Path = ROOT) -> str:
    found = re.search(r'^VERSION = "(.+)"$', (root / "firmware/version.py").read_text(), re.MULTILINE)
    if found is None:
        raise common.Failed("firmware/version.py names no VERSION")
    return found[1]


def engines(root: Path = ROOT) -> list[str]:
    return sorted(path.parent.name for path in (root / "lib").glob("*/__init__.py"))


def needed(engine: str, root: Path = ROOT) -> set[str]:
    """The engine and those it imports, directly or not."""
    found, todo = set(), {engine}
    while todo:
        found.add(name := todo.pop())
        for path in (root / "lib" / name).glob("*.py"):
            todo |= {full.split(".")[0] for _, full in imported(ast.parse(path.read_text()))} & set(
                engines(root)
            )
        todo -= found
    return found


def lists(root: Path = ROOT) -> dict[Path, str]:
    """What has to stand in which file."""
    files = [str(path) for path in device_files(root)]
    app = [[name, name] for name in files if not name.endswith("/standalone.py")]
    made = {root / "package.json": _text(app, root)}
    for engine in engines(root):
        prefixes = tuple(f"lib/{name}/" for name in needed(engine, root))
        own = [name.removeprefix("lib/") for name in files if name.startswith(prefixes)]
        made[root / "lib" / f"{engine}.json"] = _text([[name, name] for name in own], root)
    return made


def boot() -> str:
    """The text of `boot.py`, which imports nothing of ours, with the pins of `firmware/boards`."""
    words = [f"{name}={sum(1 << gpio for gpio in gpios):X}" for name, gpios in boards.drives().items()]
    rows = "".join(f'    " {row}"\n' for row in textwrap.wrap(" ".join(words), 100, break_on_hyphens=False))
    text = (ROOT / "boot.py").read_text()
    return re.sub(r"(?<=^DRIVES = \(\n).*?(?=^\)\n)", rows, text, count=1, flags=re.MULTILINE | re.DOTALL)


def _text(urls: list[list[str]], root: Path) -> str:
    rows = textwrap.fill(
        ", ".join(json.dumps(row, separators=(",", ":")) for row in urls),
        110,
        initial_indent="    ",
        subsequent_indent="    ",
        break_on_hyphens=False,
    )
    return f'{{\n  "urls": [\n{rows}\n  ],\n  "deps": [],\n  "version": "{version(root)}"\n}}\n'


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("package", "Check lists for mip, pins in boot.py, schema.")
    parser.add_argument("--write", action="store_true", help="write them")
    if parser.parse_args(argv).write:
        for path, text in (lists() | {config_schema.PATH: config_schema.text()}).items():
            path.write_text(text)
        (ROOT / "boot.py").write_text(boot())
        return 0
    wrong = [path for path, text in lists().items() if not path.exists() or path.read_text() != text]
    wrong += [path for path in (ROOT / "lib").glob("*.json") if path not in lists()]
    if config_schema.PATH.read_text() != config_schema.text():
        wrong.append(config_schema.PATH)
    if (ROOT / "boot.py").read_text() != boot():
        wrong.append(ROOT / "boot.py")
    if wrong:
        names = ", ".join(str(path.relative_to(ROOT)) for path in sorted(wrong))
        raise common.Failed(f"not what is in the tree: {names}", "Run: realer package --write")
    print("all are up to date")
    return 0
