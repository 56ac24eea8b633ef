"""Serial ports: which one a command means, how it is opened, and why that did not work.

A command means the port that was named, or the only board that is plugged in. It does not guess between two: writing to
the wrong board is worse than asking.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import select
import socket
import time
from collections.abc import Callable, Iterable

from serial import Serial, serial_for_url
from serial.tools import list_ports
from serial.tools.list_ports_common import ListPortInfo

from tools import common
from tools.common import Failed

Lister = Callable[[], Iterable[ListPortInfo]]
BUSY = "Close it (realer monitor, realer deploy, a terminal program), and try again."
_PLUG = "Plug it in with a cable that carries data (some only charge); an old CP210x or CH340 may need its driver."
_GROUP = "Add yourself to its group: ls -l {name} shows it; sudo usermod -aG GROUP $USER, then log in again."
_START = (
    "Start the virtual board (realer demo, realer board): it prints the address of its port, which changes."
)
_LOOK_S = 0.1
_BACK_S = 15


def add_port(parser: argparse.ArgumentParser, action: str = "store") -> None:
    """The option that names the board; `action` "append": or several."""
    text = "serial port or socket://host:port; default: the only one plugged in"
    parser.add_argument("--port", action=action, help=text)


def add_within(parser: argparse.ArgumentParser, seconds: float, what: str) -> None:
    """The option for how long the board may take."""
    text = f"{what}, in seconds (default: {seconds})"
    parser.add_argument("--within", type=common.number(0, of=float), default=seconds, metavar="S", help=text)


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
        raise Failed("no board is plugged in", _PLUG)
    raise Failed("more than one serial port is plugged in", _choice(found))


def opened(name: str, baud: int) -> Serial:
    """The port, open for nobody else. Raises Failed."""
    try:
        port = serial_for_url(name, baud, timeout=1, exclusive=True)
    except (OSError, ValueError) as error:
        raise trouble(name, error) from None
    if hung_up(port):
        port.close()
        raise in_use(name)
    return port


class Reopening:
    """Opens a port again after it vanished: one whose USB belongs to the chip (S2, S3, C3, C6) does so at each reset of
    the board, and any other whose cable was pulled out. It may come back under another name, because the old one is
    still in use. To be made while the port is there: a board is known again by the serial number of its USB.

    `tell(text)`: says what is waited for.
    """

    def __init__(
        self,
        name: str,
        baud: int,
        tell: Callable[[str], object],
        listed: Lister = list_ports.comports,
        within_s: float = _BACK_S,
    ) -> None:
        self.name = name
        self._baud, self._tell, self._listed, self._within_s = baud, tell, listed, within_s
        self._number = self._numbers().get(name, "")

    def __call__(self) -> Serial:
        """The port, once it is there again. OSError when that takes too long."""
        self._tell(f"{self.name} is gone; waiting up to {self._within_s:g} s until it is back")
        end = time.monotonic() + self._within_s
        while True:
            for name in self._candidates():
                with contextlib.suppress(OSError, ValueError):
                    port = serial_for_url(name, self._baud, timeout=1, exclusive=True)
                    if not hung_up(port):
                        self._tell(f"it is back{f', as {name}' if name != self.name else ''}")
                        self.name = name
                        return port
                    port.close()
            if time.monotonic() >= end:
                raise OSError(errno.ENODEV, f"{self.name} did not come back")
            time.sleep(_LOOK_S)

    def _candidates(self) -> list[str]:
        """The ports that may be this one, the old name first; not one of that name which is another board's by now."""
        numbers = self._numbers()
        if not self._number:
            return [self.name]
        same = [name for name, number in numbers.items() if number == self._number]
        return [self.name] * (numbers.get(self.name, self._number) == self._number) + same

    def _numbers(self) -> dict[str, str]:
        """By port the serial number of its USB, "" for none. The same chip's boot loader writes it with colons."""
        return {
            port.device: (port.serial_number or "").replace(":", "").lower()
            for port in plugged_in(self._listed)
        }


def hung_up(port: Serial) -> bool:
    """Whether the other end of a `socket://` port has ended the connection at once: a serial port has one user."""
    if not port.portstr.startswith("socket://"):
        return False
    with socket.socket(fileno=os.dup(port.fileno())) as peer:
        if not select.select([peer], [], [], _LOOK_S)[0]:
            return False
        try:
            return not peer.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except OSError:
            return True


def in_use(name: str) -> Failed:
    return Failed(f"another program uses {name}", BUSY)


def trouble(name: str, error: Exception, listed: Lister = list_ports.comports) -> Failed:
    """Why a port could not be opened, in words."""
    number = _errno(error)
    if name.startswith("socket://") and isinstance(error, OSError):
        return Failed(f"nothing answers at {name}", _START)
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        found = plugged_in(listed)
        return Failed(
            f"there is no port {name}", _choice(found) if found else f"No board is plugged in. {_PLUG}"
        )
    if number in (errno.EAGAIN, errno.EBUSY):
        return in_use(name)
    if number in (errno.EACCES, errno.EPERM):
        return Failed(f"{name} cannot be opened: permission denied", _GROUP.format(name=name))
    return Failed(
        f"{name} is not a serial port", "A port looks like /dev/ttyUSB0, COM3 or socket://127.0.0.1:1234."
    )


def taken(port: int, error: OSError) -> Failed:
    """Why a server could not listen at a TCP port of this machine."""
    if _errno(error) == errno.EADDRINUSE:
        return Failed(
            f"TCP port {port} is taken", "Another program listens there: end it, or name another port."
        )
    return Failed(str(error))


def _choice(found: list[ListPortInfo]) -> str:
    lines = [f"  {port.device}  {port.description}" for port in found]
    return "\n".join(["Choose one with PORT=… :", *lines])


def _errno(error: BaseException | None) -> int | None:
    """The number behind an error; pyserial puts some of them into its text only."""
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error.errno
        error = error.__context__
    return None
