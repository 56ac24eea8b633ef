"""The servers that clients are measured against, all on this machine and with the certificates of one CA."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from tools.cloud import dynsec, port_reservation
from tools.cloud.brokerprocess import MosquittoProcess
from tools.cloud.certs import TestCA
from tools.cloud.entities import Credential
from tools.cloud.mqtt_v1 import Topics

SECRET = "test-secret-not-real"


@asynccontextmanager
async def broker(certs: TestCA, name: str, topic: str) -> AsyncIterator[int]:
    """The port of a mosquitto configured like the cloud's. Client id and user are `name`, which may publish to `topic`
    and subscribe to it."""
    sign = port_reservation.claim()
    process = MosquittoProcess(lambda news: None, lambda: None)
    try:
        leaf = certs.write_leaf(process.home / "leaf.pem", "good")
        account = dynsec.account(Credential(name, name, name, (), "", 0), SECRET, Topics((topic,), (topic,)))
        await process.start(port_reservation.number(sign), leaf, dynsec.start_file(SECRET, [account]))
        yield port_reservation.number(sign)
    finally:
        await process.stop()
        process.clean()
        sign.close()


@asynccontextmanager
async def web(context: ssl.SSLContext, body: bytes) -> AsyncIterator[int]:
    """The port of a server that has `body` for every request, and keeps connections where that is wanted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
                await writer.drain()
                if b"\r\nconnection: close\r\n" in head.lower() or b" HTTP/1.0\r\n" in head:
                    break
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


@contextmanager
def echo(context: ssl.SSLContext) -> Iterator[int]:
    """The port of a server that sends back whatever it gets, to one client at a time, without a loop in between."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with contextlib.suppress(OSError):  # the listener is closed
            while True:
                connection, _ = listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with (
                    contextlib.suppress(OSError),
                    context.wrap_socket(connection, server_side=True) as secured,
                ):
                    while data := secured.recv(4096):
                        secured.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(5)
