"""Starts a device as the ESP32 port does, boot.py and then main.py in one namespace, from the root of the file system.

It provides what exists before boot.py: the modules of the chip, and no others.
"""
# ruff: noqa: F821  (`execfile` is a MicroPython builtin)

import os
import sys

import _image

_CHIP = ("select", "_link", "machine", "network", "esp32", "socket", "tls", "ssl", "_thread")


def start():
    _image.install()
    sys.path[:] = ["/image", "/shims"]
    for name in _CHIP:
        __import__(name)
    sys.modules["gc"] = __import__("_memory")
    sys.path[:] = ["", "/lib"]  # no `.frozen`: in there is a library that no ESP32 has
    os.chdir("/")
    scope = {"__name__": "__main__"}
    for name in ("boot.py", "main.py"):
        execfile(name, scope)
