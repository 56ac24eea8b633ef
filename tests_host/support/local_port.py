"""TCP ports of loopback for programs that tests start."""

import contextlib
import socket
import time
from collections.abc import Callable


def free() -> int:
    """A port that nobody has."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(port: int, within_s: float) -> bool:
    """Whether something listens on a port, now or soon."""

    def accepts() -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return True
        return False

    return until(accepts, within_s)


def until(holds: Callable[[], bool], within_s: float) -> bool:
    """Whether it holds, now or soon."""
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        if holds():
            return True
        time.sleep(0.02)
    return False
