"""Run the portable tests on the real MicroPython, each file in a process of its own.

Owns: starting the interpreter on `tests_host/support/portable_runner.py` and judging what comes back. A file that
crashes the interpreter, hangs, or holds no test at all has failed. `python -m tools.portable [--bits 64|32] [FILE ...]`
prints a line per file and exits 1 when any failed.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tools import interpreter

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "tests_host" / "portable"
RUNNER = ROOT / "tests_host" / "support" / "portable_runner.py"
WORD_SIZES = (64, 32)
LIMIT_S = 60


@dataclass(frozen=True)
class Outcome:
    """What one file did on one interpreter. `text` is what it printed, for people."""

    passed: int
    failed: tuple[str, ...]
    text: str
    crash: str = ""

    @property
    def ok(self) -> bool:
        return self.passed > 0 and not self.failed and not self.crash

    def __str__(self) -> str:
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
    try:
        result = json.loads(done.stdout.splitlines()[-1])
        return Outcome(result["passed"], tuple(result["failed"]), text)
    except (IndexError, ValueError, KeyError, TypeError):
        return Outcome(0, (), text, f"exit status {done.returncode} without a result")


def word_sizes() -> tuple[int, ...]:
    """The word sizes there is an interpreter for here. Raises InterpreterError when there is none at all."""
    found = []
    for bits in WORD_SIZES:
        try:
            interpreter.find(bits)
            found.append(bits)
        except interpreter.InterpreterError as error:
            missing = error
    if not found:
        raise missing
    return tuple(found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bits", type=int, choices=WORD_SIZES, help="one word size only")
    parser.add_argument("files", nargs="*", type=lambda name: Path(name).resolve())
    args = parser.parse_args()
    good = True
    try:
        pythons = [interpreter.find(bits) for bits in ([args.bits] if args.bits else word_sizes())]
    except interpreter.InterpreterError as error:
        sys.exit(str(error))
    for python in pythons:
        print(python, flush=True)
        for file in args.files or files():
            outcome = run(file, python)
            print(f"  {file.name}: {outcome}", flush=True)
            if not outcome.ok:
                print(outcome.text or "  no test ran")
                good = False
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
