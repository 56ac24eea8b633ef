"""`tls` of the ESP32 port for clients, without the arithmetic: who trusts which authority meets who presents what.

The device sees the same as on a chip: a handshake inside the first read or write, that nothing of the device's leaves
before it, mbedTLS's words when a certificate is refused. A context that does not verify is an error.
"""

import binascii
import errno
import hashlib
import io

from _link import ask

PROTOCOL_TLS_CLIENT = 0
PROTOCOL_TLS_SERVER = 1
CERT_NONE = 0
CERT_OPTIONAL = 1
CERT_REQUIRED = 2
MBEDTLS_VERSION = "Mbed TLS 3.6.0"


class SSLContext:
    def __init__(self, protocol):
        if protocol != PROTOCOL_TLS_CLIENT:
            raise NotImplementedError("a TLS server")
        self.verify_mode = CERT_REQUIRED
        self._trusted = []

    def load_verify_locations(self, cadata):
        # One certificate in DER: a sequence whose length is that of the rest.
        if cadata[:2] != b"\x30\x82" or int.from_bytes(cadata[2:4], "big") != len(cadata) - 4:
            raise ValueError("invalid cert")
        self._trusted.append(binascii.hexlify(hashlib.sha256(cadata).digest()).decode())

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        if server_side or do_handshake_on_connect:
            raise NotImplementedError("a TLS server, or a handshake that blocks")
        if self.verify_mode != CERT_REQUIRED or not server_hostname:
            raise ValueError("CERT_REQUIRED requires server_hostname")
        return _Secured(sock, server_hostname, self._trusted)


class _Secured(io.IOBase):
    def __init__(self, sock, name, trusted):
        self._sock = sock
        self._greeting = [name] + trusted
        self._broken = False

    def _shake(self):
        if self._broken:
            raise OSError(errno.EINVAL)
        if self._greeting:
            greeting, self._greeting = self._greeting, None
            self._broken = True
            ask("tls", self._sock._id, *greeting)
            self._broken = False

    def readinto(self, buf):
        self._shake()
        return self._sock.readinto(buf)

    def read(self, n=-1):
        self._shake()
        return self._sock.read(n)

    def write(self, data):
        self._shake()
        return self._sock.write(data)

    def ioctl(self, request, argument):
        return self._sock.ioctl(request, argument)

    def close(self):
        self._sock.close()
