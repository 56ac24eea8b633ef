"""Opens connections: name, TCP, and TLS that is always verified.

Owns each socket from its birth until a Stream has it, whatever happens in between. Refuses TLS without a check of the
certificate's chain, name and dates. Has no deadline of its own: callers wrap `dial` in `clock.within`. Runs on
MicroPython only.
"""

import errno
import select
import socket
from micropython import const

from netio.errors import NetError
from netio.stream import Stream, from_os

_CERT_REQUIRED = const(2)
_POLL_MS = const(15)


def tls_context(ca_ders):
    """TLS client context that trusts exactly `ca_ders`, a list of DER certificates. ValueError: not one, or not DER."""
    import tls  # here, so that a host without this module can import the file

    if not ca_ders:
        raise ValueError("no CA certificate")
    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
    context.verify_mode = _CERT_REQUIRED
    for der in ca_ders:
        context.load_verify_locations(der)
    return context


class Dialer:
    """`resolver`: `await resolve(host)`, `forget(host)`. `context`: from `tls_context`, or None for plain TCP only."""

    def __init__(self, clock, resolver, context):
        self._clock = clock
        self._resolver = resolver
        self._context = context
        self._turn = 0

    async def dial(self, host, port, tls=True):
        """A Stream to `host` (name or IPv4 address), connected; its TLS handshake is still to come, see Stream.

        Tries one of the host's addresses, and after a failure another one the next time. NetError "dns" "connect"
        "tls". Cancelling closes the socket.
        """
        addresses = await self._resolver.resolve(host)
        sock = stream = None
        try:
            sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            await self._connect(sock, addresses[self._turn % len(addresses)], port)
            stream = Stream(sock, self._wrap(sock, host) if tls else None)
            return stream
        except OSError as e:
            raise from_os("connect", e)
        finally:
            if stream is None:
                self._turn += 1
                self._resolver.forget(host)
                if sock:
                    sock.close()

    async def _connect(self, sock, ip, port):
        sock.setblocking(False)
        try:
            # getaddrinfo of an address only converts it: no port asks a server about one.
            sock.connect(socket.getaddrinfo(ip, port, 0, socket.SOCK_STREAM)[0][-1])
        except OSError as e:
            if e.args[0] != errno.EINPROGRESS:
                raise
        poller = select.poll()
        # POLLHUP: elsewhere it comes unasked, the ESP32 shows a failed connect only to who asks.
        poller.register(sock, select.POLLOUT | select.POLLHUP)
        ready = poller.poll(0)
        while not ready:
            await self._clock.sleep_ms(_POLL_MS)
            ready = poller.poll(0)
        if ready[0][1] & ~select.POLLOUT:
            sock.read(1)  # raises the reason
            raise OSError(errno.ECONNREFUSED)

    def _wrap(self, sock, host):
        """`sock` with TLS around it. Fails rather than trust a context whose verification was turned off."""
        if self._context is None or self._context.verify_mode != _CERT_REQUIRED:
            raise NetError("tls", "no verifying context")
        try:
            return self._context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
        except OSError as e:
            raise from_os("tls", e)
