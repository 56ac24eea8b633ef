"""The wire from the modules of the image to the hardware that the host plays, in the words of the virtual board
(`tools/virtual_board/chip.py` says which). Where the host says no more, this program is at its end, as without power.

Part of a device on node, never of a real one. The shims of the virtual board import this file for their own `_link`.
"""

import binascii
import errno

import _host

before = [None]
"""What the virtual board's shims want to be called before each request; nobody does here."""


class Gone(SystemExit):
    """Nobody is left to run for."""


def ask(*words):
    """The reply's text; what the chip or the network would raise is raised."""
    reply = _host.ask(" ".join([str(word) for word in words]))
    text = reply[3:]
    if reply[0] == "=":
        return reply[1:]
    kind = reply[1]
    if kind == "V":
        raise ValueError(text)
    if kind == "O":
        raise OSError(text)
    if kind == "A":
        raise AttributeError(text)
    if kind == "R":
        raise RuntimeError(text)
    if kind == "K":
        raise KeyboardInterrupt
    number, _, name = text.partition(" ")
    if not name:
        raise OSError(getattr(errno, number))  # each port has numbers of its own
    raise OSError(int(number), name)


def tell(line):
    """Send a ready line: what is behind the virtual board's mark."""
    _host.ask(line[2:-1].decode())


def packed(data):
    """Bytes or text as one word."""
    return "." + binascii.hexlify(data.encode() if isinstance(data, str) else data).decode()


def ask_bytes(operation, data):
    """A request with bytes as its word."""
    ask(operation, packed(data))
