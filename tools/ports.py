"""Which serial port a command means: the one that was named, or the only board that is plugged in.

Refuses to guess between two: writing to the wrong board is worse than asking.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from tools.cli import Failed

Lister = Callable[[], Iterable[ListPortInfo]]


def plugged_in(listed: Lister = list_ports.comports) -> list[ListPortInfo]:
    """Serial ports on USB, by name. What is built into a computer never has a board behind it."""
    return sorted((port for port in listed() if port.vid is not None), key=lambda port: port.device)


def choose(named: str | None, listed: Lister = list_ports.comports) -> str:
    """The port to use: a path, `socket://host:port`, or what pyserial knows. Raises Failed."""
    if named:
        return named
    found = plugged_in(listed)
    if len(found) == 1:
        return found[0].device
    if not found:
        raise Failed(
            "no board is plugged in",
            "Plug it in with a cable that carries data (some only charge); an old CP210x or CH340 may need its driver.",
        )
    lines = [f"  {port.device}  {port.description}" for port in found]
    raise Failed("more than one serial port is plugged in", "\n".join(["Choose one with PORT=… :", *lines]))
