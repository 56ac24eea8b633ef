"""One persistent HTTP/1.1 connection to one host.

Connecting, sending, and receiving head and body each have a deadline. If the connection failed while it was idle, the
request is retried once. Redirects are not followed: a 3xx is a status like any other, so no header is ever sent to a
second host. There is no pipelining and no second connection, because every TLS connection takes tens of kilobytes:
concurrent requests wait for each other.
"""

import asyncio
from micropython import const

from http1.message import HttpError, Response, encode
from netio.errors import NetError

_REQUEST_TIMEOUT = const(408)
_BUFFER = const(1024)
_PIECE = const(256)  # bytes that are copied from the buffer at a time: a full heap has few larger free blocks
_CONNECT_MS = const(20000)
_SEND_MS = const(10000)
_ANSWER_MS = const(15000)


class Client:
    """`dialer`: has `dial(host, port)`. `clock`: has `within(ms, awaitable)`. `view`: memoryview of the receive buffer;
    None: one of 1 KB, allocated for each connection.

    Deadlines: 20 s to resolve the name and connect; 10 s to send, or 20 s if that includes the TLS handshake; 15 s each
    for head and body. `requests` and `dials` are counters; over TLS, each successful dial is one handshake.
    """

    failures = NetError, HttpError
    """What `request` raises if there is no valid response."""

    def __init__(self, dialer, clock, host, port=443, view=None):
        self.dialer = dialer
        self.clock = clock
        self.host = host
        self.port = port
        self.lock = asyncio.Lock()
        self.stream = self.view = None
        self.own = view
        self.requests = self.dials = 0

    async def request(self, method, target, headers=(), body=None, sink=None):
        """Send one request and return its Response, whatever the status. Arguments: see `message.encode`; `sink`: see
        Response.

        The request must be idempotent: if a reused connection turns out to be closed, or answers 408 because it was
        idle (RFC 9110 section 15.5.9), the request is sent again on a new one (RFC 9112 section 9.3.1).

        NetError or HttpError: there is no valid response, the connection is closed, and the request may or may not have
        been carried out. Cancelling closes the connection too. ValueError: the arguments are not a valid request.
        """
        host = self.host if self.port == 443 else "%s:%d" % (self.host, self.port)
        data = encode(method, target, host, headers, body)
        headers = body = None  # `data` contains both; this frees their memory
        lock = self.lock
        await lock.acquire()
        try:
            self.requests += 1
            if self.stream:
                response = Response(sink)
                try:
                    await self._exchange(response, data)
                    if response.status != _REQUEST_TIMEOUT:
                        return response
                except NetError as e:
                    if e.kind != "closed" or response.started:
                        raise
                self.close()
            response = Response(sink)
            await self._exchange(response, data)
            return response
        finally:
            lock.release()

    async def connect(self):
        """Connect within 20 s unless there is a connection already. Used before a large request is built, so that the
        memory that dialing takes is free again by then. NetError."""
        await self.lock.acquire()
        try:
            if not self.stream:
                await self.clock.within(_CONNECT_MS, self._open())
        except asyncio.TimeoutError:
            raise NetError("timeout", "connect")
        finally:
            self.lock.release()

    def close(self):
        """Close the connection, if there is one. Never raises; the next request dials again."""
        stream = self.stream
        self.stream = self.view = None  # frees the buffer too
        if stream:
            stream.close()

    def abandon(self):
        """Forget a request whose task will never run again, as after Ctrl-C at the REPL, and close its connection."""
        if self.lock.locked():
            self.close()
            self.lock = asyncio.Lock()

    async def _exchange(self, response, data):
        within = self.clock.within
        phase = "connect"
        send_ms = _SEND_MS
        try:
            if not self.stream:
                await within(_CONNECT_MS, self._open())
                send_ms = _CONNECT_MS
            phase = "send"
            await within(send_ms, self.stream.write(data))
            phase = "head"
            await within(_ANSWER_MS, self._receive(response, "status"))
            phase = "body"
            await within(_ANSWER_MS, self._receive(response, "done"))
        except asyncio.TimeoutError:
            raise NetError("timeout", phase)
        finally:
            if not (response.done and response.keep_alive):
                self.close()

    async def _open(self):
        # Stored here, not by the caller: if the deadline expires just as this returns, `close` still finds the stream.
        self.dials += 1
        self.stream = await self.dialer.dial(self.host, self.port)
        self.view = self.own or memoryview(bytearray(_BUFFER))

    async def _receive(self, response, goal):
        """Read until the attribute `goal` of `response` is true."""
        stream = self.stream
        view = self.view
        while not getattr(response, goal):
            n = await stream.read_into(view)
            if n:
                for at in range(0, n, _PIECE):
                    response.feed(bytes(view[at : min(at + _PIECE, n)]))
            elif response.started:
                response.eof()
            else:
                raise NetError("closed", "no response")
