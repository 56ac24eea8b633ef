"""Connections and UDP queries over MicroPython's sockets, without blocking the loop.

Each socket is closed or belongs to a Stream, whatever fails. There is no TLS without a check of the certificate's
chain, name and dates, and no IPv6, which the stock ESP32 image does not route. Connections have no deadlines of their
own: callers wrap `dial` in `clock.within`. Nothing here is needed once a connection is up, so a device may drop the
module meanwhile. Runs on MicroPython only: CPython's asyncio has no streams over bare sockets.
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
_TCP = const(6)  # socket.IPPROTO_TCP and TCP_NODELAY, which not every port has by name
_NODELAY = const(1)


def is_ip(host):
    """True for a dotted IPv4 address."""
    parts = host.split(".")
    for part in parts:
        if not part.isdigit() or len(part) > 3 or int(part) > 255:
            return False
    return len(parts) == 4


def split(server, port):
    """(host, port) of "host" or "host:port"; `port` is the default. ValueError when the port is no number."""
    host, colon, digits = server.partition(":")
    return host, int(digits) if colon else port


class Dialer:
    """`resolver`: `await resolve(host)`, `forget(host)`. `context`: of `netio.stream.verifying_context`, None: no TLS.
    `turn`: which of a host's addresses comes first; a dialer that takes over from an earlier one goes on with that
    one's."""

    def __init__(self, clock, resolver, context, turn=0):
        self.clock = clock
        self.resolver = resolver
        self.context = context
        self.turn = turn

    async def dial(self, host, port, tls=True):
        """A Stream to `host` (name or IPv4 address), connected; its TLS handshake is still to come, see Stream.

        Tries one of the host's addresses, and after a failure another one the next time. NetError "dns" "connect"
        "tls". Cancelling closes the socket.
        """
        addresses = await self.resolver.resolve(host)
        context = self.context
        sock = stream = None
        try:
            sock = _connecting(addresses[self.turn % len(addresses)], port, socket.SOCK_STREAM)
            await self._connected(sock)
            # Else what follows the last message of a handshake waits for its ACK, which Linux delays for 40 ms.
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
        # POLLHUP: elsewhere it comes unasked, the ESP32 shows a failed connect only to who asks.
        poller.register(sock, select.POLLOUT | select.POLLHUP)
        pause_ms = 1
        ready = poller.poll(0)
        while not ready:
            await self.clock.sleep_ms(pause_ms)
            pause_ms = min(2 * pause_ms, _POLL_MS)
            ready = poller.poll(0)
        if ready[0][1] != select.POLLOUT:
            sock.read(1)  # raises the reason
            raise NetError("connect", "refused")


def _connecting(ip, port, kind):
    """A socket of `kind` that does not block, connected or about to be. `ip` is an address in text, never a name."""
    # getaddrinfo of an address only converts it: no port asks a server about one.
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
    """One question over UDP: send `payload`, return the first datagram that comes back, cut to 512 bytes.

    Answers from anybody but the peer that was asked are dropped by the network stack, because the socket is connected.
    A retry is a new call, hence a new local port, and never receives late answers. NetError "timeout" after
    `timeout_ms`, "closed" when the network or the peer's host refused.
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
