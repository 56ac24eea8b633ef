"""`python -m tools.checks.typecheck`: does the device code use only what the oldest and the newest MicroPython have?

mypy looks at the bodies of all functions, against the published stubs of either version with `corrections`. It sees the
chip's objects where they are made and named; what comes in as an argument has no type, so a second look takes every
attribute that is used by its name alone: somebody must have it, the code itself or the version's stubs.
What our own classes and functions have and take, whoever calls them, is left to the tests. Exit status 1: findings.
"""

from __future__ import annotations

import argparse
import ast
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from threading import Lock
from typing import NamedTuple

from tools import common
from tools.checks.typecheck.corrections import BEFORE_1_25, COMMON, Correction, correct
from tools.env import stock
from tools.repository import ROOT, device_files

_OPTIONS = (
    "--config-file=", "--no-site-packages", "--python-version=3.11", "--platform=esp32", "--cache-dir=/dev/null",
    "--follow-imports=silent", "--check-untyped-defs", "--no-error-summary", "--no-color-output",
    # Nothing in the code says what a name may hold later on: None and an empty tuple are beginnings.
    "--no-strict-optional", "--disable-error-code=var-annotated", "--disable-error-code=assignment",
    "--disable-error-code=index", "--disable-error-code=misc",
    # A `bytearray` without `insert` lacks what CPython's kinds of sequences promise.
    "--disable-error-code=abstract",
)  # fmt: skip
_FINDING = re.compile(r"(.+?\.py):(\d+): error: (.*)")
_SUBJECT = (
    re.compile(r'"(\w+)" has no attribute'),
    re.compile(
        r'(?:argument|arguments|parameter|value for argument)\b.* (?:for|in call to|to) "(\w+)"(?: of "(\w+)")?'
    ),
)
"""Whom a finding is about."""
_STANDARD = ("builtins", "array", "io", "re", "struct", "asyncio")
_DEFINED = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

_PARSING = Lock()


class Version(NamedTuple):
    """`group` of pyproject.toml: the pinned stubs; `folder`: where they are fetched to."""

    name: str
    group: str
    folder: Path
    corrections: list[Correction]


VERSIONS = (
    Version("oldest", "stubs-oldest", ROOT / ".cache" / "stubs-oldest", COMMON + BEFORE_1_25),
    Version("newest", "stubs", stock.STUBS, COMMON),
)


class Finding(NamedTuple):
    path: PurePosixPath
    line: int
    text: str
    version: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.version}: {self.text}"


def fetch() -> None:
    """Have the stubs of all versions here. Raises common.Failed."""
    for version in VERSIONS:
        stock.stubs(version.folder, version.group)


def check(root: Path) -> list[Finding]:
    """All findings in the device code below `root`, by file and line. common.Failed when there can be no check."""
    fetch()
    stubs = {}
    with tempfile.TemporaryDirectory() as temp, ThreadPoolExecutor() as pool:
        for version in VERSIONS:
            stubs[version.name] = shutil.copytree(version.folder, Path(temp) / version.name)
            correct(stubs[version.name], version.corrections)
        both = pool.map(lambda version: _findings(root, version.name, stubs[version.name]), VERSIONS)
        return sorted(finding for findings in both for finding in findings)


def _parsed(file: Path) -> ast.Module:
    # CPython 3.11 counts the depth of all threads that parse in one place, and fails with SystemError.
    with _PARSING:
        return ast.parse(file.read_text(encoding="utf-8"))


def _findings(root: Path, version: str, stubs: Path) -> list[Finding]:
    files = device_files(root)
    trees = {path: _parsed(root / path) for path in files}
    known = _names(stubs)
    ours = set().union(*map(_own, trees.values()))
    found = {
        Finding(PurePosixPath(path), line, text, version)
        for path, line, text in _mypy(root, files, stubs)
        if not _subjects(text) & (ours - known | {"None"})
    }
    seen = {finding[:2] for finding in found}
    for path, tree in trees.items():
        for line, text in [*_unknown(tree, known | ours), *(_later(tree) if version == "oldest" else ())]:
            if (path, line) not in seen:
                found.add(Finding(path, line, text, version))
    return sorted(found)


def _mypy(root: Path, files: list[PurePosixPath], stubs: Path) -> Iterator[tuple[str, int, str]]:
    """(path, line, text). Raises common.Failed when mypy breaks off."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *_OPTIONS, "--custom-typeshed-dir", stubs, *map(str, files)],
        cwd=root, env={"MYPYPATH": f".:lib:{stubs}", "PATH": ""}, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode not in (0, 1):
        raise common.Failed(f"mypy broke off: {(done.stdout + done.stderr).strip()[-500:]}")
    for line in done.stdout.splitlines():
        if match := _FINDING.fullmatch(line):
            yield match[1], int(match[2]), match[3]


def _subjects(text: str) -> set[str]:
    return {
        name for pattern in _SUBJECT if (match := pattern.search(text)) for name in match.groups() if name
    }


def _unknown(tree: ast.Module, known: set[str]) -> Iterator[tuple[int, str]]:
    """(line, text) of attributes that nothing has."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr not in known and node.attr[:2] != "__":
            yield node.lineno, f'nothing has an attribute "{node.attr}"'


def _later(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, text) of calls that a text or bytes of the oldest version refuses, whatever mypy knows of the object."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name, given = node.func.attr, node.args
        if name in ("startswith", "endswith"):
            if any(isinstance(each, ast.Tuple | ast.Starred) for each in given):
                yield node.lineno, f"{name} takes no tuple before 1.25"
            elif len(given) > (2 if name == "startswith" else 1):
                yield node.lineno, f"{name} takes no end before 1.25, and endswith no start"
        elif name == "decode" and len(given) == 2 and all(isinstance(each, ast.Constant) for each in given):
            yield node.lineno, "decode raises before 1.25, whatever its second argument says"
        elif name == "to_bytes" and node.keywords:
            yield node.lineno, "to_bytes takes no `signed` before 1.25"


def _names(stubs: Path) -> set[str]:
    """All that an object of this version may have: what its stubs define. Types that only stubs need are no objects."""
    files = [file for file in stubs.glob("*.pyi") if file.stem != "ssl"]
    files += [stubs / "stdlib" / f"{name}.pyi" for name in _STANDARD]
    for name in ("collections", "json", "os", "sys"):
        files += (stubs / "stdlib" / name).rglob("*.pyi")
    return set().union(*(_own(_parsed(file)) for file in files))


def _own(tree: ast.Module) -> set[str]:
    """What a file defines: functions, classes, variables, attributes, modules, fields of named tuples."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, _DEFINED):
            names.add(node.name)
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.id if isinstance(node, ast.Name) else node.attr)
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "namedtuple":
            texts = (n.value for n in ast.walk(node.args[1]) if isinstance(n, ast.Constant))
            names.update(name for text in texts for name in str(text).split())
    return names


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.checks.typecheck", description="Type-check the device code."
    )
    parser.parse_args(argv)
    findings = check(ROOT)
    for finding in findings:
        print(finding)
    print(f"types: {len(device_files(ROOT))} device files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(common.run(main))
