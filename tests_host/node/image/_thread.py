"""`_thread` of the ESP32 port, for threads that only wait: of those a device has their stack and nothing else.

A thread runs to the first lock that it has to wait for, and waits there for ever: nothing here could run the rest of it
beside the program.
"""

_size = [0]
_starting = []


class _Waits(BaseException):
    """A new thread has come to a lock that is taken."""


def stack_size(size=0):
    before, _size[0] = _size[0], size
    return before


def get_ident():
    return 1


def allocate_lock():
    return _Lock()


def start_new_thread(function, args=(), kwargs=None):
    _starting.append(function)
    try:
        function(*args, **(kwargs or {}))
    except _Waits:
        pass
    finally:
        _starting.pop()
    return 2


class _Lock:
    """`_owed`: threads that wait; whoever releases it gives it to one of them, which is at its end with it."""

    def __init__(self):
        self._locked = False
        self._owed = 0

    def acquire(self, waitflag=1, timeout=-1):
        if not self._locked:
            self._locked = True
            return True
        if not waitflag:
            return False
        if not _starting:
            raise NotImplementedError("the program waits for a lock that nobody else can release")
        self._owed += 1
        raise _Waits

    def release(self):
        if not self._locked:
            raise RuntimeError("release unlocked lock")
        if self._owed:
            self._owed -= 1  # its thread has it now, for ever
        else:
            self._locked = False

    def locked(self):
        return self._locked

    def __enter__(self):
        return self.acquire()

    def __exit__(self, *_):
        self.release()
