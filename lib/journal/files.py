"""A journal and a two-slot record on a file system that survives power cuts, as littlefs does.

The file system promises that what was written to a file is there once the file was closed, whole or not at all, and
that renaming over a file is atomic. This module adds checksums, so that damage is never taken for a record; compaction
into a new file, so that a power cut loses nothing; and a second slot, so that a record whose block has gone bad has a
predecessor. Every verb returns False, and never raises, when the flash refuses. `recover` reads.
"""

import os
import struct
from micropython import const

from journal.record import frame

_FULL = const(12288)


class Journal:
    """Records in the order they were appended. `size` in bytes, as an earlier Journal of this path left it."""

    def __init__(self, path, size=0):
        self.path = path
        self.size = size

    def full(self):
        """Whether nothing is appended any more until a `rewrite`."""
        return self.size > _FULL

    def spoil(self):
        """Something in it is not as it should be."""
        self.size = _FULL + 1

    def append(self, payloads):
        """Add all of `payloads` (an iterable, taken one by one), or none of them."""
        return not self.full() and self._write(self.path, "ab", payloads)

    def rewrite(self, payloads):
        """Replace the whole journal by `payloads`."""
        size, self.size = self.size, 0
        new = self.path + ".new"
        if self._write(new, "wb", payloads):
            try:
                os.rename(new, self.path)
                return True
            except OSError:
                pass
        self.size = size
        return False

    def _write(self, path, mode, payloads):
        try:
            with open(path, mode) as f:
                for payload in payloads:
                    self.size += f.write(frame(payload))
        except OSError:
            self.spoil()
            return False
        return True


class TwoSlots:
    """One small record in two files, `path` + "0" and "1", of which the younger whole one counts. `generation`: as an
    earlier TwoSlots of this path left it."""

    def __init__(self, path, generation=0):
        self.path = path
        self.generation = generation

    def save(self, payload):
        """Write the next generation over the older slot."""
        try:
            with open(self.path + "01"[self.generation & 1], "wb") as f:
                f.write(frame(struct.pack("<I", self.generation + 1) + payload))
        except OSError:
            return False
        self.generation += 1
        return True
