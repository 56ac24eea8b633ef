"""Puts the device tree, a configuration and its certificates into a flash folder, as a deploy puts them on a chip."""

from __future__ import annotations

import enum
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from firmware.core import romslot
from tools.build.bundle_cache import bundled
from tools.build.payload import STARTERS

_PACKAGES = ("firmware", "lib")


class Form(enum.Enum):
    """How the code is there: as modules, as bundled and compiled units, or not at all: the ROM partition has it."""

    SOURCES = ("sources", *STARTERS, *_PACKAGES)
    BUNDLED = ("bundled", *STARTERS)
    ROM = ("rom", *STARTERS)


def install(
    flash: Path,
    config: Mapping[str, Any],
    root: Path,
    files: Mapping[str, bytes] | None = None,
    form: Form = Form.SOURCES,
) -> None:
    """Replace the code in `flash` by that of `root` and write `config.json`; what the device stored itself stays.

    `boot.py` and `main.py` are what the chip looks for by name, so they are sources in either form.

    `files`: content by path on the device, for what is not in `root`; with ROM their Python, but for that in STARTERS,
    is in the partition too. A CA file that `config` names and neither holds raises FileNotFoundError.
    """
    flash.mkdir(parents=True, exist_ok=True)
    for name in _PACKAGES:
        shutil.rmtree(flash / name, ignore_errors=True)
    for name in form.value[1:]:
        _copy(root / name, flash / name)
    given = bundled(root) if form is Form.BUNDLED else {}
    given |= files or {}
    (flash / "config.json").write_text(json.dumps(config))
    if form is Form.ROM:
        (flash / "slot.json").write_text(json.dumps({"slot": romslot.slot_name(0)}))
    for name in config.get("cloud", {}).get("ca_files", ()):
        if name not in given:
            given[name] = (root / name).read_bytes()
    for name, content in given.items():
        if form is Form.ROM and in_rom(name):
            continue
        (flash / name).parent.mkdir(parents=True, exist_ok=True)
        (flash / name).write_bytes(content)


def in_rom(name: str) -> bool:
    """Whether a file goes into the ROM partition, where there is one."""
    return name.endswith((".py", ".mpy")) and name not in STARTERS


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copyfile(source, target)
