"""`vfs` of an ESP32 image that was built with MICROPY_VFS_ROM and has a partition named `romfs`: the module itself,
with `rom_ioctl` besides, and what the port mounts before boot.py. Part of the virtual board, never of a device.

The partition is a file of the host, mapped into memory twice: for reading, where a write is a fault that ends the run,
and for programming, which as in a NOR flash turns ones into zeros only; erasing a block makes it all ones again.
"""

import errno
import sys
from micropython import const
from vfs import *  # noqa: F403  what this module stands in for

import ffi
import uctypes

_BLOCK = const(4096)
_READ = const(1)
_READ_WRITE = const(3)
_SHARED = const(1)
_O_RDWR = const(2)
_SEEK_END = const(2)
_OFFSET = const(0x200000)

_cells = []
_segments = []


class Partition(memoryview):
    """`esp32.Partition` in what it can for this partition: block protocol with blocks of 4096, and a buffer to read."""

    def info(self):
        return 1, 0x8F, _OFFSET, len(self), "romfs", False

    def ioctl(self, operation, argument):
        if operation in (1, 2, 3):
            return 0
        if operation == 4:
            return len(self) // _BLOCK
        if operation == 5:
            return _BLOCK
        if operation == 6:
            at = self.checked(argument * _BLOCK, _BLOCK)
            _cells[0][at : at + _BLOCK] = b"\xff" * _BLOCK
            return 0
        return None

    def readblocks(self, block, buffer, offset=0):
        at = self.checked(block * _BLOCK + offset, len(buffer))
        buffer[:] = memoryview(self)[at : at + len(buffer)]

    def writeblocks(self, block, buffer, offset=None):
        at = self.checked(block * _BLOCK + (offset or 0), len(buffer))
        if offset is None:  # the port erases what it then writes
            size = self.checked(len(buffer), 0)
            if size % _BLOCK:
                raise OSError(-0x104, "ESP_ERR_INVALID_SIZE")
            _cells[0][at : at + size] = b"\xff" * size
        cells = _cells[0]
        for byte in memoryview(buffer):
            cells[at] &= byte
            at += 1

    def checked(self, at, size):
        if not 0 <= at <= len(self) - size:
            raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
        return at


def rom_ioctl(command, *arguments):
    """As `mp_vfs_rom_ioctl` in ports/esp32/esp32_partition.c: only how many segments there are, and which."""
    if command == 1:
        return len(_segments)
    if command == 2:
        return _segments[0]
    return -errno.EINVAL


def install(path):
    """Be what a program imports as `vfs`, with the file `path` of the host as the partition."""
    libc = ffi.open("libc.so.6")
    file = libc.func("i", "open", "si")(path, _O_RDWR)
    size = libc.func("i", "lseek", "ili")(file, 0, _SEEK_END)
    mapped = libc.func("p", "mmap", "pLiiil")
    _cells.append(uctypes.bytearray_at(mapped(0, size, _READ_WRITE, _SHARED, file, 0), size))
    _segments.append(Partition(uctypes.bytearray_at(mapped(0, size, _READ, _SHARED, file, 0), size)))
    libc.func("i", "close", "i")(file)
    sys.modules["vfs"] = sys.modules[__name__]


def mount_first():
    """What the interpreter does before any Python runs: `mp_vfs_mount_romfs_protected` in extmod/vfs.c."""
    try:
        mount(VfsRom(_segments[0]), "/rom")  # noqa: F405
    except OSError:
        return
    sys.path[-1:] = ["/rom", "/rom/lib", sys.path[-1]]
