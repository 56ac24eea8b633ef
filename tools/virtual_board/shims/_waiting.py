"""`select.poll` that sleeps until something comes, also where a TLS socket is among what is waited for.

The interpreter looks once a millisecond at what has no file descriptor, which takes 3 % of a core for each board. Here
the socket below a TLS socket is waited for, for a while, and then everything is looked at; what mbedTLS has deciphered
already is seen by the first look, which waits for nothing.
Only for a board whose heap is not limited, for it takes some of that. Part of the virtual board, never of a device.
"""

import select
import socket
import time

import _memory

_MOST_MS = 100  # between two looks
_SOCKET = type(socket.socket())
_MOST = 4
_below = []  # (TLS socket's id, the socket below), the latest last: more than a device has at a time


def install():
    _memory.put("select", poll=_Poll)


def note(secured, sock):
    """A TLS socket has been made around `sock`."""
    _below.append((id(secured), sock))
    del _below[:-_MOST]


class _Poll:
    def __init__(self):
        self._all, self._descriptors = select.poll(), select.poll()

    def register(self, thing, *flags):
        self._all.register(thing, *flags)
        try:
            self._descriptors.register(_descriptor(thing), *flags)
        except OSError:
            pass  # it has none: the looks have to do

    modify = register

    def unregister(self, thing):
        self._all.unregister(thing)
        try:
            self._descriptors.unregister(_descriptor(thing))
        except (KeyError, OSError):
            pass  # closed meanwhile

    def poll(self, timeout=-1):
        return list(self.ipoll(timeout))

    def ipoll(self, timeout=-1):
        start = time.ticks_ms()
        while True:
            ready = self._all.poll(0)
            left = timeout - time.ticks_diff(time.ticks_ms(), start) if timeout >= 0 else _MOST_MS
            if ready or left <= 0:
                return iter(ready)
            self._descriptors.poll(min(left, _MOST_MS))


def _descriptor(thing):
    if type(thing) is not _SOCKET:
        number = id(thing)
        for secured, sock in _below:
            if secured == number:
                thing = sock
    return thing
