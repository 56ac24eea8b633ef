"""Reading back what `files` wrote: needed at a start, not afterwards, so it can be dropped.

Reading ends at the first record that is not whole, because nothing behind it is certain to begin
where it seems to. A file that is not there, or cannot be read, holds nothing.
"""

import struct
from micropython import const

from journal.record import checksum

LONGEST = const(4096)

_HEAD = const(6)


def records(read):
    """Yield the payload of each record, and None at last when bytes follow that are no whole record of at most LONGEST
    bytes. `read(n)`: the next n bytes, fewer only at the end."""
    while head := read(_HEAD):
        size, check = struct.unpack("<HI", head) if len(head) == _HEAD else (0, 0)
        payload = read(min(size, LONGEST))
        if len(payload) != size or checksum(payload) != check:
            yield None
            return
        yield payload


def replay(journal):
    """Yield each payload of a Journal, oldest first. Behind damage nothing must be appended: then it is full."""
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
    """The payload of a TwoSlots, None when there is none. Comes before its first `save`."""
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
