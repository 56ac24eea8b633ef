"""`ssl` as the ESP32 image has it: a thin cover over `tls` that opens files and, unlike `tls`, starts unverified.

Part of the virtual board, never of a device.
"""

import tls
from tls import (  # noqa: F401
    CERT_NONE,
    CERT_OPTIONAL,
    CERT_REQUIRED,
    MBEDTLS_VERSION,
    PROTOCOL_TLS_CLIENT,
    PROTOCOL_TLS_SERVER,
)


def _content(source):
    if isinstance(source, str):
        with open(source, "rb") as file:
            return file.read()
    return source


class SSLContext:
    def __init__(self, protocol):
        self._context = tls.SSLContext(protocol)
        self._context.verify_mode = CERT_NONE

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def load_cert_chain(self, certfile, keyfile):
        self._context.load_cert_chain(_content(certfile), _content(keyfile))

    def load_verify_locations(self, cafile=None, cadata=None):
        self._context.load_verify_locations(_content(cafile) if cafile else cadata)

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        return self._context.wrap_socket(
            sock,
            server_side=server_side,
            do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )
