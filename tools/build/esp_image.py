"""Checks a MicroPython image for an ESP32 before a board is erased for it.

esptool reads boot loader and application and verifies their sums. This module reads the partition table (ESP-IDF
programming guide, "Partition Tables"), and finds chip, board and version. The text of an ImageError says which image to
take instead.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from esptool.targets import ROM_LIST

from tools import boards
from tools.boards import Board

OLDEST = (1, 24)
_CHIPS = {chip.IMAGE_CHIP_ID: chip for chip in ROM_LIST}
_TABLE = 0x8000
"""Where in the flash the partition table is, on each of the chips."""
_TABLE_BYTES = 0xC00
_IMAGE, _PARTITION, _APP, _DATA = 0xE9, b"\xaa\x50", 0, 1
ROM_LABEL = b"romfs"
"""By this name the port finds its ROM partition."""
_HEADER_BYTES = 24
FOUR_MB = 0x400000
_OCTAL = 0x800000
"""PSRAM in the package of an S3 of this size has eight data lines, less has four."""
_FILES = 0x80000
"""What two copies of the firmware, and what is beside them, need of a file system."""
_APP_DESCRIPTOR = b"\x32\x54\xcd\xab"
_BANNER = re.compile(rb"MicroPython v(\d+)\.(\d+)([\w.+-]*) on [\d-]{10}")
_PAGE = "micropython.org/download"
_TAKE = f"take ESP32_GENERIC….bin for your chip, 1.24 or newer, from {_PAGE}"


class ImageError(Exception):
    """Not an image that may be written; the text says why and what to take."""


@dataclass(frozen=True)
class Image:
    """An image that passed every check. `version` such as "1.24.1"; `rom`: bytes of its ROM partition, 0 if none;
    `chip`: what it is for; `needs`: bytes of flash, up to the end of its last partition, and a file system where the
    table has none, which images from 1.26 on put behind it."""

    version: str
    board: str
    data: bytes
    rom: int
    chip: Board
    needs: int = 0


def download(board: Board, flash: int = 0, psram: int = 0) -> str:
    """Which file of micropython.org is for a chip with so many bytes of flash, and of PSRAM in its package; 0: unknown,
    or none that the chip tells of."""
    name = board.fact("image")
    file, more = name, ""
    if 0 < flash < FOUR_MB:
        if board.chip != boards.CLASSIC:
            return f"nothing: no published image fits {flash >> 20} MB of flash on an {board.name}"
        file += "-D2WD"
    elif board.chip == boards.CLASSIC:
        more = f"; with a WROVER module, or other PSRAM, {name}-SPIRAM-….bin"
    elif board.chip == "esp32s3" and psram >= _OCTAL:
        file += "-SPIRAM_OCT"
    elif board.chip == "esp32s3" and flash == FOUR_MB:
        more = f"; before 1.26 {name}-FLASH_4M-….bin"
    return f"{file}-….bin from {_PAGE}/{name}{more}"


def read(data: bytes) -> Image:
    """Check a whole image. Raises ImageError."""
    if not data or data[0] != _IMAGE:
        raise ImageError(f"this is no image for an ESP32: {_TAKE}")
    board = _chip(data)
    if data[_HEADER_BYTES + 8 :][:4] == _APP_DESCRIPTOR:
        raise ImageError(f"this is the application alone, for updates of a board that has one: {_TAKE}")
    _intact(data, "boot loader")
    app = data[_app_offset(data, board.flash_offset) :]
    if _chip(app) is not board:
        raise ImageError(f"boot loader and application of this image are for different chips: {_TAKE}")
    app = app[: _intact(app, "application")]
    banner = _BANNER.search(app)
    if not banner:
        raise ImageError(f"the application in this image is not MicroPython: {_TAKE}")
    version = b".".join(banner.groups()[:2]).decode() + banner[3].decode()
    if (int(banner[1]), int(banner[2])) < OLDEST:
        raise ImageError(f"this is MicroPython {version}, too old: {_TAKE}")
    name = re.search(rb"([ -~]{3,60}) with ESP32", app)
    rows = list(_partitions(data, board.flash_offset))
    needs = max(offset + size for _, _, offset, size in rows)
    if not any(kind == _DATA and label in (b"vfs", b"ffat") for kind, label, *_ in rows):
        needs += _FILES
    rom = sum(size for kind, label, _, size in rows if kind == _DATA and label == ROM_LABEL)
    return Image(version, name[1].decode() if name else "unknown board", data, rom, board, needs)


def _number(data: bytes) -> int:
    return struct.unpack_from("<H", data.ljust(_HEADER_BYTES, b"\0"), 12)[0]


def _chip(data: bytes) -> Board:
    number = _number(data)
    name = _CHIPS[number].CHIP_NAME if number in _CHIPS else f"chip number {number}"
    board = boards.chips().get(name.lower().replace("-", ""))
    if not board:
        known = ", ".join(found.name for found in boards.chips().values())
        raise ImageError(f"this image is for {name}, and this firmware for {known}: {_TAKE}")
    return board


def _app_offset(data: bytes, start: int) -> int:
    """Where in `data`, which begins at `start` of the flash, the first application of the partition table begins."""
    for kind, _, offset, _ in _partitions(data, start):
        if kind == _APP and start < offset < start + len(data):
            return offset - start
    raise ImageError(f"this image has no partition table with an application in it: {_TAKE}")


def _partitions(data: bytes, start: int) -> Iterator[tuple[int, bytes, int, int]]:
    """Type, label, offset and size of each row of the partition table."""
    table = data[_TABLE - start : _TABLE - start + _TABLE_BYTES]
    for at in range(0, len(table) - 31, 32):
        magic, kind, _, offset, size, label = struct.unpack_from("<2sBBII16s", table, at)
        if magic != _PARTITION:
            break
        yield kind, label.rstrip(b"\0"), offset, size


def _intact(data: bytes, name: str) -> int:
    """The length of the image at the start of `data`, all of which is there and has the right sums."""
    file = io.BytesIO(data)
    try:
        image = _CHIPS[_number(data)].BOOTLOADER_IMAGE(file)
        sums = [(image.checksum, image.calculate_checksum())]
        if image.append_digest:
            sums.append((image.stored_digest, image.calc_digest))
    except (
        RuntimeError,
        TypeError,
        struct.error,
    ):  # esptool's own error, and what it raises where the data ends
        sums = []
    if not sums or any(stored != found for stored, found in sums):
        raise ImageError(f"the {name} in this image is cut short or damaged: download it again")
    return file.tell()
