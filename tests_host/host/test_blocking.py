"""The guard against blocking calls is able to see each of them, and only in device code."""

import socket
import time

import pytest

from tests_host.support.blocking import Guard

BLOCKING = {
    "sleep": "import time\ntime.sleep(0)",
    "name": "import socket\nsocket.getaddrinfo('localhost', 80)",
    "receive": "import socket\na, b = socket.socketpair()\nb.send(b'x')",
    "patient": "import socket\na, b = socket.socketpair()\na.settimeout(1)\na.recv(1)",
}
HARMLESS = """
import socket
socket.getaddrinfo("127.0.0.1", 80)
a, b = socket.socketpair()
a.setblocking(False)
a.send(b"x")
"""


@pytest.fixture
def guard(tmp_path, monkeypatch):
    guard = Guard(tmp_path)
    guard.install(monkeypatch)
    return guard


def run(folder, text):
    exec(compile(text, f"{folder}/driver.py", "exec"), {})


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("kind", BLOCKING)
def test_a_blocking_call_is_refused_and_remembered(guard, tmp_path, kind):
    with pytest.raises(AssertionError):
        run(tmp_path, BLOCKING[kind])
    assert len(guard.found) == 1 and "driver.py:" in guard.found[0]


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_guard_ignores_calls_that_do_not_block_and_host_code(guard, tmp_path):
    run(tmp_path, HARMLESS)
    run("/elsewhere", BLOCKING["sleep"])
    time.sleep(0)
    assert socket.getaddrinfo("localhost", 80)
    assert guard.found == []
