"""A program on a pseudo terminal, and a person who reads and types. For tests of the host side."""

import os
import pty
import re
import select
import subprocess
import time

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]")


class Terminal:
    """`with Terminal(argv, cwd=...) as terminal:`; `said` is all it showed, without colours and cursor movements."""

    def __init__(self, argv, patience_s=60, **options):
        self._argv, self._options, self._patience_s = argv, options, patience_s
        self.said, self._read = "", 0

    def __enter__(self):
        self._fd, follower = pty.openpty()
        env = {**os.environ, "TERM": "xterm", "PROMPT_TOOLKIT_NO_CPR": "1", "COLUMNS": "120"}
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

    def says(self, words):
        """Wait for these words behind those waited for last."""
        end = time.monotonic() + self._patience_s
        while words not in self.said[self._read :]:
            assert self._more(end), f"never said {words!r}; said:\n{self.said}"
        self._read = self.said.index(words, self._read) + len(words)

    def ends(self):
        """Its exit status."""
        end = time.monotonic() + self._patience_s
        while self._more(end):
            pass
        return self._process.wait(10)

    def _more(self, end):
        ready, _, _ = select.select([self._fd], [], [], max(end - time.monotonic(), 0))
        try:
            data = os.read(self._fd, 65536) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        self.said += _ESCAPES.sub("", data.decode(errors="replace"))
        return bool(data)
