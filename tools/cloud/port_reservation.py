"""A TCP port that stays reserved for a server while the server is down, so that no other server gets its clients.

The system gives a port of its own choice to whoever asks next, once it is closed. So these ports are from below that
range, and a UDP socket on the same number marks one as taken.
"""

from __future__ import annotations

import random
import socket

_HOST = "127.0.0.1"
_NUMBERS = range(20000, 32768)
_TRIES = 100


def claim() -> socket.socket:
    """A socket to close when the port, which is `number(socket)`, is not wanted any more. Raises OSError."""
    for port in random.sample(_NUMBERS, _TRIES):
        sign = socket.socket(type=socket.SOCK_DGRAM)
        try:
            sign.bind((_HOST, port))
            with socket.socket() as probe:
                probe.bind((_HOST, port))
        except OSError:
            sign.close()
        else:
            return sign
    raise OSError("no port is free")


def number(sign: socket.socket) -> int:
    return sign.getsockname()[1]
