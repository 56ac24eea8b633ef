"""One HTTP/1.1 connection to one host, kept alive and used again.

Owns the order connect, send, head, body, the deadline of each, and the one retry after a connection that died while
it was idle. Refuses redirects (a 3xx is a status like any other, so no header ever goes to a second host), pipelining,
and a second connection: callers wait for each other, because every TLS connection costs tens of kilobytes.
"""

import asyncio
from micropython import const

from http1.request import encode
from http1.response import ResponseParser
from netio.errors import NetError

_BUFFER = const(1024)


class Response:
    """`status` 200..599, `headers` as in ResponseParser, `body` a bytearray."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body


class Client:
    """`dialer`: the seam with `dial(host, port)`; `clock`: the seam with `within(ms, awaitable)`. Times in ms.

    `connect_ms` covers name, TCP connect and then, once more, the first send, which carries the TLS handshake.
    `requests` and `dials` count since the start; over TLS every dial that went well means one handshake.
    """

    def __init__(
        self,
        dialer,
        clock,
        host,
        port=443,
        connect_ms=20000,
        send_ms=10000,
        head_ms=15000,
        body_ms=15000,
        max_body=16384,
    ):
        self._dialer = dialer
        self._clock = clock
        self._host = host
        self._port = port
        self._connect_ms = connect_ms
        self._send_ms = send_ms
        self._head_ms = head_ms
        self._body_ms = body_ms
        self._max_body = max_body
        self._lock = asyncio.Lock()
        self._stream = None
        self._view = memoryview(bytearray(_BUFFER))
        self.requests = 0
        self.dials = 0

    def __repr__(self):
        state = "closed" if self._stream is None else "open"
        text = "Client(%s:%d, %s, requests=%d, dials=%d)"
        return text % (self._host, self._port, state, self.requests, self.dials)

    async def request(self, method, target, headers=(), body=None, idempotent=True):
        """Send one request and return its Response, whatever the status.

        NetError or HttpError: there is no trustworthy response, the connection is closed, and the request may or may
        not have been carried out. Cancelling closes the connection too. ValueError: the request itself is malformed.
        With `idempotent` a request that a kept-alive connection swallowed is sent once more (RFC 9112 section 9.3.1).
        """
        host = self._host if self._port == 443 else "%s:%d" % (self._host, self._port)
        data = encode(method, target, host, headers, body)
        async with self._lock:
            self.requests += 1
            reused = self._stream is not None
            parser = ResponseParser(max_body=self._max_body)
            try:
                await self._exchange(parser, data)
            except NetError as e:
                if e.kind != "closed" or not reused or not idempotent or parser.started:
                    raise
                await self._exchange(parser, data)
            return Response(parser.status, parser.headers, parser.body)

    def close(self):
        """Drop the connection, if there is one. Never raises; the next request dials again."""
        stream, self._stream = self._stream, None
        if stream is not None:
            stream.close()

    async def _exchange(self, parser, data):
        keep = False
        try:
            fresh = self._stream is None
            if fresh:
                await self._phase("connect", self._connect_ms, self._open())
            await self._phase("send", self._connect_ms if fresh else self._send_ms, self._stream.write(data))
            await self._phase("head", self._head_ms, self._receive(parser, True))
            await self._phase("body", self._body_ms, self._receive(parser, False))
            keep = parser.keep_alive
        finally:
            if not keep:
                self.close()

    async def _phase(self, name, ms, work):
        try:
            await self._clock.within(ms, work)
        except asyncio.TimeoutError:
            raise NetError("timeout", name)

    async def _open(self):
        # Stored here and not by the caller: when a deadline strikes just as this returns, `close` still finds it.
        self.dials += 1
        self._stream = await self._dialer.dial(self._host, self._port)

    async def _receive(self, parser, head_only):
        """Read until the head, or the whole response, is there."""
        stream = self._stream
        while not parser.done and not (head_only and parser.status):
            n = await stream.read_into(self._view)
            if n:
                parser.feed(bytes(self._view[:n]))
            elif parser.started:
                parser.eof()
            else:
                raise NetError("closed", "no response")
