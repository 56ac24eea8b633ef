"""What a board says on its serial port, as lines, and how they look on a terminal.

Owns: cutting the stream into lines with a deadline, and the colour of a level. It only listens: nothing it does stops
the program on the board. Refuses to understand the lines beyond their level, and the names in tracebacks.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich.console import Console
from serial import Serial

from tools.tracebacks import readable

BAUD = 115200
_STYLES = {"D": "dim", "W": "yellow", "E": "red"}
_LOOK_S = 0.02
_LONGEST = 4096


class Lines:
    """`serial`: an open port of pyserial."""

    def __init__(self, serial: Serial):
        self._serial = serial
        self._rest = b""

    def next(self, for_s: float | None = None) -> str | None:
        """The next line, or None when none was complete in time. OSError when the port is gone."""
        end = None if for_s is None else time.monotonic() + for_s
        while b"\n" not in self._rest:
            waiting = self._serial.in_waiting
            if waiting:
                self._rest = (self._rest + self._serial.read(waiting))[-_LONGEST:]
            elif end is not None and time.monotonic() >= end:
                return None
            else:
                time.sleep(_LOOK_S)
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode(errors="replace").rstrip("\r")


def level(line: str) -> str:
    """D, I, W or E of a line of the firmware's log, "" of any other."""
    words = line.split(" ", 2)
    stamped = len(words) == 3 and (words[0][:1] == "+" or words[0][-1:] == "Z")
    return words[1] if stamped and words[1] in "DIWE" else ""


def follow(lines: Lines, console: Console, until: Sequence[str] = (), for_s: float | None = None) -> None:
    """Show lines, until one ends with one of these words or the time is over."""
    end = None if for_s is None else time.monotonic() + for_s
    while end is None or time.monotonic() < end:
        line = lines.next(None if end is None else end - time.monotonic())
        if line is not None:
            # What a board says is no markup, and must not steer the terminal.
            text = readable("".join(c if c.isprintable() else "?" for c in line))
            console.print(text, style=_STYLES.get(level(line)))
            if text.endswith(tuple(until) or ("\n",)):
                return
