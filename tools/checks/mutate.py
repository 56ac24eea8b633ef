"""`python -m tools.checks.mutate [--seed N] [--sample N]`: do the tests notice when the device code is wrong?

cosmic-ray makes mutants of the device's decisions, links, loops and engines. Each mutant of a random sample is put into
a copy of the tree, where the tests run that execute its line (`line_tests`): the portable ones and the engines'
properties, then, for mutants that pass, the scenarios in virtual time. The command prints how each mutant ended, and
one JSON line with the seed, which draws the same sample again.

This is no gate: many surviving mutants mean the same as the original, such as another deadline of a second.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
import multiprocessing
import os
import random
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

from tools import common
from tools.checks import line_tests
from tools.env import stock
from tools.repository import ROOT

HOME = ROOT / ".cache" / "mutate"
CACHE = ROOT / ".cache" / "mutate-lines"
PARTS = ("firmware/core", "firmware/links", "firmware/runtime", "lib")


@dataclass(frozen=True)
class Mutant:
    """`operator`: of cosmic-ray; `occurrence`: at which of the places where it fits."""

    path: str
    operator: str
    occurrence: int
    line: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line} {self.operator.rpartition('/')[2]}"


def fetch() -> None:
    """Install cosmic-ray and coverage.py beside the environment, which has no need of them otherwise."""
    stock.packages(HOME, "mutate")


def modules(root: Path = ROOT, parts: tuple[str, ...] = PARTS) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for part in parts
        for path in (root / part).rglob("*.py")
        if path.name != "__init__.py"
    )


def mutants(paths: list[str]) -> Iterator[Mutant]:
    """All of them but those of what the device says, which is no promise."""
    from cosmic_ray.ast import ast_nodes, get_ast  # noqa: PLC0415 - beside the environment
    from cosmic_ray.plugins import get_operator, operator_names  # noqa: PLC0415

    operators = {name: get_operator(name) for name in operator_names()}
    for path in paths:
        text = (ROOT / path).read_text(encoding="utf-8")
        said, nodes = list(sayings(text)), list(ast_nodes(get_ast(text)))
        for name, operator in operators.items():
            if operator.arguments():
                continue
            places = [place for node in nodes for place in operator().mutation_positions(node)]
            for occurrence, (start, _) in enumerate(places):
                if not any(first <= tuple(start) < last for first, last in said):
                    yield Mutant(path, name, occurrence, start[0])


def sayings(text: str) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    """From where to where, by line and column, a text is put together, or something is logged."""
    for node in ast.walk(ast.parse(text)):
        logged = isinstance(node, ast.Call) and getattr(node.func, "attr", "") in ("log", "log_output")
        left = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod) else None
        texts = isinstance(left, ast.Constant) and isinstance(left.value, str)
        if isinstance(node, ast.expr) and (logged or texts):
            yield (node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0)


def changed(mutant: Mutant, text: str) -> str:
    """The mutated text; the same one where it is no Python any more."""
    from cosmic_ray.mutating import mutate_code  # noqa: PLC0415
    from cosmic_ray.plugins import get_operator  # noqa: PLC0415

    found = mutate_code(text, get_operator(mutant.operator)(), mutant.occurrence) or text
    try:
        ast.parse(found)
    except SyntaxError:
        return text
    return found


def copied(folder: Path) -> None:
    """The tree as it is here, into `folder`; environment and cache are shared."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)
    for name in (".venv", ".cache"):
        (folder / name).symlink_to((ROOT / name).resolve())


def difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join("    " + line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


class Worker:
    """A process's own copy of the tree, and the tests by line."""

    def __init__(self, parent: Path) -> None:
        self.folder = parent / str(os.getpid())
        self.folder.mkdir()
        copied(self.folder)
        self.stages: dict[str, line_tests.Tests] = {}
        self.turn = 0

    def record(self, file: str) -> bool:
        return line_tests.recorded(self.folder, file, PARTS, CACHE)

    def outcome(self, mutant: Mutant, stages: list[str], cap_s: float) -> tuple[str, str]:
        """What became of a mutant, in a word or two and in a text; ("", "") where it is no Python."""
        file = self.folder / mutant.path
        before = file.read_text(encoding="utf-8")
        after = changed(mutant, before)
        if after == before:
            return "", ""
        for stage in set(stages) - set(self.stages):
            self.stages[stage] = line_tests.Tests(self.folder, stage, CACHE)
        times = file.stat()
        file.write_text(after, encoding="utf-8")
        self.turn += 1
        os.utime(file, (times.st_atime, times.st_mtime + self.turn))  # what was compiled is of another text
        try:
            found, runs = self._noticed(mutant, before, stages, cap_s)
        finally:
            file.write_text(before, encoding="utf-8")
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))
        if found:
            return found, f"{found}: {mutant}"
        word = "survived" if any(count for count, _ in runs) else "not executed"
        tests = " + ".join(f"{count} of {every}" for count, every in runs)
        return word, f"{word.upper()} ({tests} tests): {mutant}\n{difference(before, after)}"

    def _noticed(
        self, mutant: Mutant, text: str, stages: list[str], cap_s: float
    ) -> tuple[str, list[tuple[int, int]]]:
        runs: list[tuple[int, int]] = []
        for stage in stages:
            tests = self.stages[stage].of(mutant.path, text, mutant.line)
            end, count = self.stages[stage].run(self.folder, tests, cap_s)
            if end:
                return f"{end} in {stage}", runs
            runs.append((count, len(tests)))
        return "", runs


_worker: list[Worker] = []


def _start(parent: Path) -> None:
    _worker.append(Worker(parent))


def _record(file: str) -> bool:
    return _worker[0].record(file)


def _outcome(mutant: Mutant, stages: list[str], cap_s: float) -> tuple[str, str]:
    return _worker[0].outcome(mutant, stages, cap_s)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.checks.mutate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--sample", type=int, default=20, help="how many mutants (default 20)")
    parser.add_argument("--seed", type=int, default=None, help="draws the sample; a random one by default")
    parser.add_argument("--only", nargs="*", default=list(PARTS), help="parts of the tree, or files")
    parser.add_argument("--stages", nargs="*", default=list(line_tests.STAGES), choices=line_tests.STAGES)
    parser.add_argument("--cap", type=float, default=60, help="seconds of tests for each mutant and stage")
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time (default 2)")
    args = parser.parse_args(argv)
    fetch()
    sys.path.append(str(HOME))
    paths = [path for path in modules() if path.startswith(tuple(args.only))]
    if not paths:
        raise common.Failed(f"nothing to mutate in {', '.join(args.only)}", f"Parts are {', '.join(PARTS)}")
    seed = secrets.randbelow(10**6) if args.seed is None else args.seed
    every = list(mutants(paths))
    sample = random.Random(seed).sample(every, min(args.sample, len(every)))
    print(f"seed {seed}: {len(sample)} of {len(every)} mutants", flush=True)
    started = time.monotonic()
    outcomes: Counter[str] = Counter()
    sys.dont_write_bytecode = False  # the copies are compiled once
    CACHE.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="mutate-") as parent,
        ProcessPoolExecutor(args.jobs, multiprocessing.get_context("fork"), _start, (Path(parent),)) as pool,
    ):
        files = [file for stage in args.stages for file in line_tests.test_files(ROOT, stage)]
        for file, passed in zip(files, pool.map(_record, files), strict=True):
            if not passed:
                raise common.Failed(f"the tests fail without any mutant: {file}", "Run: make test")
        print(f"tests by line after {time.monotonic() - started:.0f} s", flush=True)
        waiting = {
            pool.submit(_outcome, mutant, args.stages, args.cap): number
            for number, mutant in enumerate(sample, 1)
        }
        for future in as_completed(waiting):
            word, text = future.result()
            if word:
                outcomes[word] += 1
                print(f"{waiting[future]:3} {text}", flush=True)
    facts = {"seed": seed, "sample": sum(outcomes.values()), "of": len(every), **outcomes}
    print(json.dumps(facts | {"seconds": round(time.monotonic() - started)}))
    return 0


if __name__ == "__main__":
    sys.exit(common.run(main))
