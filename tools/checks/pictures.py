"""`make pictures`: the pictures of the documentation that show commands and pages, each of a real run.

A device on the virtual board, the simulated cloud, the commands on a terminal of their own, and the pages in a Chromium
without a window. `ARGS="monitor doctor"` takes some of them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

from tools.checks import pictures_page as page
from tools.checks import pictures_terminal as terminal
from tools.env import interpreter
from tools.fixture.system import SystemFixture
from tools.repository import ROOT

FOLDER = ROOT / "docs" / "screens"
LARGEST_BYTES = 200_000
LARGEST_ANIMATION_BYTES = 600_000


@contextlib.asynccontextmanager
async def _bench() -> AsyncIterator[terminal.Bench]:
    """An empty board on a cable, and its configuration in a folder, as a person has them."""
    async with SystemFixture(interpreter.find(), transport="auto", room_c=18.5, blank=True) as fixture:
        with tempfile.TemporaryDirectory(prefix="pictures-") as folder:
            _write(Path(folder), fixture.owners_files())
            yield terminal.Bench(fixture, Path(folder), await fixture.board.console.open())


async def commands(wanted: set[str]) -> dict[str, bytes]:
    """Those of the terminal, in the order in which a person meets them."""
    async with _bench() as bench:
        found = {"wizard.svg": await terminal.wizard(bench)} if "wizard" in wanted else {}
        if wanted - {"wizard"}:
            found["deploy.svg"] = await terminal.deploy(bench)
        for name, take in (
            ("monitor", terminal.monitor),
            ("status", terminal.status),
            ("doctor", terminal.doctor),
        ):
            if name in wanted:
                found[f"{name}.svg"] = await take(bench)
    return {name: text.encode() for name, text in found.items()}


Take = Callable[[set[str]], Coroutine[Any, Any, dict[str, bytes]]]
TAKES: dict[str, Take] = {
    "dashboard": lambda _: page.dashboard(),
    "animation": lambda _: page.animation(),
    "portal": lambda _: page.portal(),
    **dict.fromkeys(("wizard", "deploy", "monitor", "status", "doctor"), commands),
}
"""Picture -> what takes it, and others with it."""


def take(wanted: set[str]) -> int:
    """Take them; how many are too large."""
    large = 0
    for taking in dict.fromkeys(TAKES[name] for name in TAKES if name in wanted):
        taken = asyncio.run(taking(wanted))
        _write(FOLDER, taken)
        for name, content in taken.items():
            large += len(content) > (LARGEST_ANIMATION_BYTES if name.endswith(".webp") else LARGEST_BYTES)
            print(f"{FOLDER.relative_to(ROOT)}/{name}: {len(content):,} bytes")
    return large


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="*", help=f"which of {', '.join(TAKES)} (default: all)")
    wanted = set(parser.parse_args().pictures) or set(TAKES)
    if unknown := wanted - set(TAKES):
        parser.error(f"no such picture: {', '.join(sorted(unknown))}")
    return int(take(wanted) > 0)


if __name__ == "__main__":
    sys.exit(main())
