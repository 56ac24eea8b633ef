"""A clock, a resolver and dialers, for programs that use an engine of lib outside this firmware.

This module allows connections without TLS, so the firmware must not import it; `make layers` checks that.
"""

import asyncio
import os
import time
from micropython import const

from dnsstub.resolver import Resolver
from netio.sockets import Dialer
from netio.stream import verifying_context

_MASK = const(0x3FFFFFFF)
_HALF = const(0x20000000)


class Clock:
    """Waits and deadlines, by a millisecond counter that wraps at 2**30."""

    def __init__(self, ticks_ms=time.ticks_ms):
        self._ticks_ms = ticks_ms

    def ms(self):
        return self._ticks_ms() & _MASK

    def since(self, start):
        """Return the milliseconds since `start`; correct for up to 6.2 days."""
        return ((self.ms() - start + _HALF) & _MASK) - _HALF

    async def sleep_ms(self, ms):
        await asyncio.sleep(ms / 1000)

    async def within(self, ms, awaitable):
        """Return the result of `awaitable`. After `ms` milliseconds it is cancelled: asyncio.TimeoutError."""
        struck = []
        strike = asyncio.create_task(self._strike(ms, struck, asyncio.current_task()))
        try:
            return await awaitable
        except asyncio.CancelledError:
            if struck:
                raise asyncio.TimeoutError
            raise
        finally:
            strike.cancel()

    async def _strike(self, ms, struck, task):
        await self.sleep_ms(ms)
        struck.append(ms)
        task.cancel()


class PlainDialer(Dialer):
    """Plain TCP connections, which anybody on the path can read and change: for a server in your own network."""

    async def dial(self, host, port, tls=False):
        """Return a Stream, as Dialer does, but never with TLS."""
        return await Dialer.dial(self, host, port, False)


class Network:
    """`ca_files`: paths of the root certificates (DER) that servers are verified against; without any there is no TLS.
    `name_servers`: list of "ip" or "ip:port"; None: those from DHCP.

    `clock`, `rng` and `resolver` are the engines' arguments of these names. `tls` is the dialer that verifies every
    server, `tcp` the one for plain connections. OSError or ValueError: a certificate cannot be read.
    """

    def __init__(self, ca_files=(), name_servers=None):
        self.clock = Clock()
        self.resolver = Resolver(self.clock, lambda: name_servers or dhcp_name_servers(), self.rng)
        context = verifying_context(map(_content, ca_files)) if ca_files else None
        self.tls = Dialer(self.clock, self.resolver, context)
        self.tcp = PlainDialer(self.clock, self.resolver, None)

    def rng(self):
        """Return 32 random bits."""
        return int.from_bytes(os.urandom(4), "big")


def dhcp_name_servers():
    """Return a list with the name server that the board's Wi-Fi got by DHCP."""
    import network  # here, because an interpreter on a PC has none

    return [network.WLAN(network.STA_IF).ifconfig()[3]]


def _content(path):
    with open(path, "rb") as file:
        return file.read()
