"""Reads single keys for commands that run until they are ended, and restores the terminal's mode afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator


@contextlib.contextmanager
def key_presses(loop: asyncio.AbstractEventLoop, put: Callable[[str], None]) -> Iterator[bool]:
    """Give `put` each key of a terminal, or each letter from a pipe, in lower case; blanks are left out.

    Yields whether a person sits there. A closed input does not mean to stop; a terminal that belongs to another
    program, because this one runs in its background, is left alone.
    """
    fd = sys.stdin.fileno()
    person = sys.stdin.isatty() and _is_ours(fd)

    def read() -> None:
        try:
            data = os.read(fd, 64)
        except OSError:  # the terminal was closed
            data = b""
        for key in "".join(data.decode("ascii", "ignore").lower().split()):
            put(key)
        if not data:
            loop.remove_reader(fd)

    before = termios.tcgetattr(fd) if person else None
    if before:
        tty.setcbreak(fd)
    try:
        if person or not sys.stdin.isatty():
            with contextlib.suppress(PermissionError):  # a plain file cannot be watched, and holds no keys
                loop.add_reader(fd, read)
        yield person
    finally:
        loop.remove_reader(fd)
        if before:
            with contextlib.suppress(termios.error):  # the terminal was closed
                termios.tcsetattr(fd, termios.TCSADRAIN, before)


def _is_ours(terminal: int) -> bool:
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:  # it controls no session, so it takes nothing from anybody
        return True
