"""Fetches third-party MicroPython modules that every stock ESP32 image has and the packaged MicroPython of a PC lacks,
and the published type stubs of such an image.

pip puts the pinned packages (`board` and `stubs` in pyproject.toml) into `.cache/stock` and `.cache/stubs`. The virtual
board takes the modules from there as if they were frozen in. The firmware imports none of them, and they are not
installed: they are no packages for the host's Python.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.env.setup_venv import pinned
from tools.repository import ROOT

FOLDER = ROOT / ".cache" / "stock"
STUBS = ROOT / ".cache" / "stubs"
_DONE = "fetched.txt"
Put = Callable[[list[str], Path, Mapping[str, str]], None]
"""Fetches requirements into a folder, with that environment."""


def modules(folder: Path = FOLDER) -> dict[str, Path]:
    """What was fetched: path in a board's file system -> source file."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.py"))}


def fetch(folder: Path = FOLDER, environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Fetch what is missing. Raises Failed."""
    _current(folder, "board", environment or {}, _unpack)
    return modules(folder)


def stubs(folder: Path = STUBS, group: str = "stubs") -> list[Path]:
    """The stubs that a group pins, fetched if they are missing: `.pyi` files. Raises Failed."""
    packages(folder, group, "--no-deps")
    return sorted(folder.rglob("*.pyi"))


def packages(folder: Path, group: str, *options: str) -> None:
    """Have in `folder` the packages that a group pins, with these options of pip. Raises Failed."""

    def install(requirements: list[str], made: Path, environment: Mapping[str, str]) -> None:
        done = _pip(["install", "-q", *options, "--target", str(made), *requirements], environment)
        if done.returncode:
            raise Failed(f"{' '.join(requirements)} could not be fetched: {done.stderr.strip()[-300:]}")

    _current(folder, group, {}, install)


def _current(folder: Path, group: str, environment: Mapping[str, str], put: Put) -> None:
    """Have in `folder` what a group of pyproject.toml pins; `put` fetches it."""
    requirements = pinned(ROOT / "pyproject.toml", group)
    with aptroot.only_one_at_a_time(folder.parent, "pip"):
        done = folder / _DONE
        if done.exists() and done.read_text().split() == requirements:
            return
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as fresh:
            made = Path(fresh) / folder.name
            made.mkdir()
            put(requirements, made, environment)
            (made / _DONE).write_text("\n".join(requirements))
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)


def _pip(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *command]
    return subprocess.run(pip, capture_output=True, text=True, env={**os.environ, **environment})


def _unpack(requirements: list[str], folder: Path, environment: Mapping[str, str]) -> None:
    """Put the modules of packages into `folder`. Raises Failed."""
    options = ["-q", "--no-clean", "--no-deps", "--no-binary", ":all:"]
    for requirement in requirements:
        with tempfile.TemporaryDirectory() as temp:
            # It unpacks, then misses a setup.py and gives up; what it unpacked stays where we asked for it.
            output = _pip(
                ["download", *options, "-d", temp, requirement], {**environment, "TMPDIR": temp}
            ).stderr
            found = [path for path in Path(temp).glob("pip-download-*/*/*") if path.suffix != ".egg-info"]
            sources = [path for path in found if path.suffix == ".py" or any(path.glob("*.py"))]
            if not sources:
                raise Failed(f"{requirement} could not be fetched: {output.strip()[-300:]}")
            for source in sources:
                copy = shutil.copytree if source.is_dir() else shutil.copy
                copy(source, folder / source.name)
