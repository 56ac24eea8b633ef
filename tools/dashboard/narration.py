"""What happened, in words: the lines that `realer demo` prints and the dashboard's timeline shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from tools.cloud import show
from tools.virtual_board.plant import Wiring

_QUIET = ("catalog_read", "feed_replayed", "mqtt_subscribed")
_SAFE = {"safe state entered": "bold yellow", "safe state left": "bold green"}
_BOARD = {
    "wdt": "the watchdog times out", "panic": "the chip crashes:", "third_area": "needs more heap than there is:",
    "repl": "waits at the REPL", "off": "power off",
}  # fmt: skip
_STYLES = {"W": "yellow", "E": "red"}


class Said(NamedTuple):
    """`who`: cloud, board, relay or you; `style`: as rich writes it; `quiet`: only who wants everything wants it."""

    who: str
    text: str
    style: str = ""
    quiet: bool = False


def of_cloud(event: dict[str, Any]) -> Said:
    text, style = show.words(event)
    return Said("cloud", text, style, event["event"] in _QUIET)


class BoardNarration:
    """What a board with that wiring does. `room()`: degrees Celsius."""

    def __init__(self, wiring: Wiring, room: Callable[[], float]) -> None:
        outputs = {role: wire for role, wire in wiring.items() if "active" in wire and role != "button"}
        self._roles = {wire["gpio"]: (role, wire["active"]) for role, wire in outputs.items()}
        self._room = room

    def of(self, event: tuple[Any, ...]) -> Said | None:
        """An event of `VirtualBoard`; None where there is nothing to say."""
        kind, *values = event
        if kind == "line":
            return self._line(values[0])
        if kind == "pin" and values[0] in self._roles:
            return self._relay(*self._roles[values[0]], values[1])
        if kind in ("boot", "crash", "reset", *_BOARD):
            return Said("board", " ".join([_BOARD.get(kind, kind), *map(str, values)]), "bold")
        return None

    def _relay(self, role: str, active: int, level: int | None) -> Said:
        state = "without power" if level is None else "on" if level == active else "off"
        style = "bold green" if level == active else "bold"
        return Said("relay", f"{role} {state}   (room {self._room():.1f} °C)", style, role == "led")

    @staticmethod
    def _line(text: str) -> Said:
        for words, style in _SAFE.items():
            if words in text:
                return Said("board", text.split(" ", 2)[-1], style)
        level = text.split(" ")[1:2]
        style = _STYLES.get(level[0] if level else "", "")
        return Said("board", text, style or "dim", not style)
