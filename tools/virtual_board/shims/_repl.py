"""The REPL at the board's console: raw mode with raw paste, as mpremote speaks it, and a friendly mode of single lines.

This is the protocol of MicroPython's `shared/runtime/pyexec.c`, which the unix port does not have. What is typed comes
over standard input; the host turns line ends into CR LF and Ctrl-C into KeyboardInterrupt while a program runs.
Part of the virtual board, never of a device.
"""

import sys
from micropython import const

import _link

_WINDOW = const(128)
_LONGEST = const(65536)
_A, _B, _C, _D, _E, _CR = const(1), const(2), const(3), const(4), const(5), const(13)


def _room():
    """Where a program that is typed lies: outside of the heap where that can be had, because a chip compiles it as it
    comes and holds none of it. A longer one than `_LONGEST` bytes is an IndexError."""
    try:
        import ffi
        import uctypes

        place = ffi.open("libc.so.6").func("p", "malloc", "L")(_LONGEST)
        return uctypes.bytearray_at(place, _LONGEST)
    except (ImportError, OSError):
        return bytearray(_LONGEST // 4)


def serve(scope, raw):
    """Run what is typed in `scope` until a soft reset is asked for; then whether that begins in raw mode."""
    room = _room()
    while True:
        try:
            if _raw(scope, room) if raw else _friendly(scope):
                return raw
            raw = not raw
        except KeyboardInterrupt:
            pass  # it was meant for a program that has just ended


def _key():
    key = sys.stdin.buffer.read(1)
    if not key:
        raise _link.Gone
    return key[0]


def _say(text):
    sys.stdout.write(text)


def _raw(scope, room):
    """True: soft reset, False: the other mode."""
    banner = "raw REPL; CTRL-B to exit\n>"
    while True:
        _say(banner)
        banner = ">"
        _link.ask("repl", 1)
        size = 0
        while (key := _key()) > _D or key == _C:
            if key == _C:
                size = 0
            else:
                room[size] = key
                size += 1
        if key == _B:
            _say("\n")
            return False
        if key == _A:
            if room[:size] == b"\x05A":
                if _run(room, None, scope):
                    return True
            else:
                banner = "raw REPL; CTRL-B to exit\n>"
            continue
        _say("OK")
        if not size:
            _say("\n")
            return True
        if _run(room, size, scope):
            return True


def _pasted(room):
    """Bytes of the program of a raw paste, received into `room` with flow control."""
    _say("R\x01%c\0\x01" % _WINDOW)
    size = 0
    left = _WINDOW
    while (key := _key()) != _D:
        if key == _C:
            _say("\x04")
            raise KeyboardInterrupt
        room[size] = key
        size += 1
        left -= 1
        if not left:
            left = _WINDOW
            _say("\x01")
    _say("\x04")
    return size


def _run(room, size, scope):
    """Run the program in the first `size` bytes of `room`, None: one that is still to be pasted, and mark the ends of
    its output and of its error; whether it asked for a soft reset."""
    error = None
    try:
        if size is None:
            size = _pasted(room)
        code = compile(str(memoryview(room)[:size], "utf-8"), "<stdin>", "exec")
        _link.ask("repl", 0)
        exec(code, scope)
    except (Exception, KeyboardInterrupt) as e:  # noqa: BLE001  whatever comes is for who typed it
        error = e
    except SystemExit:
        _say("\x04\x04")
        return True
    _say("\x04")
    if error:
        sys.print_exception(error)
    _say("\x04")
    return False


def _friendly(scope):
    """True: soft reset, False: the other mode."""
    _say("MicroPython %s; virtual ESP32 board\n" % ".".join(map(str, sys.implementation.version[:3])))
    while True:
        _say(">>> ")
        _link.ask("repl", 1)
        line = bytearray()
        while (key := _key()) not in (_A, _B, _C, _D, _CR):
            line.append(key)
            sys.stdout.buffer.write(bytes([key]))
        _say("\n")
        if key in (_A, _D):
            return key == _D
        if key == _CR and line:
            try:
                _link.ask("repl", 0)
                exec(compile(str(line, "utf-8"), "<stdin>", "single"), scope)
            except SystemExit:
                return True
            except (Exception, KeyboardInterrupt) as e:  # noqa: BLE001  whatever comes is for who typed it
                sys.print_exception(e)
