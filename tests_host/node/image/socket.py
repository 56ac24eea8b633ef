"""`socket` of the ESP32 port, as far as a device that never blocks uses it, over a network in the host's memory.

An error is what would block the loop: names, and sockets that wait. Numbers of errors are those of the port at hand, by
name those of the ESP32.
"""

import binascii
import errno
import io

from _link import ask, packed

AF_INET = 2
SOCK_STREAM = 1
SOCK_DGRAM = 2
_POLL = 3
_CLOSE = 4
_HUP = 16


def getaddrinfo(host, port, af=0, type=0, proto=0, flags=0):
    if not all([part.isdigit() for part in host.split(".")]):
        raise OSError(-202)  # no name server of the port's own is to be asked
    return [(AF_INET, type or SOCK_STREAM, 0, "", (host, port))]


class socket(io.IOBase):
    def __init__(self, af=AF_INET, type=SOCK_STREAM, proto=0):
        if af != AF_INET:
            raise OSError(errno.EAFNOSUPPORT)
        self._stream = type == SOCK_STREAM
        self._open = True
        self._waits = True
        self._id = ask("open", "tcp" if self._stream else "udp")

    def setblocking(self, on):
        self._waits = on

    def setsockopt(self, level, option, value):
        self._usable()
        if (level, option) != (6, 1):  # TCP_NODELAY, which changes nothing here
            raise NotImplementedError("a socket option")

    def connect(self, address):
        self._usable()
        ask("dial", self._id, address[0], address[1])
        if self._stream:
            raise OSError(errno.EINPROGRESS)

    def recv(self, n):
        data = self.read(n)
        if data is None:
            raise OSError(errno.EAGAIN)
        return data

    def send(self, data):
        sent = self.write(data)
        if sent is None:
            raise OSError(errno.EAGAIN)
        return sent

    def read(self, n=-1):
        if n < 0:
            raise NotImplementedError("read up to the end")
        self._usable()
        reply = ask("take", self._id, n)
        return binascii.unhexlify(reply[1:]) if reply else None

    def readinto(self, buf):
        data = self.read(len(buf))
        if data is not None:
            buf[: len(data)] = data
            return len(data)

    def write(self, data):
        self._usable()
        sent = int(ask("give", self._id, packed(data)))
        return sent if sent >= 0 else None

    def ioctl(self, request, argument):
        if request == _CLOSE:
            self.close()
            return 0
        if request != _POLL:
            return -errno.EINVAL
        # Whether a connect failed is shown to those who ask for it, and to nobody else.
        return int(ask("ready", self._id)) & argument if self._open else argument & _HUP

    def close(self):
        if self._open:
            self._open = False
            ask("shut", self._id)

    def _usable(self):
        if not self._open:
            raise OSError(errno.EBADF)
        if self._waits:
            raise NotImplementedError("a socket that blocks")
