"""Keeps the compiled code of the device's modules while units are loaded thousands of times.

A module is executed anew with each import, as on a device; only its file is not looked for and read again.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.abc import InspectLoader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType

from tools.repository import ROOT

_DEVICE = (f"{ROOT}/firmware/", f"{ROOT}/lib/")


class _Kept(InspectLoader):
    """`folders`: of a package, where its modules are."""

    def __init__(self, code: CodeType, folders: list[str] | None) -> None:
        self._code, self.folders = code, folders

    def get_code(self, fullname: str) -> CodeType:
        return self._code

    def get_source(self, fullname: str) -> None:
        return None


class _Finder(MetaPathFinder):
    def __init__(self) -> None:
        self._kept: dict[str, _Kept] = {}

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in self._kept:
            spec = PathFinder.find_spec(name, path, target)
            loader = spec and spec.loader
            if not spec or not isinstance(loader, SourceFileLoader) or not loader.path.startswith(_DEVICE):
                return None
            code = loader.get_code(name)
            assert code
            self._kept[name] = _Kept(code, spec.submodule_search_locations)
        kept = self._kept[name]
        found = ModuleSpec(name, kept, is_package=kept.folders is not None)
        found.submodule_search_locations = kept.folders
        return found


@cache
def _finder() -> _Finder:
    return _Finder()


@contextlib.contextmanager
def kept_code() -> Iterator[None]:
    """What is imported within it is kept for the next time, too."""
    sys.meta_path.insert(0, _finder())
    try:
        yield
    finally:
        sys.meta_path.remove(_finder())
