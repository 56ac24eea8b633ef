"""Connections and UDP queries over MicroPython's sockets, without blocking the event loop.

Whatever fails, each socket is closed or belongs to a Stream. TLS always verifies the certificate's chain, name and
dates. IPv6 is not supported, because the stock ESP32 image does not route it. Connections have no deadlines of their
own: callers wrap `dial` in `clock.within`. Nothing here is needed while a connection is open, so a device can unload
the module. Runs on MicroPython only: CPython's asyncio has no streams over bare sockets.
"""

import errno
import select
import socket
from micropython import const

from netio.errors import NetError
from netio.stream import Stream, net_error

_CERT_REQUIRED = const(2)
_POLL_MS = const(15)
_DATAGRAM = const(512)
_TCP = const(6)  # socket.IPPROTO_TCP; some ports lack this name and TCP_NODELAY
_NODELAY = const(1)


def is_ip(host):
    """Return whether `host` (str) is an IPv4 address in dotted decimals."""
    parts = host.split(".")
    for part in parts:
        if not part.isdigit() or len(part) > 3 or int(part) > 255:
            return False
    return len(parts) == 4


def split(server, port):
    """Return (host, port) of "host" or "host:port"; `port` is the default. ValueError if the port is not a number."""
    host, colon, digits = server.partition(":")
    return host, int(digits) if colon else port


class Dialer:
    """`clock`: has `sleep_ms`. `resolver`: has `await resolve(host)` and `forget(host)`. `context`: from
    `netio.stream.verifying_context`; None: no TLS. `turn`: number of failed dials, which selects one of the host's
    addresses; pass that of an earlier dialer to continue from it."""

    def __init__(self, clock, resolver, context, turn=0):
        self.clock = clock
        self.resolver = resolver
        self.context = context
        self.turn = turn

    async def dial(self, host, port, tls=True):
        """Return a Stream connected to `host` (name or IPv4 address). Its TLS handshake follows later, see Stream.

        Tries one of the host's addresses; after a failure, the next call tries another one. NetError "dns", "connect"
        or "tls". Cancelling closes the socket.
        """
        # Sorted, because many name servers rotate the addresses: each try could meet the same one.
        addresses = sorted(await self.resolver.resolve(host))
        context = self.context
        sock = stream = None
        try:
            sock = _connecting(addresses[self.turn % len(addresses)], port, socket.SOCK_STREAM)
            await self._connected(sock)
            # Nagle's algorithm would hold back data after the handshake's last message until its ACK, which Linux
            # delays by 40 ms.
            sock.setsockopt(_TCP, _NODELAY, 1)
            if not tls:
                stream = Stream(sock)
            elif context and context.verify_mode == _CERT_REQUIRED:
                secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                stream = Stream(secured, sock)
            else:
                raise NetError("tls", "no verifying context")
            return stream
        except (OSError, ValueError) as e:
            raise net_error(e, "connect")
        finally:
            if not stream:
                self.turn += 1
                self.resolver.forget(host)
                if sock:
                    sock.close()

    async def _connected(self, sock):
        poller = select.poll()
        # Other ports report POLLHUP always, the ESP32 only if it is requested: without it a failed connect is not seen.
        poller.register(sock, select.POLLOUT | select.POLLHUP)
        pause_ms = 1
        ready = poller.poll(0)
        while not ready:
            await self.clock.sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, _POLL_MS)
            ready = poller.poll(0)
        if ready[0][1] != select.POLLOUT:
            sock.read(1)  # raises OSError with the reason
            raise NetError("connect", "refused")


def _connecting(ip, port, kind):
    """Return a non-blocking socket of `kind`, connected or connecting. `ip`: str, an address, never a name. OSError."""
    # With an address getaddrinfo only converts: no port queries a server for it.
    info = socket.getaddrinfo(ip, port, 0, kind)[0]
    sock = socket.socket(info[0], kind)
    try:
        sock.setblocking(False)
        sock.connect(info[-1])
    except OSError as e:
        if e.args[0] != errno.EINPROGRESS:
            sock.close()
            raise
    return sock


async def exchange(ip, port, payload, clock, timeout_ms):
    """Send `payload` (bytes) over UDP to the address `ip` (str) and return the first datagram received in answer, cut
    to 512 bytes.

    The socket is connected, so the network stack drops datagrams from other peers. Each call uses a new local port, so
    a retry does not receive late answers. NetError "timeout" after `timeout_ms`, "closed" if the network or the peer's
    host refused.
    """
    sock = None
    try:
        sock = _connecting(ip, port, socket.SOCK_DGRAM)
        sock.send(payload)
        started = clock.ms()
        while clock.since(started) < timeout_ms:
            await clock.sleep_ms(_POLL_MS)
            try:
                return sock.recv(_DATAGRAM)
            except OSError as e:
                if e.args[0] != errno.EAGAIN:
                    raise
    except OSError as e:
        raise net_error(e)
    finally:
        if sock:
            sock.close()
    raise NetError("timeout", "no answer")
