"""Sees device code make a call that would block a device's loop: a sleep, a name looked up, a socket that waits.

It defines which calls block. A finding is recorded as well as raised: the supervisor catches every exception.
"""

import ipaddress
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
_WAITING = (
    "connect", "accept", "recv", "recv_into", "recvfrom", "recvfrom_into", "send", "sendall", "sendto",
)  # fmt: skip


class Guard:
    """`folders`: where device code lies. `found`: the calls so far, in words."""

    def __init__(self, *folders: Path) -> None:
        self.found: list[str] = []
        self._folders = tuple(f"{folder}/" for folder in folders)

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """`patch`: a pytest.MonkeyPatch, whose undoing removes the guard."""
        patch.setattr(time, "sleep", self._watched(time.sleep, lambda *args: True))
        patch.setattr(socket, "getaddrinfo", self._watched(socket.getaddrinfo, _is_name))
        for name in _WAITING:
            original = getattr(socket.socket, name)
            patch.setattr(
                socket.socket, name, self._watched(original, lambda sock, *args: sock.gettimeout() != 0)
            )

    def _watched(self, original: Callable[..., Any], blocks: Callable[..., bool]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            if blocks(*args, **options) and (who := self._device_code()):
                self.found.append(f"{original.__name__} called by {who}")
                raise AssertionError(self.found[-1])
            return original(*args, **options)

        return call

    def _device_code(self) -> str:
        frame: FrameType | None = sys._getframe(2)
        while frame is not None:
            if frame.f_code.co_filename.startswith(self._folders):
                return f"{frame.f_code.co_filename}:{frame.f_lineno}"
            frame = frame.f_back
        return ""


def _is_name(host: str, *args: object, **options: object) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
