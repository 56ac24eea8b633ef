"""What every host test gets: coroutines as tests, property tests that repeat exactly, enough processes."""

import asyncio
import inspect
import os

import hypothesis
import pytest

from tests_host.support.blocking import ROOT, Guard

# The same examples on every run and no time limit per example: a red test must be red again on the next run.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


def pytest_xdist_auto_num_workers() -> int:
    """More processes than cores: the tests with real boards mostly wait for them."""
    return 5 * (os.cpu_count() or 1) // 2


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
