"""What every host test gets: coroutines as tests, property tests that repeat exactly, a fair share of the machine."""

import asyncio
import contextlib
import gc
import inspect
import itertools
import os
import re
import subprocess
import sys
from collections.abc import Generator

import hypothesis
import pytest

from tests_host.support.blocking import ROOT, Guard
from tools.build.bundle_cache import bundled
from tools.build.mpy import CompileError
from tools.env import interpreter

# The same examples on every run and no time limit per example: a red test must be red again on the next run.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "waits: mostly waits, as all in e2e/ does; begins early, beside what computes"
    )
    config.addinivalue_line("markers", "long: waits for tens of seconds; begins first")
    for name, first in (("gate", "gate"), ("thorough", "check, in e2e/ from TESTS=all")):
        config.addinivalue_line(
            "markers", f"{name}(*rows): runs from TESTS={first} on; with rows, those whose ids begin so"
        )


def pytest_xdist_auto_num_workers() -> int:
    """More processes than cores: the tests with real boards mostly wait for them."""
    return 5 + (os.cpu_count() or 1)


def pytest_xdist_setupnodes() -> None:
    """Make once what in a fresh clone all processes would make at the same time: bundled firmware, compiled tests."""
    with contextlib.suppress(CompileError):
        bundled(ROOT)
    if not sys.dont_write_bytecode and not any(ROOT.glob("tests_host/sim/__pycache__/*-pytest-*")):
        subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only"], cwd=ROOT, stdout=subprocess.DEVNULL
        )


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A mark of rows that no row has would mark nothing: it fails the collection of its file. Here are all rows,
    whatever `-k` or a node id selects of them later; only `--lf` has left some out."""
    report = yield
    if report.passed and isinstance(collector, pytest.Module) and not collector.config.getoption("lf", False):
        wrong = _rowless_marks(
            collector, [item for item in report.result if isinstance(item, pytest.Function)]
        )
        if wrong:
            report.outcome, report.longrepr = "failed", "\n".join(wrong)
    return report


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what TESTS says. Deal the tests for `--dist worksteal`, which gives each process as many of them, in
    this order, and moves later what is left: one process for each core has only such that compute, the others begin
    with such that wait."""
    config.hook.pytest_deselected(items=list(filter(_left_out, items)))
    items[:] = itertools.filterfalse(_left_out, items)
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    waiting_processes = processes - min(os.cpu_count() or 1, processes - 1)
    waiting = sorted(filter(_wait_rank, items), key=_wait_rank, reverse=True)
    computing = iter([item for item in items if not _wait_rank(item)])
    dealt: list[pytest.Item] = []
    for left in range(processes, 0, -1):
        first = waiting[left - 1 :: waiting_processes] if left <= waiting_processes else []
        share = (len(items) - len(dealt)) // left
        dealt += [*first, *itertools.islice(computing, max(share - len(first), 0))]
    items[:] = [*dealt, *computing]


def pytest_collection_finish() -> None:
    """Modules and tests live as long as the process: the collector need not look through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20000, 20, 50)


def _left_out(item: pytest.Item) -> bool:
    match os.environ.get("TESTS", "all"):
        case "quick":
            return _marked(item, "gate") or _marked(item, "thorough")
        case "gate":
            return _marked(item, "thorough")
        case "check":
            return "/e2e/" in item.nodeid and _marked(item, "thorough")
    return False


def _marked(item: pytest.Item, name: str) -> bool:
    return any(not mark.args or _row(item).startswith(mark.args) for mark in item.iter_markers(name))


def _rowless_marks(module: pytest.Module, items: list[pytest.Function]) -> list[str]:
    """What is wrong with the marks of rows in a file: those of its tests, and those of the file itself."""
    marked: list[tuple[str, list[pytest.Function], pytest.Mark]] = [
        (module.nodeid, items, mark) for mark in module.own_markers
    ]
    for name, rows in itertools.groupby(items, lambda item: item.originalname):
        same = list(rows)
        marked += [(f"{module.nodeid}::{name}", same, mark) for mark in same[0].own_markers]
    return [
        f"{where}: no row begins with {prefix!r}, as in its mark {mark.name}"
        for where, rows, mark in marked
        if mark.name in ("gate", "thorough")
        for prefix in mark.args
        if not any(_row(item).startswith(prefix) for item in rows) and not _is_of_absent_interpreter(prefix)
    ]


def _is_of_absent_interpreter(prefix: str) -> bool:
    """Whether rows are left out on a machine that has MicroPython in one word size only."""
    bits = re.search(r"\b(32|64)(-?bit)?\b", prefix)
    return bits is not None and int(bits[1]) not in {found.bits for found in interpreter.available()}


def _row(item: pytest.Item) -> str:
    """The id of a row of a parametrized test, "" of any other."""
    return item.callspec.id if isinstance(item, pytest.Function) and hasattr(item, "callspec") else ""


def _wait_rank(item: pytest.Item) -> int:
    """How early a test has to begin because it waits; 0 for one that computes."""
    if item.get_closest_marker("long"):
        return 2
    return int("/e2e/" in item.nodeid or item.get_closest_marker("waits") is not None)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run `async def test_*` in an event loop of its own, as the runner on MicroPython does."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    names = pyfuncitem._fixtureinfo.argnames
    asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in names}))
    return True


@pytest.fixture(scope="session")
def _blocking_calls():
    guard = Guard(ROOT / "firmware", ROOT / "lib")
    with pytest.MonkeyPatch.context() as patch:
        guard.install(patch)
        yield guard.found


@pytest.fixture(autouse=True)
def _never_blocked(_blocking_calls):
    """Device code that sleeps, looks names up or waits at a socket would stall every loop of a device."""
    _blocking_calls.clear()
    yield
    assert not _blocking_calls
