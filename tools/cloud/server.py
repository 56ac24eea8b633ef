"""The simulated cloud on a socket: HTTPS/1.1 with the test CA's certificates.

aiohttp reads the requests, `faults.answer` makes the bytes, and this file puts exactly those bytes on the transport. It
has the listener, its certificates and its counters. There is no listener for plain HTTP.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tools.cloud.certs import KINDS, TestCA
from tools.cloud.fault_bytes import Step
from tools.cloud.faults import Faults, answer
from tools.cloud.messages import Passed, Request
from tools.cloud.model import Model
from tools.cloud.port_reservation import claim, number

_HIGH_WATER_BYTES = 65536

_SHUTDOWN_S = 0.5
"""After close_notify, until the end of TCP: most servers wait for no answer (docs/brokers.md)."""


class CloudServer:
    """A listening cloud.

    `hellos` counts TLS handshakes begun, `handshakes` those completed, `requests` complete requests read.
    `clock` gives unix seconds. `before_answer` is awaited between a request and its answer: what the model did may have
    to reach others first. `on_passed` is called with each request and each response.
    """

    def __init__(
        self,
        model: Model,
        faults: Faults,
        certs: TestCA,
        port: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.model, self.faults, self.certs, self.port = model, faults, certs, port
        self.hellos = self.handshakes = self.requests = 0
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        self.on_passed: Callable[[Passed], None] = lambda passed: None
        self._clock = clock
        self._kind = "good"
        self._contexts: dict[str, ssl.SSLContext] = {}
        self._manager: _Manager | None = None
        self._listener: asyncio.Server | None = None
        self._claim: socket.socket | None = None

    @property
    def base_url(self) -> str:
        return f"https://api.realer.test:{self.port}"

    @property
    def certificate(self) -> str:
        """Which of certs.KINDS it presents."""
        return self._kind

    @property
    def listening(self) -> bool:
        return self._listener is not None

    async def start(self) -> None:
        """Listen. After it `port` is the real one, also when 0 was asked for."""
        self._manager = _Manager(self)
        if not self.port:
            self._claim = claim()
            self.port = number(self._claim)
        await self.up()

    async def stop(self) -> None:
        await self.down()
        if self._claim:
            self._claim.close()

    async def up(self) -> None:
        """Open the listener (again), on the same port as before."""
        if self._listener is None and self._manager is not None:
            loop, manager = asyncio.get_running_loop(), self._manager
            self._listener = await loop.create_server(
                lambda: _Connection(manager, loop=loop, access_log=None),
                "127.0.0.1", self.port, ssl=self._front(), reuse_address=True, ssl_shutdown_timeout=_SHUTDOWN_S,
            )  # fmt: skip

    async def down(self) -> None:
        """Close the listener and cut every connection: connecting is refused from now on."""
        if self._listener is not None and self._manager is not None:
            self._listener.close()
            self._listener = None
            self.cut()
            await self._manager.shutdown(0)

    def cut(self) -> None:
        """Reset every open connection, as a crashed front end does."""
        for connection in self._manager.connections if self._manager else []:
            if connection.transport is not None:
                connection.transport.abort()

    def present(self, kind: str) -> None:
        """Show another certificate from the next handshake on. `kind`: one of certs.KINDS, else ValueError."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind of certificate {kind!r}; one of {', '.join(KINDS)}")
        self._kind = kind

    def use(self, certs: TestCA) -> None:
        """Show certificates of another authority from the next handshake on, and end what is open."""
        self.certs = certs
        self._contexts.clear()
        self.cut()

    def _front(self) -> ssl.SSLContext:
        """The listener's context: each client hello is counted and handed to the certificate of the day."""
        front = self.certs.leaf()

        def hello(connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
            self.hellos += 1
            if self._kind not in self._contexts:
                self._contexts[self._kind] = self.certs.leaf(self._kind)
            connection.context = self._contexts[self._kind]

        front.sni_callback = hello
        return front

    async def handle(self, received: web.BaseRequest) -> web.StreamResponse:
        """aiohttp's side: one complete request in, the planned bytes out."""
        body = await received.read()
        self.requests += 1
        headers = {name.lower(): value for name, value in received.headers.items()}
        request = Request(received.method, received.raw_path, headers, body)
        what = f"{request.method} {request.path}"
        self.on_passed(Passed(self._clock(), "https", True, what, 0, body))
        steps = answer(self.model, self.faults, request, self._clock())
        self.on_passed(_response(self._clock(), what, steps))
        if self.before_answer:
            await self.before_answer()
        transport = received.transport
        if transport is None:
            raise ConnectionResetError
        open_after = await _perform(steps, transport)
        return _Sent(keep=open_after and received.keep_alive)


def _response(at: float, what: str, steps: list[Step]) -> Passed:
    """What the steps send; status 0 and no body where that is no response."""
    sent = b"".join(step[1] for step in steps if step[0] == "send")
    head, _, body = sent.partition(b"\r\n\r\n")
    status = head[9:12]
    return Passed(at, "https", False, what, int(status) if status.isdigit() else 0, body)


async def _perform(steps: list[Step], transport: asyncio.Transport | asyncio.WriteTransport) -> bool:
    """Carry out the steps; False when the connection must close. Cancelled by aiohttp when the peer leaves."""
    for step in steps:
        if step[0] == "send":
            transport.write(step[1])
        elif step[0] == "wait":
            await asyncio.sleep(step[1])
        elif step[0] == "repeat":
            while not transport.is_closing():
                transport.write(step[1])
                await asyncio.sleep(0.01 if transport.get_write_buffer_size() > _HIGH_WATER_BYTES else 0)
            return False
        elif step[0] == "hang":
            await asyncio.Event().wait()
        else:
            return False
    return True


class _Sent(web.StreamResponse):
    """Tells aiohttp that everything has been written already, and whether to read the next request."""

    def __init__(self, keep: bool) -> None:
        super().__init__()
        self._keep_alive = keep

    async def prepare(self, request: web.BaseRequest) -> None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


class _Manager(web.Server):
    def __init__(self, cloud: CloudServer) -> None:
        super().__init__(cloud.handle, handler_cancellation=True)
        self.cloud = cloud

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.cloud.handshakes += 1
        if not self.cloud.listening:  # its handshake outlived the listener
            transport.abort()


class _Connection(web.RequestHandler):
    """aiohttp's connection, except that broken HTTP is a violation that tests see."""

    def __init__(self, manager: _Manager, **options: Any) -> None:
        super().__init__(manager, **options)
        self._cloud = manager.cloud

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:  # fmt: skip
        if status >= 500:  # a bug of our own: let aiohttp log it
            return super().handle_error(request, status, exc, message)
        cloud = self._cloud
        cloud.model.violation(cloud._clock(), Request("-", "-"), f"broken HTTP: {type(exc).__name__}")
        response = web.Response(status=status)
        response.force_close()
        return response
