"""Connections and UDP questions over MicroPython's sockets, without ever blocking the loop.

Owns each socket from its birth until it is closed or a Stream has it, whatever happens in between. Refuses TLS without
a check of the certificate's chain, name and dates, and IPv6, which the stock ESP32 image does not route. Connections
have no deadlines of their own: callers wrap `dial`, `read_into` and `write` in `clock.within`. Runs on MicroPython
only: CPython's asyncio has no streams over bare sockets.
"""

import asyncio
import errno
import select
import socket
from micropython import const

from netio.errors import NetError

_CERT_REQUIRED = const(2)
_CONN_EOF = const(-0x7280)  # MBEDTLS_ERR_SSL_CONN_EOF
_POLL_MS = const(15)
_DATAGRAM = const(512)


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
    """`resolver`: `await resolve(host)`, `forget(host)`. `ca_ders`: the DER certificates that TLS trusts, none: no TLS.

    ValueError: not DER.
    """

    def __init__(self, clock, resolver, ca_ders):
        self.clock = clock
        self.resolver = resolver
        self.context = None
        self.turn = 0
        if ca_ders:
            import tls  # here, so that a host without this module can import the file

            self.context = tls.SSLContext(
                tls.PROTOCOL_TLS_CLIENT
            )  # verifies, and `dial` makes sure that it does
            for der in ca_ders:
                self.context.load_verify_locations(der)

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
            if not tls:
                stream = Stream(sock)
            elif context and context.verify_mode == _CERT_REQUIRED:
                secured = context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False)
                stream = Stream(secured, sock)
            else:
                raise NetError("tls", "no verifying context")
            return stream
        except OSError as e:
            raise _net_error(e, "connect")
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
        ready = ()
        while not ready:
            await self.clock.sleep_ms(_POLL_MS)
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


class Stream:
    """One TCP connection: its socket, and before that the TLS socket around it, if there is one.

    The TLS handshake happens inside the first `write` or `read_into`: MicroPython can only drive it alone by blocking.
    mbedTLS sends nothing of the caller's before the peer's certificate was accepted.
    """

    def __init__(self, *socks):
        self.socks = socks
        self.io = asyncio.StreamReader(socks[0])

    async def read_into(self, view):
        """Wait for bytes, put at most len(view) into `view` and return how many; 0 when the peer has ended.

        NetError "tls" or "closed". A TLS end may be a cut: mbedTLS hides whether the closing alert came, so a message
        has to say its own length.
        """
        try:
            n = None
            while n is None:  # woken by a TLS record without data, or by a part of one
                n = await self.io.readinto(view)
            return n
        except (OSError, ValueError) as e:
            raise _net_error(e)

    async def write(self, data):
        """Return when the network stack has taken all of `data`. NetError "tls" or "closed"."""
        try:
            self.io.write(data)
            await self.io.drain()
        except (OSError, ValueError) as e:
            raise _net_error(e)

    def close(self):
        """Never raises, may be called again."""
        # Both: a TLS socket whose handshake failed has forgotten the socket below and would leave it open.
        for sock in self.socks:
            try:
                sock.close()
            except OSError:
                pass  # there is nothing left to do for it


async def exchange(ip, port, payload, clock, timeout_ms):
    """One question over UDP: send `payload`, return the first datagram that comes back, cut to 512 bytes.

    Answers from anybody but the peer that was asked are dropped by the network stack, because the socket is connected.
    A retry is a new call, hence a new local port, and never hears late answers. NetError "timeout" after `timeout_ms`,
    "closed" when the network or the peer's host said no.
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
        raise _net_error(e)
    finally:
        if sock:
            sock.close()
    raise NetError("timeout", "no answer")


def _net_error(error, kind="closed"):
    """What broke a connection, as NetError of `kind`, or "tls", with errno's name for it or mbedTLS's text.

    MicroPython raises ValueError with mbedTLS's reasons, one per line, for a rejected certificate; OSError with a large
    negative mbedTLS number for other TLS trouble; and a small number, negative once it went through mbedTLS, for TCP's.
    """
    args = error.args
    if isinstance(error, ValueError):
        return NetError("tls", "; ".join(str(error).strip().split("\n")))
    code = args[0]
    if code <= -256 and code != _CONN_EOF:
        kind = "tls"
    return NetError(kind, args[1] if len(args) > 1 else errno.errorcode.get(abs(code), code))
