"""A program on a pseudo terminal, and a person who reads and types. For tests of the host side."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pyte

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Terminal:
    """`with Terminal(argv, cwd=...) as terminal:`; `output` is all it showed, without colours and cursor movements."""

    COLUMNS, ROWS = 120, 25

    def __init__(self, argv, timeout_s=60, **options):
        self._argv, self._options, self._timeout_s = argv, options, timeout_s
        self.output, self._read = "", 0
        self._screen = pyte.Screen(self.COLUMNS, self.ROWS)
        self._stream = pyte.ByteStream(self._screen)

    def __enter__(self):
        self._fd, follower = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": str(self.COLUMNS)}
        self._process = subprocess.Popen(
            self._argv, env=env, start_new_session=True, stdin=follower, stdout=follower, stderr=follower,
            **self._options,
        )  # fmt: skip
        os.close(follower)
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait(10)
        os.close(self._fd)

    def types(self, text):
        os.write(self._fd, text.encode())

    def interrupts(self):
        """What Ctrl-C does to a program that reads no keys."""
        self._process.send_signal(signal.SIGINT)

    def expects(self, words):
        """Wait for these words behind those waited for last."""
        end = time.monotonic() + self._timeout_s
        while words not in self.output[self._read :]:
            assert self._more(end), f"never said {words!r}; said:\n{self.output}"
        self._read = self.output.index(words, self._read) + len(words)

    def shows(self):
        """The lines that are on the screen now, without empty ones."""
        return [line.rstrip() for line in self._screen.display if line.strip()]

    def ends(self):
        """Its exit status."""
        end = time.monotonic() + self._timeout_s
        while self._more(end):
            pass
        return self._process.wait(10)

    def _more(self, end):
        ready, _, _ = select.select([self._fd], [], [], max(end - time.monotonic(), 0))
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        self._stream.feed(data)
        self.output += _ESCAPES.sub("", data.decode(errors="replace"))
        return bool(data)
