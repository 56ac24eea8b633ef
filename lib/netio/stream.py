"""An open connection, and the TLS context that verifies its peer.

Runs on MicroPython only: CPython's asyncio has no streams over bare sockets. There are no deadlines here: callers wrap
`read_into` and `write` in `clock.within`.
"""

import asyncio
import errno
from micropython import const

from netio.errors import NetError

_CONN_EOF = const(-0x7280)  # MBEDTLS_ERR_SSL_CONN_EOF


def verifying_context(ca_ders):
    """Return a TLS context that verifies the chain, name and dates of a server's certificate. `ca_ders`: iterable of
    root certificates in DER. ValueError: one is not DER."""
    import tls  # imported here, so that CPython, which lacks it, can import this file

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)  # verifies by default; Dialer checks that it does
    for der in ca_ders:
        context.load_verify_locations(der)
    return context


class Stream:
    """One TCP connection. `socks`: its socket, preceded by the TLS socket that wraps it, if any.

    The TLS handshake happens inside the first `write` or `read_into`, because MicroPython's separate call for it
    blocks. mbedTLS sends no data of the caller before it has accepted the peer's certificate.
    """

    def __init__(self, *socks):
        self.socks = socks
        self.io = asyncio.StreamReader(socks[0])

    async def read_into(self, view):
        """Wait for bytes, read at most len(view) of them into `view`, and return their number; 0 at the end of the
        stream.

        NetError "tls" or "closed". Over TLS the end may be a truncation: MicroPython does not say whether close_notify
        was received, so a message must contain its own length.
        """
        try:
            n = None
            while n is None:  # a TLS record without data, or only part of a record, was received
                n = await self.io.readinto(view)
            return n
        except (OSError, ValueError) as e:
            raise net_error(e)

    async def write(self, data):
        """Wait until the network stack has accepted all of `data`. NetError "tls" or "closed"."""
        try:
            self.io.write(data)
            await self.io.drain()
        except (OSError, ValueError) as e:
            raise net_error(e)

    def close(self):
        """Close the connection. Never raises, and may be called again."""
        # Both sockets: after a failed handshake, closing the TLS socket does not close the one below it.
        for sock in self.socks:
            try:
                sock.close()
            except OSError:
                pass


def net_error(error, kind="closed"):
    """Return the OSError or ValueError of a connection as NetError: of kind "tls" if TLS failed, else of `kind`. Its
    detail is errno's name or mbedTLS's text.

    MicroPython raises ValueError with mbedTLS's reasons, one per line, for a rejected certificate; OSError with
    mbedTLS's number (-256 or below) for other TLS errors; and OSError with an errno, negated by mbedTLS, for those of
    TCP.
    """
    args = error.args
    if isinstance(error, ValueError):
        return NetError("tls", "; ".join(str(error).strip().split("\n")))
    code = args[0]
    if code <= -256 and code != _CONN_EOF:
        kind = "tls"
    return NetError(kind, args[1] if len(args) > 1 else errno.errorcode.get(abs(code), code))
