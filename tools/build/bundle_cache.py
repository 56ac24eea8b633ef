"""Caches the bundled firmware in `.cache/bundled/`: bundling takes seconds, and tools and tests ask for it often.

Each file is named after the digest of all its inputs: the device's sources, the bundler and the compiler. So a file is
never out of date, and all of them may be deleted.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import zipfile
from pathlib import Path

from tools.build import bundler, mangled_names, mangler, merger, mpy, scopes, texts, words
from tools.build.mpy import compiler_version
from tools.repository import ROOT

CACHE = ROOT / ".cache" / "bundled"
_MOST = 24
_PACKAGES = ("firmware", "lib")


def bundled(root: Path, cache: Path = CACHE) -> dict[str, bytes]:
    """What `bundler.bundled` gives, bundled at most once. Raises tools.build.mpy.CompileError."""
    path = cache / f"{_digest(root)}.zip"
    try:
        return _read(path)
    except (OSError, zipfile.BadZipFile):
        units = bundler.bundled(root)
        _write(path, units)
        return units


def _digest(root: Path) -> str:
    found = hashlib.sha256(compiler_version().encode())
    modules = (bundler, merger, mpy, mangler, scopes, mangled_names, texts, words)
    own = [Path(module.__file__) for module in modules if module.__file__]
    sources = sorted(path for name in _PACKAGES for path in (root / name).rglob("*.py"))
    for path in (*own, *sources):
        content = path.read_bytes()
        name = path.relative_to(root) if path in sources else path.name
        found.update(f"{name} {len(content)}\n".encode() + content)
    return found.hexdigest()


def _read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _write(path: Path, units: dict[str, bytes]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in sorted(path.parent.glob("*.zip"), key=lambda p: p.stat().st_mtime)[: -_MOST + 1]:
        old.unlink(missing_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent)
    with os.fdopen(handle, "wb") as f, zipfile.ZipFile(f, "w") as archive:
        for unit, code in units.items():
            archive.writestr(unit, code)
    Path(name).replace(path)  # other processes bundle the same
