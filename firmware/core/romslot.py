"""A copy of the firmware in a ROM partition: which units it needs, their layout, and where it may be written.

The partition holds two copies, each a ROMFS image (for the format see MicroPython's extmod/vfs_rom.c): one at the start
of the partition, the other at its end. Their sizes may differ, as long as both fit. In the slot record a copy has a
name such as `rom:0` or `rom:372736`: its offset in bytes.
"""

BLOCK = 4096
"""Size of a flash sector, the unit of erasing, in bytes. Both copies begin at a multiple of it."""
MAGIC = b"\xd2\xcd\x31"
_DATA = 2
_FOLDER = 4
_FILE = 5
_PREFIX = "rom:"


def offset(slot):
    """Return the offset of a copy from its slot name, None for a slot that is not in the ROM partition."""
    if not isinstance(slot, str) or slot[:4] != _PREFIX:
        return None
    try:
        return int(slot[4:])
    except ValueError:
        return None


def slot_name(at):
    return _PREFIX + str(at)


def place(rom_size, size, kept):
    """Return the offset for a copy of `size` bytes in a partition of `rom_size` bytes, None if there is no room.

    `kept`: (offset, size) of the copy that must be kept, None if there is none.
    """
    top = (rom_size - size) // BLOCK * BLOCK
    if kept is None:
        return 0 if top >= 0 else None
    if size <= kept[0]:
        return 0
    return top if kept[0] + kept[1] <= top else None


def length(head):
    """Return the size in bytes of the ROMFS image that begins with `head` (12 bytes are enough), 0 if it is not one."""
    size = 0
    if bytes(head[:3]) == MAGIC:
        for i in range(3, len(head)):
            size = size << 7 | head[i] & 0x7F
            if head[i] < 0x80:
                return i + 1 + size
    return 0


def traits(config):
    """Return the traits of a configuration that decide which units it needs: its row of LINKS, such as "auto-https",
    the kinds of its sensors and outputs, such as "sensors.thermistor", and its options."""
    cloud = config.get("cloud") or {}
    api = cloud.get("api") or "realer"
    found = ["%s-%s" % (api, cloud.get("transport") or ("iotmp" if api == "thinger" else "https"))]
    for key, folder in (("kind", "sensors"), ("mode", "outputs")):
        found += ["%s.%s" % (folder, item.get(key)) for item in config.get(folder) or ()]
    return found + [option for option in ("portal", "update", "lan") if config.get(option) is not None]


def needed(conditions, of):
    """Return whether a configuration with the traits `of` needs a unit. `conditions`: its traits, separated by commas,
    one of which is enough; a unit without conditions is always needed."""
    return not conditions or any([trait in of for trait in conditions.split(",")])


def layout(files):
    """Return (pieces, size in bytes) of the image that holds `files`, a list of (path, size) sorted by path.

    A piece is either bytes to be written or the path of the file whose content is to be written there.
    """
    pieces, size = _entries(files, 0)
    head = MAGIC + _number(size)
    if (len(head) + size) % 2:
        head = MAGIC + b"\x80" + _number(size)
    return [head] + pieces, len(head) + size


def _entries(files, depth):
    """Return (pieces, size in bytes) of the records of one folder."""
    pieces, total = [], 0
    while files:
        path, size = files[0]
        parts = path.split("/")
        title = parts[depth].encode()
        title = _number(len(title)) + title
        count = 1
        if len(parts) == depth + 1:
            inside = [path]
            title += _head(_DATA, size)
            kind = _FILE
        else:
            folder = "/".join(parts[: depth + 1]) + "/"
            while count < len(files) and files[count][0].startswith(folder):
                count += 1
            inside, size = _entries(files[:count], depth + 1)
            kind = _FOLDER
        head = _head(kind, len(title) + size) + title
        pieces += [head] + inside
        total += len(head) + size
        files = files[count:]
    return pieces, total


def _head(kind, size):
    return _number(kind) + _number(size)


def _number(value):
    """Encode a number in seven bits per byte, most significant first. All bytes but the last have the top bit set."""
    encoded = bytes([value & 0x7F])
    while value > 0x7F:
        value >>= 7
        encoded = bytes([0x80 | value & 0x7F]) + encoded
    return encoded
