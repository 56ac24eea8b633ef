"""A copy of the firmware in a ROM partition: which units it needs, how they are laid out, where it may be written.

The partition holds two copies, each a ROMFS image of its own (the format is described in MicroPython's
extmod/vfs_rom.c), one from the beginning of the partition on and one up to its end. So their sizes may differ, as long
as both together fit. A copy is named like `rom:0` or `rom:372736` in the record of slots: its offset in bytes.
"""

BLOCK = 4096
"""Bytes that the flash erases at once; both copies begin at a multiple of it."""
MAGIC = b"\xd2\xcd\x31"
_DATA = 2
_FOLDER = 4
_FILE = 5
_PREFIX = "rom:"


def offset(slot):
    """The offset of a copy from the name of its slot; None for a slot that is not in the ROM partition."""
    if not isinstance(slot, str) or slot[:4] != _PREFIX:
        return None
    try:
        return int(slot[4:])
    except ValueError:
        return None


def slot_name(at):
    return _PREFIX + str(at)


def place(rom_size, size, kept):
    """Where `size` bytes may be written into a partition of `rom_size` bytes; None where there is no room.

    `kept`: (offset, size) of the copy that has to stay, None if there is none.
    """
    top = (rom_size - size) // BLOCK * BLOCK
    if kept is None:
        return 0 if top >= 0 else None
    if size <= kept[0]:
        return 0
    return top if kept[0] + kept[1] <= top else None


def length(head):
    """Bytes of the ROMFS image that begins with `head` (12 bytes are enough); 0 if it is none."""
    size = 0
    if bytes(head[:3]) == MAGIC:
        for i in range(3, len(head)):
            size = size << 7 | head[i] & 0x7F
            if head[i] < 0x80:
                return i + 1 + size
    return 0


def traits(config):
    """What decides which units a configuration needs: its row of LINKS, such as "auto-https", its options, and the
    kinds of its sensors and outputs, such as "sensors.thermistor"."""
    cloud = config.get("cloud") or {}
    api = cloud.get("api") or "realer"
    found = ["%s-%s" % (api, cloud.get("transport") or ("iotmp" if api == "thinger" else "https"))]
    for key, folder in (("kind", "sensors"), ("mode", "outputs")):
        found += ["%s.%s" % (folder, item.get(key)) for item in config.get(folder) or ()]
    return found + [option for option in ("portal", "update", "lan") if config.get(option) is not None]


def needed(conditions, of):
    """Whether a unit with these `conditions`, traits with commas between them, is needed by a configuration with the
    traits `of`. A unit without conditions always is."""
    return not conditions or any([trait in of for trait in conditions.split(",")])


def layout(files):
    """The image that holds `files`, (path, size) in the order of their paths: its pieces, and its size in bytes.

    A piece is bytes, which are written as they are, or the path of the file whose content belongs there.
    """
    pieces, size = _entries(files, 0)
    head = MAGIC + _number(size)
    if (len(head) + size) % 2:
        head = MAGIC + b"\x80" + _number(size)
    return [head] + pieces, len(head) + size


def _entries(files, depth):
    """The records of one folder: their pieces and their size in bytes."""
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
    """Seven bits a byte, the most significant first; all bytes but the last have the top bit set."""
    encoded = bytes([value & 0x7F])
    while value > 0x7F:
        value >>= 7
        encoded = bytes([0x80 | value & 0x7F]) + encoded
    return encoded
