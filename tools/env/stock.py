"""Fetches third-party MicroPython modules that every stock ESP32 image has and the packaged MicroPython of a PC lacks,
and the published type stubs of such an image.

pip puts the pinned packages (`board` and `stubs` in pyproject.toml) into `.cache/stock` and `.cache/stubs`. The virtual
board takes the modules from there as if they were frozen in. The firmware imports none of them; the doctor does. They
are not installed: they are no packages for the host's Python.
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
Put = Callable[[str, Path, Mapping[str, str]], None]
"""Fetches a requirement into a folder, with that environment."""


def modules(folder: Path = FOLDER) -> dict[str, Path]:
    """What was fetched: path in a board's file system -> source file."""
    return {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*.py"))}


def fetch(folder: Path = FOLDER, environment: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Fetch what is missing. Raises Failed."""
    _current(folder, "board", environment or {}, _unpack)
    return modules(folder)


def stubs(folder: Path = STUBS, group: str = "stubs") -> list[Path]:
    """The stubs that a group pins, fetched if they are missing: `.pyi` files. Raises Failed."""
    _current(folder, group, {}, _install)
    return sorted(folder.rglob("*.pyi"))


def _current(folder: Path, group: str, environment: Mapping[str, str], put: Put) -> None:
    """Have in `folder` what a group of pyproject.toml pins; `put` fetches one requirement into a folder."""
    requirements = pinned(ROOT / "pyproject.toml", group)
    with aptroot.only_one_at_a_time(folder.parent, print):
        done = folder / _DONE
        if done.exists() and done.read_text().split() == requirements:
            return
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder.parent) as fresh:
            made = Path(fresh) / folder.name
            made.mkdir()
            for requirement in requirements:
                put(requirement, made, environment)
            (made / _DONE).write_text("\n".join(requirements))
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)


def _install(requirement: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Put one package of stubs into `folder`. Raises Failed."""
    command = ["install", "-q", "--no-deps", "--target", str(folder), requirement]
    done = _pip(command, environment)
    if done.returncode:
        raise Failed(f"{requirement} could not be fetched: {done.stderr.strip()[-300:]}")


def _pip(command: list[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", *command]
    return subprocess.run(pip, capture_output=True, text=True, env={**os.environ, **environment})


def _unpack(requirement: str, folder: Path, environment: Mapping[str, str]) -> None:
    """Put the modules of one package into `folder`. Raises Failed."""
    with tempfile.TemporaryDirectory() as temp:
        # It unpacks, then misses a setup.py and gives up; what it unpacked stays where we asked for it.
        command = [
            "download", "-q", "--no-clean", "--no-deps", "--no-binary", ":all:", "-d", temp, requirement,
        ]  # fmt: skip
        output = _pip(command, {**environment, "TMPDIR": temp}).stderr
        found = [path for path in Path(temp).glob("pip-download-*/*/*") if path.suffix != ".egg-info"]
        sources = [path for path in found if path.suffix == ".py" or any(path.glob("*.py"))]
        if not sources:
            raise Failed(f"{requirement} could not be fetched: {output.strip()[-300:]}")
        for source in sources:
            shutil.copytree(source, folder / source.name) if source.is_dir() else shutil.copy(source, folder)
