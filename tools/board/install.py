"""Puts the device tree, a configuration and its certificates into a flash folder, as a deploy puts them on a chip."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from tools.linkcache import linked

_STARTERS = ("boot.py", "main.py")
_PACKAGES = ("firmware", "lib")


def install(
    flash: Path, config: Mapping, root: Path, files: Mapping[str, bytes] | None = None, compile_: bool = False
) -> None:
    """Replace the code in `flash` by that of `root` and write `config.json`; what the device stored itself stays.

    With `compile_` packages are put there linked and compiled; `boot.py` and `main.py` are what the chip looks for by
    name.

    `files`: content by path on the device, for what is not in `root`. A CA file that `config` names and neither
    holds raises FileNotFoundError.
    """
    flash.mkdir(parents=True, exist_ok=True)
    for name in _PACKAGES:
        shutil.rmtree(flash / name, ignore_errors=True)
    for name in _STARTERS if compile_ else (*_STARTERS, *_PACKAGES):
        _copy(root / name, flash / name)
    given = linked(root) if compile_ else {}
    given |= files or {}
    (flash / "config.json").write_text(json.dumps(config))
    for name in config.get("cloud", {}).get("ca_files", ()):
        if name not in given:
            given[name] = (root / name).read_bytes()
    for name, content in given.items():
        (flash / name).parent.mkdir(parents=True, exist_ok=True)
        (flash / name).write_bytes(content)


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
    else:
        shutil.copyfile(source, target)
