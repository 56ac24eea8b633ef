"""A bundle from a server that answers no ranges: its files are read whole, from top to bottom, a kilobyte at a time.

Loaded only while such an update is fetched. A chunked answer is an error. The end of the connection is the end of a
file without a length: the checksums of the bundle show whether all of it came.
"""

import asyncio
from micropython import const

from firmware.core.errors import LinkError

_HEAD = const(2048)
_ANSWER_MS = const(15000)


class Whole:
    """One file, `name` on the server of `client`, which has just been connected, for nothing else. `at`: how much of it
    came already. Every failure is a LinkError: the server had an answer a moment ago."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.at = 0
        self.rest = b""

    async def open(self):
        """Ask for it. `name` and host were in a request before, which has checked them."""
        ask = "GET %s HTTP/1.1\r\nHost: %s:%d\r\nConnection: close\r\nAccept-Encoding: identity\r\n\r\n"
        client = self.client
        await self.within(client.stream.write((ask % (self.name, client.host, client.port)).encode()))
        head = b""
        while b"\r\n\r\n" not in head and len(head) < _HEAD:
            head += await self.some()
        head, _, self.rest = head.partition(b"\r\n\r\n")
        if head[8:13] != b" 200 " or b"\ntransfer-encoding:" in head.lower():
            raise LinkError("bundle: server answers %s to %s" % (str(head[9:12]), self.name))

    async def piece(self, start, size):
        """Up to `size` bytes from `start` on, which is not before `at`; they count until the next call."""
        while True:
            skipped = min(start - self.at, len(self.rest))
            self.at += skipped
            self.rest = self.rest[skipped:]
            if self.rest:
                break
            self.rest = await self.some()
        piece = self.rest[:size]
        self.rest = self.rest[size:]
        self.at += len(piece)
        return piece

    async def some(self):
        view = self.client.view
        n = await self.within(self.client.stream.read_into(view))
        if not n:
            raise LinkError("bundle: cut short")
        return view[:n]

    async def within(self, step):
        try:
            return await self.client.clock.within(_ANSWER_MS, step)
        except asyncio.TimeoutError:
            raise LinkError("bundle: timeout")
