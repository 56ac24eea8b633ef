"""Third-party MicroPython modules that every stock ESP32 image holds and the packaged MicroPython of a PC does not.

Owns: fetching the pinned packages (`board` in pyproject.toml) with pip into `.cache/stock`, from where the virtual
board takes them as if they were frozen in. The firmware imports none of them; the doctor does, for its second opinion.
Refuses to install: they are no packages for the host's Python, and pip, which finds nothing to build in them, says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tools import aptroot
from tools.bootstrap import ROOT, pinned

FOLDER = ROOT / ".cache" / "stock"


class StockError(Exception):
    """A package could not be fetched; the text says why."""


def modules(folder: Path = FOLDER) -> dict[str, Path]:
    """What was fetched: path in a board's file system -> source file."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.py"))}


def fetch(folder: Path = FOLDER, environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Fetch what is missing. Raises StockError."""
    requirements = pinned(ROOT / "pyproject.toml", "board")
    with aptroot.only_one_at_a_time(folder.parent, print):
        done = folder / "fetched.txt"
        if not done.exists() or done.read_text().split() != requirements:
            _replace(folder, requirements, done.name, environment or {})
        return modules(folder)


def _replace(folder: Path, requirements: list[str], done: str, environment: Mapping[str, str]) -> None:
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as fresh:
        made = Path(fresh) / "stock"
        made.mkdir()
        for requirement in requirements:
            _unpack(requirement, made, environment)
        (made / done).write_text("\n".join(requirements))
        shutil.rmtree(folder, ignore_errors=True)
        made.rename(folder)


def _unpack(requirement: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Put the modules of one package into `folder`. Raises StockError."""
    with tempfile.TemporaryDirectory() as temp:
        # It unpacks, then misses a setup.py and gives up; what it unpacked stays where we asked for it.
        command = [
            "download",
            "-q",
            "--no-clean",
            "--no-deps",
            "--no-binary",
            ":all:",
            "-d",
            temp,
            requirement,
        ]
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *command]
        env = {**os.environ, **environment, "TMPDIR": temp}
        output = subprocess.run(pip, capture_output=True, text=True, env=env).stderr
        found = [path for path in Path(temp).glob("pip-download-*/*/*") if path.suffix != ".egg-info"]
        sources = [path for path in found if path.suffix == ".py" or any(path.glob("*.py"))]
        if not sources:
            raise StockError(f"{requirement} could not be fetched: {output.strip()[-300:]}")
        for source in sources:
            shutil.copytree(source, folder / source.name) if source.is_dir() else shutil.copy(source, folder)


def main(argv: list[str] | None = None) -> int:
    try:
        print(*fetch(), sep="\n")
    except StockError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
