"""Hints for a person: what to do about a message of a virtual board whose cause is its surroundings on this computer.

Each hint is given once. Pure.
"""

from __future__ import annotations

from typing import Any

_MEMORY = """\
a plain ESP32 has no more memory than this board: take cloud.transport https or auto, fewer outputs and sensors, or
  give the board more with --heap 4m"""
_LINES = {
    "no time: ": "without the time no certificate can be checked: let time.servers name one that this machine reaches. "
    "realer cloud serve has one, and writes a configuration that names it",
    "link failed: dns: ": "the names of the simulated cloud are known to its own name server only, the wifi.dns of "
    "the configuration that realer cloud serve writes",
    "connect: ECONNREFUSED": "nothing listens there: is the simulated cloud still running? A new one has other ports, "
    "and writes another configuration; realer deploy brings that to the board",
}
"""Part of a line of the log -> what helps."""


class Hints:
    def __init__(self) -> None:
        self._given: set[str] = set()

    def of(self, event: tuple[Any, ...]) -> str:
        """What helps against this event of the board, "" for nothing or what was said before."""
        kind, *values = event
        found = _MEMORY if kind == "third_area" else ""
        if kind == "line":
            found = next((hint for words, hint in _LINES.items() if words in values[0]), "")
        if not found or found in self._given:
            return ""
        self._given.add(found)
        return found
