"""A bundle from a server that does not support ranges: each file is read from start to end, up to a kilobyte at a time.

Loaded only while such an update is fetched. A chunked response is an error. The end of the connection ends a file; the
checksums of the bundle show whether it is complete.
"""

import asyncio
from micropython import const

from firmware.core.errors import LinkError

_HEAD = const(2048)
_ANSWER_MS = const(15000)


class Whole:
    """One file. `client`: a Client that has just connected and is used for nothing else. `name`: the path of the file.
    `at`: bytes already returned or skipped. Every failure is a LinkError, because the server answered shortly
    before."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.at = 0
        self.rest = b""

    async def open(self):
        """Send the request and read the head of the response. An earlier request has checked `name` and host."""
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
        """Return up to `size` bytes from `start`, which must not be less than `at`. They are valid until the next
        call."""
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
