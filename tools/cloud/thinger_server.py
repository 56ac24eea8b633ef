"""The simulated Thinger.io on two sockets: its REST API over HTTPS and the port of its devices over TLS.

It has both listeners with the test CA's certificates, server-sent events, and the wait for a device's answer. There are
no plain connections. The model decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import Any

from aiohttp import web

from tools.cloud.certs import TestCA
from tools.cloud.demo_device import THINGER_HOST
from tools.cloud.messages import Request, Response, to_json
from tools.cloud.port_reservation import claim, number
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_port import KEEP_ALIVE_S

ANSWER_S = 15.0
_SSE_S = 1.0
_CHECK_S = 5.0


class ThingerServer:
    """`port`: of the devices, `rest_port`: of the REST API; both are free ones until `start`. `hellos` and `handshakes`
    count TLS handshakes begun and completed at the device port."""

    def __init__(self, model: Thinger, certs: TestCA) -> None:
        self.model, self.certs = model, certs
        self.port = self.rest_port = self.hellos = self.handshakes = 0
        self.connections: set[_DeviceConnection] = set()
        self._kind = "good"
        self._listener: asyncio.Server | None = None
        self._runner: web.ServerRunner | None = None
        self._sweep: asyncio.Task[None] | None = None
        self._claim: socket.socket | None = None

    @property
    def rest_url(self) -> str:
        return f"https://{THINGER_HOST}:{self.rest_port}"

    async def start(self) -> None:
        self._runner = web.ServerRunner(web.Server(self._rest), shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self.certs.leaf())
        await site.start()
        self.rest_port = self._runner.addresses[0][1]
        self._sweep = asyncio.create_task(self._drop_silent())
        self._claim = claim()
        self.port = number(self._claim)
        await self.up()

    async def stop(self) -> None:
        if self._sweep:
            self._sweep.cancel()
            await asyncio.gather(self._sweep, return_exceptions=True)
        await self.down()
        if self._runner:
            await self._runner.cleanup()
        if self._claim:
            self._claim.close()

    async def up(self, kind: str = "good") -> None:
        """Listen for devices (again), on the same port as before, with a certificate of one of certs.KINDS."""
        loop = asyncio.get_running_loop()
        context = self.certs.leaf(kind)
        context.sni_callback = self._hello
        self._listener = await loop.create_server(
            lambda: _DeviceConnection(self), "127.0.0.1", self.port, ssl=context, reuse_address=True
        )

    def _hello(self, *_: object) -> None:
        self.hellos += 1

    async def down(self) -> None:
        """Refuse devices, and cut those that are here."""
        if self._listener:
            self._listener.close()
            self._listener = None
        self.cut()

    def cut(self) -> None:
        """Reset every device's connection."""
        for connection in list(self.connections):
            connection.transport.abort()

    async def _drop_silent(self) -> None:
        while True:
            await asyncio.sleep(_CHECK_S)
            for connection in list(self.connections):
                if self.model.now() - connection.port.received_at > KEEP_ALIVE_S:
                    connection.port.end()

    async def _rest(self, received: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in received.headers.items()}
        request = Request(received.method, received.raw_path, headers, await received.read())
        response = await self._answer(request)
        if response.status == 200 and "text/event-stream" in headers.get("accept", ""):
            return await self._events(received, request, response)
        return web.Response(status=response.status, headers=response.headers, body=response.body)

    async def _answer(self, request: Request) -> Response:
        answered: asyncio.Future[Response] = asyncio.get_running_loop().create_future()

        def answer(response: Response) -> None:
            if not answered.done():
                answered.set_result(response)

        give_up = self.model.handle(request, answer)
        try:
            return await asyncio.wait_for(answered, ANSWER_S)
        except TimeoutError:
            return Response(504, {}, to_json({"error": {"message": "the device did not answer"}}))
        finally:
            give_up()

    async def _events(
        self, received: web.BaseRequest, request: Request, response: Response
    ) -> web.StreamResponse:
        """The same answer again whenever it has changed, as server-sent events, until the client leaves."""
        stream = web.StreamResponse(
            headers={"Content-Type": "text/event-stream", "Cache-Control": "no-cache"}
        )
        sent = b""
        with contextlib.suppress(ConnectionError):
            await stream.prepare(received)
            while response.status == 200:
                if response.body != sent:
                    sent = response.body
                    await stream.write(b"data: " + sent + b"\n\n")
                await asyncio.sleep(_SSE_S)
                response = await self._answer(request)
        return stream


class _DeviceConnection(asyncio.Protocol):
    def __init__(self, server: ThingerServer) -> None:
        self._server = server

    def connection_made(self, transport: Any) -> None:
        self.transport: asyncio.Transport = transport
        self._server.handshakes += 1
        self._server.connections.add(self)
        self.port = self._server.model.connection(transport.write, transport.close)

    def data_received(self, data: bytes) -> None:
        self.port.feed(data)
        if self.port.device:
            self.port.device.ip = self.transport.get_extra_info("peername")[0]

    def connection_lost(self, error: Exception | None) -> None:
        self._server.connections.discard(self)
        self.port.gone()
