"""`select` whose console is a serial line at which nobody types: this port takes its own for ready at any time."""

import sys

import uselect
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT  # noqa: F401


class poll:
    def __init__(self):
        self._poll = uselect.poll()

    def register(self, stream, events=POLLIN | POLLOUT):
        if stream is not sys.stdin:
            self._poll.register(stream, events)

    def modify(self, stream, events):
        self._poll.modify(stream, events)

    def unregister(self, stream):
        self._poll.unregister(stream)

    def poll(self, timeout=-1):
        if timeout:
            raise NotImplementedError("a poll that blocks")
        return self._poll.poll(0)

    def ipoll(self, timeout=-1, flags=0):
        return iter(self.poll(timeout))
