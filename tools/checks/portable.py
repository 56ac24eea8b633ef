"""Runs the portable tests on the real MicroPython, each file in an interpreter of its own.

`run` uses the packaged interpreters of this machine, `run_in_node` one of each supported version in node. A file fails
that crashes the interpreter, hangs, or holds no test.

    python -m tools.checks.portable [--bits 64|32] [--versions ends|all|1.24.0,...] [FILE ...]

prints a line per file and exits 1 when any failed.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.common import Failed
from tools.env import interpreter, npm, wasm
from tools.repository import ROOT

FOLDER = ROOT / "tests_host" / "portable"
RUNNER = ROOT / "tests_host" / "support" / "portable_runner.py"
IN_NODE = ROOT / "tests_host" / "node" / "portable.mjs"
WORD_SIZES = (64, 32)
LIMIT_S = 180
ABSENT_IN_NODE = ("bluetooth", "esp32", "machine", "network", "ssl", "vfs", "_thread")
"""Modules of an ESP32 that the builds for node neither have nor are given: a file that imports one cannot run there."""


@dataclass(frozen=True)
class Outcome:
    """What one file did on one interpreter. `text` is what it printed, for people. `lacks`: the module for want of
    which it could not run at all; such a file is not `ok`."""

    passed: int
    failed: tuple[str, ...]
    text: str
    crash: str = ""
    lacks: str = ""

    @property
    def ok(self) -> bool:
        return self.passed > 0 and not self.failed and not self.crash

    def __str__(self) -> str:
        if self.lacks:
            return f"cannot run without {self.lacks}"
        if self.crash:
            return f"crashed: {self.crash}"
        return f"{self.passed} passed, {len(self.failed)} failed"


def files() -> list[Path]:
    return sorted(FOLDER.glob("test_*.py"))


def run(file: Path, python: interpreter.Interpreter, limit_s: float = LIMIT_S) -> Outcome:
    """Run one test file on `python`; never raises for what the file does."""
    argv = [*python.argv, str(RUNNER), str(ROOT), str(file)]
    try:
        done = subprocess.run(
            argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        return Outcome(0, (), "", f"no end after {limit_s:g} s")
    text = done.stdout + done.stderr
    return _outcome(done.stdout.splitlines(), text, f"exit status {done.returncode} without a result")


def run_in_node(tests: list[Path], build: Path, limit_s: float = 3 * LIMIT_S) -> dict[Path, Outcome]:
    """Run test files on the build of one version (`wasm.build`), one after the other in one process; a file that
    crashes or hangs takes no other with it. Raises Failed."""
    argv = [*npm.node(), str(IN_NODE), str(build), str(ROOT), f"{limit_s:g}", *map(str, tests)]
    done = subprocess.run(argv, cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    found = {}
    for line in done.stdout.splitlines():
        result = json.loads(line)
        lines, raised = result["lines"], result["raised"]
        text = "\n".join([*lines, raised])
        absent = re.search(r"ImportError: no module named '([^']+)'\s*$", raised)
        if absent and absent[1] in ABSENT_IN_NODE:
            found[Path(result["file"])] = Outcome(0, (), text, lacks=absent[1])
        elif raised:
            found[Path(result["file"])] = Outcome(0, (), text, raised.strip().splitlines()[-1])
        else:
            found[Path(result["file"])] = _outcome(lines, text, "no result")
    for test in tests:
        found.setdefault(test, Outcome(0, (), done.stderr, "node ended before its turn"))
    return found


def _outcome(lines: list[str], text: str, otherwise: str) -> Outcome:
    """What the runner's last line says; `otherwise`: what the crash is called when it says nothing."""
    try:
        result = json.loads(lines[-1])
        return Outcome(result["passed"], tuple(result["failed"]), text)
    except (IndexError, ValueError, KeyError, TypeError):
        return Outcome(0, (), text, otherwise)


def word_sizes() -> tuple[int, ...]:
    """The word sizes there is an interpreter for here. Raises Failed when there is none at all."""
    interpreter.find()
    return tuple(found.bits for found in reversed(interpreter.available()))


def _everywhere(
    bits: Iterable[int], versions: list[str], tests: list[Path]
) -> Iterator[tuple[str, Path, Outcome]]:
    """Every file on every interpreter that was asked for. Raises Failed."""
    for python in [interpreter.find(size) for size in bits]:
        for test in tests:
            yield str(python), test, run(test, python)
    for version in versions:
        for test, outcome in run_in_node(tests, wasm.build(version)).items():
            yield f"MicroPython {version}, node", test, outcome


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits", type=int, choices=WORD_SIZES, help="one packaged interpreter only")
    parser.add_argument("--versions", help="of the builds for node: ends, all, or some of them, by commas")
    parser.add_argument("files", nargs="*", type=lambda name: Path(name).resolve())
    args = parser.parse_args()
    good, last, nowhere = True, "", set()
    try:
        bits = [args.bits] if args.bits else [] if args.versions else word_sizes()
        versions = [] if args.bits else wasm.chosen(args.versions)
        for name, test, outcome in _everywhere(bits, versions, args.files or files()):
            if name != last:
                print(last := name, flush=True)
            print(f"  {test.name}: {outcome}", flush=True)
            if outcome.lacks:
                nowhere.add(test.name)
            elif not outcome.ok:
                print(outcome.text or "  no test ran")
                good = False
    except Failed as failed:
        sys.exit(f"{failed}\n{failed.do}")
    for name in sorted(nowhere):
        print(f"{name} runs on no old version")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
