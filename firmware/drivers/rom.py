"""The ROM partition of a board: flash that the chip maps into memory, from where code runs in place.

MicroPython has it as `vfs.rom_ioctl` from 1.25 on, in images built with MICROPY_VFS_ROM and a partition named `romfs`;
on the ESP32 it is an `esp32.Partition` with the block protocol.
"""


def find():
    """The partition, None where this board's image has none."""
    try:
        import vfs
    except ImportError:
        return None
    ioctl = getattr(vfs, "rom_ioctl", None)
    return ioctl(2, 0) if ioctl and ioctl(1) > 0 else None
