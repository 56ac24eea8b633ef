"""The ROM partition of a board: flash that the chip maps into memory, from where code runs in place.

MicroPython has it as `vfs.rom_ioctl` from 1.25 on, in images built with MICROPY_VFS_ROM and a partition named `romfs`;
on the ESP32 it is an `esp32.Partition` with the block protocol.
"""

import errno

from firmware.core.romslot import BLOCK, length


def find():
    """The Rom of this board, None where its image has none."""
    try:
        import vfs
    except ImportError:
        return None
    ioctl = getattr(vfs, "rom_ioctl", None)
    return Rom(ioctl(2, 0)) if ioctl and ioctl(1) > 0 else None


class Rom:
    """`device`: the partition; `size`: in bytes."""

    def __init__(self, device):
        self.device = device
        self.view = memoryview(device)
        self.size = device.ioctl(4, 0) * BLOCK

    def span(self, at):
        """(offset, size) of the copy at `at`."""
        return at, length(self.view[at : at + 12])


class Writer:
    """Writes one image into `rom` from `at` on, a multiple of BLOCK. OSError when the flash does not hold it.

    The first byte, without which it is no image, is written by `finish` when everything else is there: what a power cut
    leaves cannot be mounted, not even by MicroPython itself, which mounts what it finds at the beginning. It is a
    single byte because a cut may tear whatever is longer.
    """

    def __init__(self, rom, at):
        self.rom = rom
        self.start = self.at = at
        self.first = b""

    def write(self, data):
        data = memoryview(data)
        if data and not self.first:
            self.first = bytes(data[:1])
            self._erase()
            self.at += 1
            data = data[1:]
        while data:
            if not self.at % BLOCK:
                self._erase()
            size = min(len(data), BLOCK - self.at % BLOCK)
            self._put(self.at, data[:size])
            self.at += size
            data = data[size:]

    def finish(self):
        self._put(self.start, self.first)

    def _erase(self):
        if self.rom.device.ioctl(6, self.at // BLOCK):
            raise OSError(errno.EIO)

    def _put(self, at, data):
        self.rom.device.writeblocks(at // BLOCK, data, at % BLOCK)
        if self.rom.view[at : at + len(data)] != data:
            raise OSError(errno.EIO)
