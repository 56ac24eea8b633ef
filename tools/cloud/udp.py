"""The asyncio half that the DNS and SNTP servers share: one datagram in, at most one out."""

from __future__ import annotations

import asyncio
from typing import Any


class UdpServer(asyncio.DatagramProtocol):
    """Subclasses give `reply(data)`: bytes, None for silence, ValueError for nonsense (counted, not answered)."""

    def __init__(self) -> None:
        self.port = 0
        self.queries = self.nonsense = 0
        self._transport: asyncio.DatagramTransport | None = None

    def reply(self, data: bytes) -> bytes | None:
        raise NotImplementedError

    async def start(self) -> None:
        """Bind on loopback; after it `port` is the real one."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        self.port = self._transport.get_extra_info("sockname")[1]

    async def stop(self) -> None:
        if self._transport:
            self._transport.close()
            self._transport = None
            await asyncio.sleep(0)  # lets the loop close the socket

    def datagram_received(self, data: bytes, addr: Any) -> None:
        try:
            answer = self.reply(data)
        except ValueError:
            self.nonsense += 1
            return
        self.queries += 1
        if answer is not None and self._transport:
            self._transport.sendto(answer, addr)
