"""Reads the lines that a board prints on its serial port, and formats them for a terminal.

It only listens and never stops the program on the board. It knows the level of a line, the names in tracebacks and the
meaning of error numbers. `boot_report` knows what the lines mean for a deploy.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console
from serial import Serial

from tools import common
from tools.serial import ports
from tools.serial.error_codes import explained
from tools.serial.tracebacks import readable

BAUD = 115200
_STYLES = {"D": "dim", "W": "yellow", "E": "red"}
_LOOK_S = 0.02
_LONGEST = 4096


class Lines:
    """`serial`: an open port of pyserial. `clock()`: seconds; `sleep(s)`. `again()`: opens the port once more after it
    vanished, see ports.Reopening; None: a port that is gone stays gone. `reopened`: how often it did; what the board
    said meanwhile is lost."""

    def __init__(
        self,
        serial: Serial,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        again: Callable[[], Serial] | None = None,
    ):
        self._again = again
        self.reopened = 0
        self._serial = serial
        self._rest = b""
        self.clock, self._sleep = clock, sleep

    def next(self, for_s: float | None = None) -> str | None:
        """The next line, or None when none was complete in time. OSError when the port is gone."""
        end = None if for_s is None else self.clock() + for_s
        while b"\n" not in self._rest:
            data = self._arrived()
            if data:
                self._rest = (self._rest + data)[-_LONGEST:]
            elif end is not None and self.clock() >= end:
                return None
            else:
                self._sleep(_LOOK_S)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")

    def write(self, data: bytes) -> None:
        """OSError when the port is gone and does not come back."""
        try:
            self._serial.write(data)
        except OSError as error:
            self._reopen(error)
            self._serial.write(data)

    def _arrived(self) -> bytes:
        """What has come. OSError when the port is gone and does not come back."""
        try:
            waiting = self._serial.in_waiting
            return self._serial.read(waiting) if waiting else b""
        except OSError as error:
            self._reopen(error)
            return b""

    def _reopen(self, error: OSError) -> None:
        if self._again is None:
            raise error
        self._serial.close()
        self._serial = self._again()
        self.reopened += 1
        self._rest = b""


@contextlib.contextmanager
def listening(name: str) -> Iterator[Lines]:
    """The lines of the board at a port. Raises Failed when that cannot be opened, or is gone and does not come back."""
    again = ports.Reopening(name, BAUD, common.console(stderr=True).print)
    with ports.opened(name, BAUD) as port:
        try:
            yield Lines(port, again=again)
        except OSError as error:
            raise common.Failed(
                f"the cable is disconnected: {error}", "Plug it in and start again."
            ) from None


def level(line: str) -> str:
    """D, I, W or E of a line of the firmware's log, "" of any other."""
    words = line.split(" ", 2)
    stamped = len(words) == 3 and (words[0][:1] == "+" or words[0][-1:] == "Z")
    return words[1] if stamped and words[1] in "DIWE" else ""


def follow(lines: Lines, console: Console) -> None:
    """Show lines for ever."""
    while True:
        if (line := lines.next()) is not None:
            show(line, console)


def show(line: str, console: Console) -> str:
    """What was shown: what a board says is no markup, and must not steer the terminal."""
    text = explained(readable("".join(c if c.isprintable() else "?" for c in line)))
    console.print(text, style=_STYLES.get(level(line)))
    return text
