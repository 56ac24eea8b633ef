"""Real parts over real sockets: the real MicroPython, mosquitto, TLS. The only tests that wait for real time."""

import pytest

from tools.env import interpreter

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
