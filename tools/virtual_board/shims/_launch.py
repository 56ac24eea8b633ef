"""Runs a flash folder the way the ESP32 port does: boot.py, then main.py, then the REPL; never returns.

It has the port's order of start, and what an exception means in each step. Part of the virtual board, never of a
device.
"""
# ruff: noqa: F821  (`execfile` is a MicroPython builtin)

import esp32  # noqa: F401  counts as the board's, whether the program uses it or not
import machine  # noqa: F401
import network  # noqa: F401
import os
import sys

import _link
import _memory
import _net
import _repl


def _die_with_host():
    """Ask Linux to kill this process when the host process dies; elsewhere the closed wire has to do."""
    try:
        import ffi

        ffi.open("libc.so.6").func("i", "prctl", "iiiii")(1, 9, 0, 0, 0)
    except (ImportError, OSError):
        pass


def _run(name, scope):
    """False when the file raised, which the port answers with the REPL. SystemExit goes on, to a soft reset."""
    try:
        if _there(name + ".py"):
            execfile(name + ".py", scope)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  the port prints whatever comes
        sys.print_exception(error)
        return False
    return True


def _there(path):
    try:
        return os.stat(path)
    except OSError:
        return None


def start(port, token, raw, word):
    """`raw`: the REPL is in raw mode, which outlives a soft reset and keeps main.py from being run. `word`: see
    `_memory.begin`."""
    _die_with_host()
    _link.open_wire(port, token)
    _net.install()
    if word < 0:
        import _waiting

        _waiting.install()
        _net.on_secured[0] = _waiting.note
    _memory.begin(word)
    scope = {"__name__": "__main__"}
    try:
        if _run("boot", scope) and not raw:
            _run("main", scope)
        _memory.look(True)
        sys.stdout.write("\0")
        raw = _repl.serve(scope, raw)
    except _link.Gone:
        return
    except SystemExit:
        raw = False
    print("MPY: soft reboot")
    _link.ask("soft", int(raw))
