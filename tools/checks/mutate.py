"""`python -m tools.checks.mutate [--seed N] [--sample N]`: do the tests notice when the device code is wrong?

cosmic-ray makes mutants of the device's decisions, links, loops and engines. Each mutant of a random sample is put into
a copy of the tree. The portable tests run first, on two interpreters; for mutants that pass, the tests in virtual time
and the simulation run. The command prints each mutant that survives, and one JSON line with the seed, which draws the
same sample again.

This is no gate: many surviving mutants mean the same as the original, such as another deadline of a second.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import json
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
from dataclasses import dataclass
from pathlib import Path

from tools import common
from tools.env.setup_venv import pinned
from tools.repository import ROOT

HOME = ROOT / ".cache" / "mutate"
PARTS = ("firmware/core", "firmware/links", "firmware/runtime", "lib")
_PYTEST = ("-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest")
Stages = tuple[tuple[str, tuple[str, ...], int], ...]
STAGES: Stages = (
    ("portable", (*_PYTEST, "tests_host/portable"), 120),
    ("portable on MicroPython", ("-m", "tools.checks.portable", "--bits", "32"), 300),
    ("stories", (*_PYTEST, "-n", "2", "tests_host/sim"), 900),
    ("simulation", ("-m", "tools", "simulate", "--seeds", "1..4", "--hours", "4"), 300),
)
"""Name, arguments for Python, seconds. One that hangs is noticed too."""


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
    """Install cosmic-ray beside the environment, which has no need of it otherwise."""
    if HOME.is_dir():
        return
    HOME.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=HOME.parent) as folder:
        argv = [sys.executable, "-m", "pip", "install", "--quiet", "--target", f"{folder}/packages"]
        argv += pinned(ROOT / "pyproject.toml", "mutate")
        done = subprocess.run(argv, capture_output=True, text=True)
        if done.returncode:
            raise common.Failed("cosmic-ray cannot be installed", done.stderr.strip()[-300:])
        Path(folder, "packages").rename(HOME)


def modules(root: Path = ROOT, parts: tuple[str, ...] = PARTS) -> list[str]:
    return sorted(
        path.relative_to(root).as_posix()
        for part in parts
        for path in (root / part).rglob("*.py")
        if path.name != "__init__.py"
    )


def mutants(paths: list[str], root: Path = ROOT) -> Iterator[Mutant]:
    """All of them but those of what the device says, which is no promise."""
    from cosmic_ray.ast import ast_nodes, get_ast  # noqa: PLC0415 - beside the environment
    from cosmic_ray.plugins import get_operator, operator_names  # noqa: PLC0415

    operators = {name: get_operator(name) for name in operator_names()}
    for path in paths:
        text = (root / path).read_text(encoding="utf-8")
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


def copied(folder: Path, root: Path = ROOT) -> None:
    """The tree as it is here, into `folder`; environment and cache are shared."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=root, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, names.split("\0")):
        if (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(root / name, folder / name)
    for name in (".venv", ".cache"):
        (folder / name).symlink_to((root / name).resolve())


def killer(folder: Path, stages: Stages = STAGES) -> str:
    """The first stage that fails in `folder`, "" when none does."""
    env = os.environ | {"TESTS": "quick", "PYTHONDONTWRITEBYTECODE": "1"}
    for name, arguments, seconds in stages:
        process = subprocess.Popen(
            [sys.executable, *arguments], cwd=folder, env=env, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            failed = process.wait(seconds) != 0
        except subprocess.TimeoutExpired:
            failed = True
        finally:
            if process.poll() is None:
                os.killpg(process.pid, 9)
                process.wait()
        if failed:
            return name
    return ""


def difference(before: str, after: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=0)
    return "\n".join("    " + line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.checks.mutate", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--sample", type=int, default=20, help="how many mutants (default 20)")
    parser.add_argument("--seed", type=int, default=None, help="draws the sample; a random one by default")
    parser.add_argument("--only", nargs="*", default=list(PARTS), help="parts of the tree, or files")
    parser.add_argument(
        "--stages", type=int, default=len(STAGES), help="the first so many stages of tests only"
    )
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
    outcomes: Counter[str] = Counter()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        copied(Path(folder))
        if first := killer(Path(folder), STAGES[: args.stages]):
            raise common.Failed(f"the tests fail without any mutant: {first}", "Run: make test")
        try:
            for number, mutant in enumerate(sample, 1):
                outcomes[_outcome(number, mutant, Path(folder), STAGES[: args.stages])] += 1
        except KeyboardInterrupt:
            print("stopped; so far:", file=sys.stderr)
    facts = {"seed": seed, "sample": sum(outcomes.values()), "of": len(every), **outcomes}
    print(json.dumps(facts | {"seconds": round(time.monotonic() - started)}))
    return 0


def _outcome(number: int, mutant: Mutant, folder: Path, stages: Stages) -> str:
    file = folder / mutant.path
    before = file.read_text(encoding="utf-8")
    after = changed(mutant, before)
    if after == before:
        return "none"
    file.write_text(after, encoding="utf-8")
    try:
        found = killer(folder, stages)
    finally:
        file.write_text(before, encoding="utf-8")
    print(f"{number:3} {f'noticed by {found}' if found else 'SURVIVED'}: {mutant}", flush=True)
    if not found:
        print(difference(before, after), flush=True)
    return found or "survived"


if __name__ == "__main__":
    sys.exit(common.run(main))
