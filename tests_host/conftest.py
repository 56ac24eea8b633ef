"""What every host test gets: coroutines as tests, property tests that repeat exactly, a fair share of the machine."""

import asyncio
import contextlib
import gc
import inspect
import itertools
import os
import subprocess
import sys

import hypothesis
import pytest

from tests_host.support.blocking import ROOT, Guard
from tools.linkcache import linked
from tools.mpy import CompileError

# The same examples on every run and no time limit per example: a red test must be red again on the next run.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "waits: mostly waits, as all in e2e/ does; begins early, beside what computes"
    )
    config.addinivalue_line("markers", "long: waits for tens of seconds; begins first")


def pytest_xdist_auto_num_workers() -> int:
    """More processes than cores: the tests with real boards mostly wait for them."""
    return 8 + (os.cpu_count() or 1)


def pytest_xdist_setupnodes() -> None:
    """Make once what in a fresh clone all processes would make at the same time: linked firmware, compiled tests."""
    with contextlib.suppress(CompileError):
        linked(ROOT)
    if not sys.dont_write_bytecode and not any(ROOT.glob("tests_host/sim/__pycache__/*-pytest-*")):
        subprocess.run(
            [sys.executable, "-m", "pytest", "--collect-only"], cwd=ROOT, stdout=subprocess.DEVNULL
        )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deal the tests for `--dist worksteal`, which gives each process as many of them, in this order, and moves later
    what is left: one process for each core has only such that compute, the others begin with such that wait."""
    processes = getattr(config, "workerinput", {}).get("workercount", 1)
    patient = processes - min(os.cpu_count() or 1, processes - 1)
    waiting = sorted(filter(_patience, items), key=_patience, reverse=True)
    computing = iter([item for item in items if not _patience(item)])
    dealt: list[pytest.Item] = []
    for left in range(processes, 0, -1):
        first = waiting[left - 1 :: patient] if left <= patient else []
        share = (len(items) - len(dealt)) // left
        dealt += [*first, *itertools.islice(computing, max(share - len(first), 0))]
    items[:] = [*dealt, *computing]


def pytest_collection_finish() -> None:
    """Modules and tests live as long as the process: the collector need not look through them again and again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20000, 20, 50)


def _patience(item: pytest.Item) -> int:
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
