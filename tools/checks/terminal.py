"""A program on a pseudo terminal, and a person who reads and types: for tests, and for pictures of commands."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import pyte

from tools.repository import ROOT

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Terminal:
    """`with Terminal(argv, cwd=...) as terminal:`; `output` is all it showed, without colours and cursor movements,
    `screen` what it shows now. `columns`, `rows`: its size."""

    def __init__(
        self, argv: Sequence[str | Path], cwd: Path, timeout_s: float = 60, columns: int = 120, rows: int = 25
    ) -> None:
        self._argv, self._cwd, self._timeout_s = argv, cwd, timeout_s
        self.output, self._read = "", 0
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)

    def __enter__(self) -> Self:
        self._fd, follower = pty.openpty()
        size = struct.pack("HHHH", self.screen.lines, self.screen.columns, 0, 0)
        fcntl.ioctl(follower, termios.TIOCSWINSZ, size)
        env = os.environ | {"TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1", "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(
            self._argv, cwd=self._cwd, env=env, start_new_session=True,
            stdin=follower, stdout=follower, stderr=follower,
        )  # fmt: skip
        os.close(follower)
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        os.close(self._fd)

    def types(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def interrupts(self, number: int = signal.SIGINT) -> None:
        """What Ctrl-C does to a program that reads no keys, or what another signal does."""
        self._process.send_signal(number)

    def expects(self, words: str) -> None:
        """Wait for these words behind those waited for last."""
        end = time.monotonic() + self._timeout_s
        while words not in self.output[self._read :]:
            assert self._more(end), f"never said {words!r}; said:\n{self.output}"
        self._read = self.output.index(words, self._read) + len(words)

    def shows(self) -> list[str]:
        """The lines that are on the screen now, without empty ones."""
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def ends(self) -> int:
        """Its exit status."""
        end = time.monotonic() + self._timeout_s
        while self._more(end):
            pass
        return self._process.wait(10)

    def _more(self, end: float) -> bool:
        ready, _, _ = select.select([self._fd], [], [], max(end - time.monotonic(), 0))
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        self._stream.feed(data)
        self.output += _ESCAPES.sub("", data.decode(errors="replace"))
        return bool(data)
