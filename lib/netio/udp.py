"""One question and one answer over UDP, without ever blocking the loop.

Owns the socket for as long as that takes. Refuses answers from anybody but the peer that was asked: the socket is
connected, so the network stack drops them. A retry is a new call, hence a new local port, and never hears late answers.
"""

import errno
import socket
from micropython import const

from netio.errors import NetError
from netio.stream import from_os

_POLL_MS = const(15)


async def exchange(ip, port, payload, clock, timeout_ms, size=512):
    """Send `payload`, return the first datagram that comes back, cut to `size` bytes.

    `ip` is an address in text, never a name. NetError "timeout" after `timeout_ms`, "closed" when the network or the
    peer's host said no.
    """
    sock = None
    try:
        address = socket.getaddrinfo(ip, port, 0, socket.SOCK_DGRAM)[0][-1]
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect(address)
        sock.send(payload)
        started = clock.ms()
        while clock.since(started) < timeout_ms:
            await clock.sleep_ms(_POLL_MS)
            try:
                return sock.recv(size)
            except OSError as e:
                if e.args[0] != errno.EAGAIN:
                    raise
    except OSError as e:
        raise from_os("closed", e)
    finally:
        if sock:
            sock.close()
    raise NetError("timeout", "no answer")
