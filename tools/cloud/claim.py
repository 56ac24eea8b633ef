"""A TCP port that stays a server's own while the server is down: nobody else is there when its clients come back.

A port that the system chooses is given to whoever asks next, once it is closed. These are from below the range it
chooses from, and a UDP socket on the same number shows that one is taken.
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
