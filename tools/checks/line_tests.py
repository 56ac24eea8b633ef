"""Which tests execute which line of the device code, and how to run just these, for `tools.checks.mutate`.

Each file of tests runs once under coverage.py, in a process of its own, so lines that run when a module is imported
belong to the files that import it. What was found is kept in the cache until the code or the file changes.
"""

from __future__ import annotations

import ast
import hashlib
import json
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STAGES = {"portable": ("portable/test_*.py", "host/test_*_properties.py"), "stories": ("sim/test_*.py",)}
"""Files of `tests_host`, those of the first stage being fast."""
_OPTIONS = ("-x", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
_FIRST = 20
Lines = dict[str, list[int]]


class Recorder:
    """A pytest plugin: seconds of each test, and by test, "" for the import of its file, the lines it executes."""

    def __init__(self, folder: Path, parts: tuple[str, ...]) -> None:
        import coverage  # noqa: PLC0415 - beside the environment

        self._folder = folder
        self._coverage = coverage.Coverage(
            data_file=None, config_file=False, source=[str(folder / part) for part in parts]
        )
        self._seconds: dict[str, float] = {}
        self._coverage.start()

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        self._coverage.switch_context(item.nodeid)
        started = time.process_time()
        try:
            return (yield)
        finally:
            self._seconds[item.nodeid] = round(time.process_time() - started, 2)
            self._coverage.switch_context("")

    def found(self) -> dict[str, Any]:
        self._coverage.stop()
        data = self._coverage.get_data()
        lines: dict[str, Lines] = {}
        for file in data.measured_files():
            name = Path(file).relative_to(self._folder).as_posix()
            for line, tests in data.contexts_by_lineno(file).items():
                for test in tests:
                    lines.setdefault(test, {}).setdefault(name, []).append(line)
        return {"seconds": self._seconds, "lines": lines}


class Only:
    """A pytest plugin: only these tests, in this order."""

    def __init__(self, tests: list[str]) -> None:
        self._place = {test: place for place, test in enumerate(tests)}

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._place]
        items[:] = sorted(chosen, key=lambda item: self._place[item.nodeid])


def _pytest(folder: Path, arguments: list[str], plugin: object, into: Path | None) -> None:
    """In a process of its own: pytest in `folder`, with the modules that lie there."""
    null = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(null, stream)
    os.chdir(folder)
    os.setsid()
    os.environ["TESTS"] = "gate"
    sys.path[0] = str(folder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "tools"]:
        del sys.modules[name]
    status = int(pytest.main([*_OPTIONS, *arguments], plugins=[plugin]))
    if into and isinstance(plugin, Recorder) and status in (0, pytest.ExitCode.NO_TESTS_COLLECTED):
        into.write_text(json.dumps(plugin.found()), encoding="utf-8")
        status = 0  # all tests of a file may be thorough ones
    os._exit(status)


def _ended(folder: Path, files: list[str], plugin: object, limit_s: float, into: Path | None = None) -> str:
    """How pytest ended: "" when all tests passed, "failure" or "time-out"."""
    process = multiprocessing.get_context("fork").Process(target=_pytest, args=(folder, files, plugin, into))
    process.start()
    process.join(limit_s)
    if process.is_alive():
        process.kill()
        process.join()
        return "time-out"
    return "failure" if process.exitcode else ""


def test_files(root: Path, stage: str) -> list[str]:
    found = [path for pattern in STAGES[stage] for path in (root / "tests_host").glob(pattern)]
    return sorted(path.relative_to(root).as_posix() for path in found)


def key(root: Path, file: str) -> str:
    """Of the code a test runs and of its file: another one when either changes."""
    digest = hashlib.sha256((root / file).read_bytes())
    for part in ("firmware", "lib", "tools/sim", "tools/cloud", "tests_host/support"):
        for path in sorted((root / part).rglob("*.py")):
            digest.update(path.read_bytes())
    return f"{Path(file).stem}-{digest.hexdigest()[:16]}.json"


def recorded(folder: Path, file: str, parts: tuple[str, ...], cache: Path) -> bool:
    """Run one file of tests under coverage unless the cache has it; whether it passed."""
    into = cache / key(folder, file)
    return into.is_file() or not _ended(folder, [file], Recorder(folder, parts), 1800, into)


class Tests:
    """The tests of one stage, as `recorded` found them."""

    def __init__(self, root: Path, stage: str, cache: Path) -> None:
        self._seconds: dict[str, float] = {}
        self._imports: dict[str, dict[str, set[int]]] = {}
        self._lines: dict[str, dict[str, set[int]]] = {}
        self._texts: dict[str, str] = {}
        for file in test_files(root, stage):
            if not (cache / key(root, file)).is_file():
                continue
            facts = json.loads((cache / key(root, file)).read_text(encoding="utf-8"))
            self._seconds.update(facts["seconds"])
            self._texts[file] = (root / file).read_text(encoding="utf-8")
            for test, lines in facts["lines"].items():
                table, name = (self._lines, test) if test else (self._imports, file)
                table[name] = {path: set(numbers) for path, numbers in lines.items()}

    def of(self, path: str, text: str, line: int) -> list[str]:
        """Those that execute a line: first of files that name its module, then the shortest."""
        lines, module = statement(text, line), Path(path).stem
        importers = {file for file, found in self._imports.items() if lines & found.get(path, set())}
        chosen = [
            test
            for test in self._seconds
            if test.partition("::")[0] in importers or lines & self._lines.get(test, {}).get(path, set())
        ]
        return sorted(
            chosen, key=lambda test: (module not in self._texts[test.partition("::")[0]], self._seconds[test])
        )

    def run(self, folder: Path, tests: list[str], cap_s: float, spare_s: float = 30) -> tuple[str, int]:
        """How they ended in `folder`, and how many were chosen: those that take `cap_s` of the processor together. They
        have ten times as long, and `spare_s`, on a busy machine. The first run without the files of the others."""
        count, left_s = 0, cap_s
        while count < len(tests) and (left_s := left_s - self._seconds[tests[count]]) >= 0:
            count += 1
        for some in (tests[: min(count, _FIRST)], tests[_FIRST:count]):
            files = list(dict.fromkeys(test.partition("::")[0] for test in some))
            limit_s = 10 * sum(self._seconds[test] for test in some) + spare_s
            if files and (end := _ended(folder, files, Only(some), limit_s)):
                return end, count
        return "", count


def statement(text: str, line: int) -> set[int]:
    """The lines of the smallest statement that has `line`; of one with a body, those of its head."""
    found = {line}
    size = sys.maxsize
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.stmt, ast.ExceptHandler)):
            body = getattr(node, "body", None)
            first = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
            last = body[0].lineno - 1 if body else node.end_lineno or node.lineno
            if first <= line <= max(first, last) and last - first < size:
                found, size = set(range(first, max(first, last) + 1)), last - first
    return found
