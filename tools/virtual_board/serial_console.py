"""The board's serial port, offered over TCP: `socket://host:port`, as pyserial and mpremote write it.

It has one client, for a serial port has one user. What the program prints goes out with the chip's CR LF line ends;
what the client types goes to a function. Resets and power cuts leave the connection open, unless the port belongs to
the chip: then it vanishes, and nobody can connect for a while.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable


class Console:
    """`typed(data)` gets what the client sends."""

    def __init__(self, typed: Callable[[bytes], None]):
        self._typed = typed
        self._server: asyncio.Server | None = None
        self._client: asyncio.Transport | None = None
        self._away_s: float | None = None
        self._coming: asyncio.Task[str] | None = None

    @property
    def in_use(self) -> bool:
        """Whether a client is connected."""
        return self._client is not None

    async def open(self, port: int = 0, away_s: float | None = None) -> str:
        """Listen on this machine only, on `port` or any free one; the URL to give as PORT. `away_s`: its USB belongs to
        the chip, and needs so long after a reset until it is there again; None: it is a USB chip's."""
        self._away_s = away_s
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Cable(self), "127.0.0.1", port, reuse_address=True)
        return f"socket://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def reset(self) -> None:
        """The chip is reset."""
        if self._server is None or self._away_s is None:
            return
        port, away_s = self._server.sockets[0].getsockname()[1], self._away_s
        self.close()

        async def come() -> str:
            await asyncio.sleep(away_s)
            return await self.open(port, away_s)

        self._coming = asyncio.ensure_future(come())

    def close(self) -> None:
        """Unplug it; may be called again, and without `open`."""
        if self._coming is not None:
            self._coming.cancel()
            self._coming = None
        if self._server is not None:
            self._server.close()
            self._server = None
        if self._client is not None:
            self._client.abort()

    def show(self, data: bytes) -> None:
        """What the program printed. Nobody looks: it is gone, as on a wire."""
        if self._client is not None:
            self._client.write(data.replace(b"\n", b"\r\n"))


class _Cable(asyncio.Protocol):
    def __init__(self, console: Console):
        self._console = console

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        before = self._console._client
        if before is not None and _gone(before):
            before.abort()  # it has hung up, and this loop has not come round to that yet
            before = None
        if before is None:
            self._console._client = transport
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        if self._console._client is self._transport:
            self._console._typed(data)

    def connection_lost(self, error: Exception | None) -> None:
        if self._console._client is self._transport:
            self._console._client = None


def _gone(client: asyncio.Transport) -> bool:
    """Whether the other end of a connection has closed it, and has sent nothing before."""
    try:
        peek = socket.fromfd(client.get_extra_info("socket").fileno(), socket.AF_INET, socket.SOCK_STREAM)
        with peek:
            return not peek.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
