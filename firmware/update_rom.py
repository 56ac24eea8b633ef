"""An update into the ROM partition: the place and content of the new copy, and how it is written.

Loaded only while an update is fetched, on a board that has such a partition.
"""

import errno

from firmware.core.errors import ConfigError
from firmware.core.romslot import BLOCK, layout, length, needed, offset, place, slot_name, traits


def plan(device, active, files, conditions, config):
    """Return (slot, Writer, pieces of the image) for a new copy beside that in the slot `active`; None if the partition
    `device` is too small for any copy. ConfigError: too small for both.

    `files`: (path, size) sorted by path. The copy has all of them if two such copies fit, so that the configuration may
    change later; otherwise only those that `config` needs. `conditions`: words `<path>:<conditions>`.
    """
    rom = Rom(device)
    pieces, size = layout(files)
    if size > rom.size // 2 // BLOCK * BLOCK:
        optional = dict([word.split(":") for word in conditions])
        of = traits(config)
        pieces, size = layout([file for file in files if needed(optional.get(file[0]), of)])
    at = offset(active)
    kept = None if at is None else rom.copy_at(at)
    free = place(rom.size, size, kept)
    if free is None and kept:
        raise ConfigError("bundle: no room for %d bytes in the ROM partition, deploy it by cable" % size)
    return None if free is None else (slot_name(free), Writer(rom, free), pieces)


async def write(writer, pieces, files, copy):
    """Write the image. `files`: iterator of (path, size, digest, offset in the bundle), which includes each path in
    `pieces` in the same order. `copy`: coroutine function that passes the content of one file to a `write`."""
    for piece in pieces:
        if not isinstance(piece, str):
            writer.write(piece)
            continue
        path = None
        while path != piece:
            path, size, digest, start = next(files)
        await copy(path, size, digest, start, writer.write)
    writer.finish()


class Rom:
    """`device`: the block device of the partition. `size`: in bytes."""

    def __init__(self, device):
        self.device = device
        self.view = memoryview(device)
        self.size = device.ioctl(4, 0) * BLOCK

    def copy_at(self, at):
        """Return (offset, size) of the copy at offset `at`."""
        return at, length(self.view[at : at + 12])


class Writer:
    """Writes one image into `rom` from offset `at`, a multiple of BLOCK. OSError if it does not read back as written.

    `finish` writes the first byte after everything else, so that an image that a power cut left incomplete cannot be
    mounted, not even by MicroPython itself, which mounts an image at the start of the partition. It is a single byte,
    because a power cut may interrupt a longer write in the middle.
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
            self._store_checked(self.at, data[:size])
            self.at += size
            data = data[size:]

    def finish(self):
        self._store_checked(self.start, self.first)

    def _erase(self):
        if self.rom.device.ioctl(6, self.at // BLOCK):
            raise OSError(errno.EIO)

    def _store_checked(self, at, data):
        self.rom.device.writeblocks(at // BLOCK, data, at % BLOCK)
        if self.rom.view[at : at + len(data)] != data:
            raise OSError(errno.EIO)
