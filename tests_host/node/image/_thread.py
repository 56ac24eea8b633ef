"""`_thread` of the ESP32 port, for threads that only wait: of those a device has their stack and nothing else.

A thread runs to the first lock that it has to wait for, and waits there for ever: nothing here could run the rest of it
beside the program. Where the stack comes from the host knows.
"""

from _link import ask

_starting = []


class _Waits(BaseException):
    """A new thread has come to a lock that is taken."""


def stack_size(size=0):
    return int(ask("stack", size))


def get_ident():
    return 1


def allocate_lock():
    return _Lock()


def start_new_thread(function, args=(), kwargs=None):
    number = ask("thread")
    if number == "full":
        raise OSError("can't create thread")
    _starting.append(number)
    try:
        function(*args, **(kwargs or {}))
        ask("unthread", number)
    except _Waits:
        pass
    finally:
        _starting.pop()
    return int(number) + 2


class _Lock:
    """`_owed`: threads that wait; whoever releases it gives it to one of them, which is at its end with it."""

    def __init__(self):
        self._locked = False
        self._owed = []

    def acquire(self, waitflag=1, timeout=-1):
        if not self._locked:
            self._locked = True
            return True
        if not waitflag:
            return False
        if not _starting:
            raise NotImplementedError("the program waits for a lock that nobody else can release")
        self._owed.append(_starting[-1])
        raise _Waits

    def release(self):
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        if self._owed:
            ask("unthread", self._owed.pop(0))  # it has the lock now, for ever
        else:
            self._locked = False

    def locked(self):
        return self._locked

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()
