"""Real parts over real sockets: the real MicroPython, mosquitto, TLS. The only tests that wait for real time."""

import contextlib

import pytest

from tools.env import interpreter
from tools.fixture.system import SystemFixture

AVAILABLE = interpreter.available() or [interpreter.find()]


@pytest.fixture(params=AVAILABLE, ids=lambda found: f"{found.bits}bit")
def any_interpreter(request):
    return request.param


@pytest.fixture
def smallest():
    """The interpreter most like the chip: 32-bit where there is one."""
    return AVAILABLE[0]


@pytest.fixture
def roomiest():
    """The interpreter that runs the plain sources, which a test may patch: 64-bit where there is one."""
    return AVAILABLE[-1]


@contextlib.asynccontextmanager
async def working(found):
    """(fixture, port of the console) of a device at its cloud."""
    async with SystemFixture(found) as fixture:
        await fixture.online()
        yield fixture, await fixture.board.console.open()
