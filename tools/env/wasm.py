"""Fetches a real MicroPython of every supported version, built for node by MicroPython's makers.

`tests_host/node/package.json` pins the supported versions. `build` never uses the network; `fetch` fills `.cache/node/`
(see `npm.py`).

These builds have 32-bit words and the language, the core library and the compiled loop of their version; no sockets, no
TLS, no chip, and a heap that is never collected while a program runs.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from tools.common import Failed
from tools.env import npm
from tools.repository import ROOT

PACKAGES = ROOT / "tests_host" / "node"
CHOICE = "MICROPYTHON_VERSIONS"
"""Environment variable: `ends` (the default) for the oldest and the newest version, `all`, or some, by commas."""


def versions() -> list[str]:
    """The supported versions, the oldest one first: "1.24.0" ..."""
    names = json.loads((PACKAGES / "package.json").read_text())["dependencies"]
    return sorted(names, key=lambda name: [int(number) for number in name.split(".")])


def chosen(choice: str | None = None) -> list[str]:
    """The versions that CHOICE names. Raises Failed for one that is none of `versions()`."""
    choice = os.environ.get(CHOICE, "") if choice is None else choice
    known = versions()
    if choice in ("", "ends"):
        return [known[0], known[-1]]
    wanted = known if choice == "all" else choice.split(",")
    if not set(wanted) <= set(known):
        raise Failed(f"{CHOICE}={choice}: 'ends', 'all', or some of {','.join(known)} are known.")
    return wanted


def build(version: str, cache: Path = npm.CACHE) -> Path:
    """The folder that holds `micropython.mjs` of a version. Raises Failed."""
    folder = npm.modules(PACKAGES, cache) / version
    if not (folder / "micropython.mjs").exists():
        raise Failed(f"no MicroPython {version} for node here", "Run realer fetch node.")
    return folder


def fetch() -> None:
    """Make sure that node and every build are there. Raises Failed."""
    npm.install(PACKAGES, f"MicroPython {', '.join(versions())} for node")
