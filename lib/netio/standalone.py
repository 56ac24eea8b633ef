"""What the engines of lib need around them, for a program that has nothing of its own: a clock, names, connections.

Here a connection without TLS can be had, so the firmware must not import this file; `make layers` checks that.
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
    """Milliseconds that wrap at 2**30, waiting, and deadlines."""

    def __init__(self, ticks_ms=time.ticks_ms):
        self._ticks_ms = ticks_ms

    def ms(self):
        return self._ticks_ms() & _MASK

    def since(self, start):
        """Milliseconds since `start`, right for 6.2 days."""
        return ((self.ms() - start + _HALF) & _MASK) - _HALF

    async def sleep_ms(self, ms):
        await asyncio.sleep(ms / 1000)

    async def within(self, ms, awaitable):
        """The result of `awaitable`, or asyncio.TimeoutError after `ms`, which cancels it."""
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
    """Connections that anybody on the way can read and change: for a server in a network of your own."""

    async def dial(self, host, port, tls=False):
        """See Dialer; never with TLS."""
        return await Dialer.dial(self, host, port, False)


class Network:
    """`ca_files`: paths of the certificates (DER) that servers are verified with; without any there is no TLS.
    `name_servers`: list of "ip" or "ip:port"; None: those from DHCP.

    `clock`, `rng` and `resolver` are what engines ask for under these names; of the two dialers `tls` refuses whatever
    it cannot verify, and `tcp` makes plain connections. OSError, ValueError: a certificate cannot be used.
    """

    def __init__(self, ca_files=(), name_servers=None):
        self.clock = Clock()
        self.resolver = Resolver(self.clock, lambda: name_servers or dhcp_name_servers(), self.rng)
        context = verifying_context(map(_content, ca_files)) if ca_files else None
        self.tls = Dialer(self.clock, self.resolver, context)
        self.tcp = PlainDialer(self.clock, self.resolver, None)

    def rng(self):
        """32 random bits."""
        return int.from_bytes(os.urandom(4), "big")


def dhcp_name_servers():
    """The name server that the board got by DHCP, in a list."""
    import network  # here, because an interpreter on a PC has none

    return [network.WLAN(network.STA_IF).ifconfig()[3]]


def _content(path):
    with open(path, "rb") as file:
        return file.read()
