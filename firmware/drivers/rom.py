"""The ROM partition of a board: flash that is mapped into memory, so that code runs in place.

MicroPython provides it as `vfs.rom_ioctl` from 1.25 on, in images with MICROPY_VFS_ROM and a partition named `romfs`.
On the ESP32 it is an `esp32.Partition` with the block protocol.
"""


def find():
    """Return the partition, None if the image of this board has none."""
    try:
        import vfs
    except ImportError:
        return None
    ioctl = getattr(vfs, "rom_ioctl", None)
    return ioctl(2, 0) if ioctl and ioctl(1) > 0 else None
