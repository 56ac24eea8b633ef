"""An open connection as a pair of waiting calls, and the TLS context that verifies it.

Runs on MicroPython only: CPython's asyncio has no streams over bare sockets. There are no deadlines here: callers wrap
`read_into` and `write` in `clock.within`.
"""

import asyncio
import errno
from micropython import const

from netio.errors import NetError

_CONN_EOF = const(-0x7280)  # MBEDTLS_ERR_SSL_CONN_EOF


def verifying_context(ca_ders):
    """A TLS context that verifies a server's chain, name and dates against `ca_ders`, an iterable of DER certificates.
    ValueError: not DER."""
    import tls  # here, so that a host without this module can import the file

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)  # which verifies; Dialer makes sure that it does
    for der in ca_ders:
        context.load_verify_locations(der)
    return context


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
        has to contain its own length.
        """
        try:
            n = None
            while n is None:  # woken by a TLS record without data, or by a part of one
                n = await self.io.readinto(view)
            return n
        except (OSError, ValueError) as e:
            raise net_error(e)

    async def write(self, data):
        """Return when the network stack has taken all of `data`. NetError "tls" or "closed"."""
        try:
            self.io.write(data)
            await self.io.drain()
        except (OSError, ValueError) as e:
            raise net_error(e)

    def close(self):
        """Never raises, may be called again."""
        # Both: a TLS socket whose handshake failed has forgotten the socket below and would leave it open.
        for sock in self.socks:
            try:
                sock.close()
            except OSError:
                pass  # there is nothing left to do for it


def net_error(error, kind="closed"):
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
