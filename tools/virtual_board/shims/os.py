"""`os` as the ESP32 image has it: its file system is the chip's flash, and not the disk of the host.

An image of ESP32_GENERIC with 4 MB leaves files 2 MB of it, in blocks of 4 KB. Part of the virtual board, never of a
device. The built-in module answers to `uos`, whatever lies on the path.
"""

from micropython import const

import uos

_BLOCK = const(4096)
_BLOCKS = const(512)


def __getattr__(name):
    return getattr(uos, name)


def uname():
    import _link

    return "esp32", "esp32", "1.26.1", "v1.26.1", _link.ask("machine")


def statvfs(path):
    """As of littlefs: a file takes whole blocks, a folder two, and so does the file system."""
    free = max(_BLOCKS - 2 - _taken(""), 0)
    return _BLOCK, _BLOCK, _BLOCKS, free, free, 0, 0, 0, 0, 255


def _taken(folder):
    blocks = 0
    for name, kind, *_ in uos.ilistdir(folder or "/"):
        path = folder + "/" + name
        if kind & 0x4000:
            blocks += 0 if path == "/.rom" else 2 + _taken(path)
        else:
            blocks += -(-uos.stat(path)[6] // _BLOCK)
    return blocks
