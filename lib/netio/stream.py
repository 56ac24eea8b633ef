"""An open connection, TLS or plain, over MicroPython's sockets, and the words for what can happen to it.

Owns its socket until `close`. Has no deadlines of its own: callers wrap `read_into` and `write` in `clock.within`.
Runs on MicroPython only: CPython's asyncio has no streams over bare sockets.
"""

import asyncio
import errno
from micropython import const

from netio.errors import NetError

_CONN_EOF = const(-0x7280)  # MBEDTLS_ERR_SSL_CONN_EOF


def from_os(kind, error):
    """NetError of `kind` out of an OSError, with errno's name for it or mbedTLS's text."""
    code = error.args[0]
    detail = error.args[1] if len(error.args) > 1 else errno.errorcode.get(abs(code), code)
    return NetError(kind, detail)


class Stream:
    """One TCP connection, with TLS around it when `tls_sock` is given.

    The TLS handshake happens inside the first `write` or `read_into`: MicroPython can only drive it alone by blocking.
    mbedTLS sends nothing of the caller's before the peer's certificate was accepted.
    """

    def __init__(self, sock, tls_sock=None):
        self._socks = (tls_sock, sock)
        self._io = asyncio.StreamReader(tls_sock or sock)

    async def read_into(self, view):
        """Wait for bytes, put at most len(view) into `view` and return how many; 0 when the peer has ended.

        NetError "tls" or "closed". A TLS end may be a cut: mbedTLS hides whether the closing alert came, so a message
        has to say its own length.
        """
        try:
            while True:
                n = await self._io.readinto(view)
                if n is not None:  # None: woken by a TLS record without data, or by a part of one
                    return n
        except (OSError, ValueError) as e:
            raise _translate(e)

    async def write(self, data):
        """Return when the network stack has taken all of `data`. NetError "tls" or "closed"."""
        try:
            self._io.write(data)
            await self._io.drain()
        except (OSError, ValueError) as e:
            raise _translate(e)

    def close(self):
        """Never raises, may be called again."""
        # Both: a TLS socket whose handshake failed has forgotten the socket below and would leave it open.
        for sock in self._socks:
            try:
                if sock:
                    sock.close()
            except OSError:
                pass  # there is nothing left to do for it


def _translate(error):
    """NetError for what broke an open connection.

    MicroPython raises ValueError with mbedTLS's reasons, one per line, for a rejected certificate; OSError with a large
    negative mbedTLS number for other TLS trouble; and a small number, negative once it went through mbedTLS, for TCP's.
    """
    if isinstance(error, ValueError):
        return NetError("tls", "; ".join(str(error).strip().split("\n")))
    code = error.args[0]
    return from_os("closed" if code > -256 or code == _CONN_EOF else "tls", error)
