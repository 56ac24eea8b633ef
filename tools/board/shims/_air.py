"""Sockets while the access point is on the air: who listens on the chip's own address does so on the host's loopback.

Owns the change of addresses only; which port it is the host says. Part of the virtual board, never of a device.
"""

import socket as _socket
import sys

import _link


class _Sockets:
    def __getattr__(self, name):
        return getattr(_socket, name)

    def getaddrinfo(self, host, port, *rest):
        if host == "192.168.4.1":
            host, port = "127.0.0.1", int(_link.ask("listen", port))
        return _socket.getaddrinfo(host, port, *rest)


def install():
    if not isinstance(_socket, _Sockets):
        sys.modules["socket"] = _Sockets()
