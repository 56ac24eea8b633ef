"""A journal and a two-slot record on a file system that survives power cuts, such as littlefs.

The file system must guarantee that closing a file commits everything written to it or nothing, and that renaming over
an existing file is atomic. This module adds checksums, so that damaged bytes are never read as a record; compaction
into a new file, so that a power cut loses nothing; and a second slot, so that the previous record remains if a block
goes bad. If a write to flash fails, methods return False; none raises. `recover` reads the records back.
"""

import os
import struct
from micropython import const

from journal.record import frame

_FULL = const(12288)


class Journal:
    """Records in the order in which they were appended. `size`: bytes, from an earlier Journal of the same `path`."""

    def __init__(self, path, size=0):
        self.path = path
        self.size = size

    def full(self):
        """Return whether `append` refuses records until the next `rewrite`: over 12 KiB, or after damage."""
        return self.size > _FULL

    def spoil(self):
        """Treat the journal as full, because part of it is damaged: records after the damage could not be read."""
        self.size = _FULL + 1

    def append(self, payloads):
        """Append all of `payloads` (an iterable of bytes) or none; return whether that succeeded. False: the journal is
        full, or a write failed."""
        return not self.full() and self._write(self.path, "ab", payloads)

    def rewrite(self, payloads):
        """Replace the whole journal with `payloads` (an iterable of bytes); return whether that succeeded. False: the
        old content is still there."""
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
    """One small record in two files, `path` + "0" and `path` + "1"; the newer intact one is valid. `generation`: from
    an earlier TwoSlots of the same `path`."""

    def __init__(self, path, generation=0):
        self.path = path
        self.generation = generation

    def save(self, payload):
        """Write `payload` (bytes) into the older slot; return whether that succeeded."""
        try:
            with open(self.path + "01"[self.generation & 1], "wb") as f:
                f.write(frame(struct.pack("<I", self.generation + 1) + payload))
        except OSError:
            return False
        self.generation += 1
        return True
