"""A bundle from a server that answers no ranges: its files come whole, from top to bottom, a kilobyte at a time.

Loaded while such an update is fetched, and only then. Refuses an answer in chunks. The end of the connection is the end
of a file without a length: whether all of it came, the sums of the bundle tell.
"""

import asyncio
from micropython import const

from firmware.core.errors import ConfigError, LinkError
from http1.message import encode
from netio.errors import NetError

_HEAD = const(2048)
_ANSWER_MS = const(15000)


class Whole:
    """One file, `name` on the server of `client`, whose connection it takes. `at`: how much of it came already."""

    def __init__(self, client, name):
        self.client = client
        self.name = name
        self.at = 0
        self.rest = b""

    async def open(self):
        """Ask for it. NetError, LinkError: it may go better later; ConfigError: it will not."""
        client = self.client
        client.close()
        await client.connect()
        fields = (("Connection", "close"), ("Accept-Encoding", "identity"))
        host = client.host if client.port == 443 else "%s:%d" % (client.host, client.port)
        await self.within(client.stream.write(encode("GET", self.name, host, fields)))
        head = b""
        end = -1
        while end < 0:
            head += await self.some()
            end = head.find(b"\r\n\r\n")
            if len(head) > _HEAD and end < 0:
                raise ConfigError("bundle: the head of an answer is too large")
        self.rest = head[end + 4 :]
        head = head[:end].lower()
        status = head[9:12]
        if status[:1] == b"5" or status == b"429":
            raise LinkError("bundle: server says %s" % status.decode())
        if status != b"200" or b"\ntransfer-encoding:" in head:
            raise ConfigError("bundle: server says %s to %s" % (str(status), self.name))

    async def piece(self, start, size):
        """Up to `size` bytes from `start` on, which is not before `at`."""
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
        return bytes(view[:n])

    async def within(self, step):
        try:
            return await self.client.clock.within(_ANSWER_MS, step)
        except asyncio.TimeoutError:
            raise NetError("timeout", "bundle")
