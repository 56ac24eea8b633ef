"""Sockets, TLS and threads of the chip: what they take outside of the Python heap is the host's to know.

Sockets and TLS sockets are the interpreter's own, so that its loop can wait for them; where memory is short another
object stands for the TLS socket, whose handshake fails. While the access point is on the air, who listens on the chip's
own address does so on the host's loopback.

When the network is lost, a socket's descriptor leads nowhere from then on, as lwIP ends the connections of an interface
that goes down; what it led to stays open until there is a network again, so that the peer hears nothing. Until then a
new socket finds no way.
Part of the virtual board, never of a device.
"""

import errno
import io
import os
import socket
import sys
import tls

import _link
import _memory

air = [False]
on_secured = [None]
"""What is called with each TLS socket and the socket below it."""
_kept = []
_libc = []
_EHOSTUNREACH = 113
_VERIFY = "The certificate is not correctly signed by the trusted CA\n"
_X509_ALLOC_FAILED = -0x2880
# Bytes of heap that a context takes on a chip; here it is 1.8 KB.
_CONTEXT = 416 if sys.maxsize < 1 << 32 else 832


def install():
    try:
        import ffi

        libc = ffi.open("libc.so.6")
        _libc.extend((libc.func("i", "dup", "i"), libc.func("i", "dup2", "ii"), libc.func("i", "close", "i")))
        _link.link[0] = _changed
    except (ImportError, OSError):
        pass  # then connections that are open go on
    _memory.put("socket", socket=_open, getaddrinfo=_getaddrinfo)
    _memory.put("tls", SSLContext=_Context)
    _memory.put("_thread", allocate_lock=_Lock, start_new_thread=_start_new_thread, stack_size=_stack_size)


def _open(*kind):
    sock = socket.socket(*kind)
    answer = _link.ask("socket", sock.fileno())
    if answer == "full":
        sock.close()
        raise OSError(errno.ENOMEM)
    return _Nowhere(sock) if answer == "down" else sock


def _changed(line):
    """The network is there again (no numbers), or was lost, with the descriptors of the program's sockets."""
    dup, dup2, close = _libc
    numbers = line[1:].split()
    while _kept and not numbers:
        close(_kept.pop())
    if numbers:
        nowhere = socket.socket()
        for number in numbers:
            _kept.append(dup(int(number)))
            dup2(nowhere.fileno(), int(number))
        nowhere.close()


def _getaddrinfo(host, port, *rest):
    if _link.ask("zombie") == "1":
        host, port = "127.0.0.1", int(_link.ask("nowhere", int(socket.SOCK_STREAM in rest)))
    if air[0] and host == "192.168.4.1":
        host, port = "127.0.0.1", int(_link.ask("listen", port))
    return socket.getaddrinfo(host, port, *rest)


class _Nowhere(io.IOBase):
    """A socket without a network: from it there is no way to anybody."""

    def __init__(self, sock):
        self._sock = sock

    def connect(self, address):
        raise OSError(_EHOSTUNREACH)

    def sendto(self, data, address):
        raise OSError(_EHOSTUNREACH)

    def __getattr__(self, name):
        return getattr(self._sock, name)

    def close(self):
        self._sock.close()


class _Context:
    """What a context holds it gives back with its last reference, as the interpreter closes a file that is dropped."""

    def __init__(self, protocol):
        before = _memory.used_after_collection()  # or a collection meanwhile would count as well
        self._context = tls.SSLContext(protocol)
        self._file = None
        _memory.not_the_programs(_memory.used_after_collection() - before - _CONTEXT)

    def __getattr__(self, name):
        return getattr(self._context, name)

    @property
    def verify_mode(self):
        return self._context.verify_mode

    @verify_mode.setter
    def verify_mode(self, mode):
        self._context.verify_mode = mode

    def load_verify_locations(self, cadata):
        if self._file is None:
            self._file = _some_file()
            if _link.ask("context", self._file.fileno() if self._file else -1) == "full":
                self._file = None
                raise ValueError("invalid cert")
        self._context.load_verify_locations(cadata)

    def wrap_socket(self, sock, server_side=False, do_handshake_on_connect=True, server_hostname=None):
        failed = _link.ask("tls", sock.fileno())
        if failed == "setup":
            raise OSError(errno.ENOMEM)
        if failed:
            failing = _OutOfMemory(sock, failed)
            if do_handshake_on_connect:
                failing.write(b"")
            return failing
        secured = self._context.wrap_socket(
            sock, server_side=server_side, do_handshake_on_connect=do_handshake_on_connect,
            server_hostname=server_hostname,
        )  # fmt: skip
        if on_secured[0]:
            on_secured[0](secured, sock)
        return secured


def _some_file():
    for entry in os.ilistdir("/"):
        if entry[1] == 0x8000:
            return open("/" + entry[0], "rb")


class _OutOfMemory(io.IOBase):
    """A TLS socket whose handshake finds no memory."""

    def __init__(self, sock, failed):
        self._sock = sock
        self._failed = failed

    def readinto(self, into):
        return self.write(into)

    def write(self, data):
        if self._failed == "verify":
            raise ValueError(_VERIFY)
        if self._failed == "parse":
            raise OSError(_X509_ALLOC_FAILED, "X509 - Allocation of memory failed")
        raise OSError(errno.ENOMEM)

    read = recv = send = write

    def close(self):
        self._sock.close()

    def ioctl(self, request, arg):
        return arg if request == 3 else -1  # poll: it could go on at once


class _Acquire:
    """`lock.acquire`, which tells its lock."""

    def __init__(self, lock):
        self.lock = lock

    def __call__(self, wait=True):
        if self.lock.taken and wait:
            raise NotImplementedError("it would wait for this lock for ever")
        free = not self.lock.taken
        self.lock.taken = True
        return free


class _Lock:
    """`_thread.LockType`, for the one thread that the board can play: one that only waits for a lock."""

    def __init__(self):
        self.taken = False
        self.waiting = []
        self.acquire = _Acquire(self)

    def release(self):
        if not self.taken:
            raise RuntimeError
        self.taken = False
        if self.waiting:
            self.taken = True
            _end_thread(self.waiting.pop(0))

    def locked(self):
        return self.taken


def _start_new_thread(function, args):
    """A thread waits for a lock, or is over at once: here nothing runs beside the program."""
    number = _link.ask("thread")
    if number == "full":
        raise OSError("can't create thread")
    _memory.look(True)  # what the heap can grow by has changed
    if not isinstance(function, _Acquire):
        try:
            function(*args)
        finally:
            _end_thread(number)
        return
    if function.lock.taken:
        function.lock.waiting.append(number)
    else:
        function.lock.taken = True
        _end_thread(number)


def _end_thread(number):
    _memory.look(True)
    _link.ask("unthread", number)
    _memory.look(True)


def _stack_size(*size):
    return int(_link.ask("stack", *size))
