"""Read back what `files` wrote. Needed only at the start, so the module can be unloaded afterwards.

Reading ends at the first record that is not intact, because the positions of all later ones depend on it. A file that
is absent or cannot be read counts as empty.
"""

import struct
from micropython import const

from journal.record import checksum

LONGEST = const(4096)

_HEAD = const(6)


def records(read):
    """Yield the payload (bytes) of each record, at most LONGEST bytes; finally None if bytes follow that are not such a
    record. `read(n)`: returns the next n bytes, fewer only at the end."""
    while head := read(_HEAD):
        size, check = struct.unpack("<HI", head) if len(head) == _HEAD else (0, 0)
        payload = read(min(size, LONGEST))
        if len(payload) != size or checksum(payload) != check:
            yield None
            return
        yield payload


def replay(journal):
    """Yield each payload (bytes) of a Journal, oldest first, and set its size. After damage the Journal is full."""
    try:
        with open(journal.path, "rb") as f:
            for payload in records(f.read):
                if payload is None:
                    journal.spoil()
                else:
                    journal.size += len(payload) + _HEAD
                    yield payload
    except OSError:
        pass


def latest(slots):
    """Return the payload (bytes) of a TwoSlots, None if there is none, and set its generation. Call it before the first
    `save`."""
    found = None
    for slot in "01":
        try:
            data = b""
            with open(slots.path + slot, "rb") as f:
                for payload in records(f.read):  # `next` takes no default before 1.25
                    data = payload or b""
                    break
        except OSError:
            continue
        generation = struct.unpack_from("<I", data)[0] if len(data) >= 4 else 0
        if generation > slots.generation:
            slots.generation = generation
            found = data[4:]
    return found
