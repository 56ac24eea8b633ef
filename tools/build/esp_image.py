"""Reads a MicroPython image for an ESP32, as micropython.org offers it, and says what it is before a board is erased.

Owns: the layout that the chip's boot loader expects (ESP-IDF programming guide, "App Image Format" and "Partition
Tables"), whether every byte of it is there and intact, the chip it is for and the MicroPython inside.
Refuses: serial ports, and to guess; what does not fit is an ImageError that says what to take instead.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

FLASH_OFFSET = 0x1000
"""Where a classic ESP32 looks for its boot loader, which is where an image for it begins."""
CHIP = "ESP32"
OLDEST = (1, 24)
_CHIPS = {
    0: CHIP,
    2: "ESP32-S2",
    5: "ESP32-C3",
    9: "ESP32-S3",
    12: "ESP32-C2",
    13: "ESP32-C6",
    16: "ESP32-H2",
    18: "ESP32-P4",
}
_TABLE = 0x8000 - FLASH_OFFSET
_TABLE_BYTES = 0xC00
_IMAGE, _PARTITION, _APP, _DATA = 0xE9, b"\xaa\x50", 0, 1
ROM_LABEL = b"romfs"
"""By this name the port finds its ROM partition."""
_HEADER_BYTES = 24
_APP_DESCRIPTOR = b"\x32\x54\xcd\xab"
_CHECKSUM_SEED = 0xEF
_BANNER = re.compile(rb"MicroPython v(\d+)\.(\d+)([\w.+-]*) on [\d-]{10}")
_TAKE = "take ESP32_GENERIC-….bin, 1.24 or newer, from micropython.org/download/ESP32_GENERIC"


class ImageError(Exception):
    """Not an image that may be written; the text says why and what to take."""


@dataclass(frozen=True)
class Image:
    """An image that passed every check. `version` such as "1.24.1"; `rom`: bytes of its ROM partition, 0 if none."""

    version: str
    board: str
    data: bytes
    rom: int = 0


def read(data: bytes) -> Image:
    """Check a whole image. Raises ImageError."""
    if not data or data[0] != _IMAGE:
        raise ImageError(f"this is no image for an ESP32: {_TAKE}")
    _chip(data)
    if data[_HEADER_BYTES + 8 :][:4] == _APP_DESCRIPTOR:
        raise ImageError(f"this is the application alone, for updates of a board that has one: {_TAKE}")
    _intact(data, "boot loader")
    app = data[_app_offset(data) :]
    _chip(app)
    app = app[: _intact(app, "application")]
    banner = _BANNER.search(app)
    if not banner:
        raise ImageError(f"the application in this image is not MicroPython: {_TAKE}")
    version = b".".join(banner.groups()[:2]).decode() + banner[3].decode()
    if (int(banner[1]), int(banner[2])) < OLDEST:
        raise ImageError(f"this is MicroPython {version}, too old: {_TAKE}")
    board = re.search(rb"([ -~]{3,60}) with ESP32", app)
    rom = sum(size for kind, label, _, size in _partitions(data) if kind == _DATA and label == ROM_LABEL)
    return Image(version, board[1].decode() if board else "unknown board", data, rom)


def _chip(data: bytes) -> None:
    (number,) = struct.unpack_from("<H", data.ljust(_HEADER_BYTES, b"\0"), 12)
    if number != 0:
        name = _CHIPS.get(number, f"chip number {number}")
        raise ImageError(f"this image is for {name}, and this firmware for the classic {CHIP}: {_TAKE}")


def _app_offset(data: bytes) -> int:
    """Where in `data` the first application of the partition table begins."""
    for kind, _, offset, _ in _partitions(data):
        if kind == _APP and FLASH_OFFSET < offset < FLASH_OFFSET + len(data):
            return offset - FLASH_OFFSET
    raise ImageError(f"this image has no partition table with an application in it: {_TAKE}")


def _partitions(data: bytes) -> Iterator[tuple[int, bytes, int, int]]:
    """Type, label, offset and size of each row of the partition table."""
    table = data[_TABLE : _TABLE + _TABLE_BYTES]
    for at in range(0, len(table) - 31, 32):
        magic, kind, _, offset, size, label = struct.unpack_from("<2sBBII16s", table, at)
        if magic != _PARTITION:
            break
        yield kind, label.rstrip(b"\0"), offset, size


def _intact(data: bytes, name: str) -> int:
    """The length of the image at the start of `data`, all of which is there and has the right sums."""
    damaged = ImageError(f"the {name} in this image is cut short or damaged: download it again")
    if len(data) < _HEADER_BYTES or data[0] != _IMAGE:
        raise damaged
    at, checksum = _HEADER_BYTES, _CHECKSUM_SEED
    for _ in range(data[1]):
        if at + 8 > len(data):
            raise damaged
        (size,) = struct.unpack_from("<I", data, at + 4)
        for byte in _folded(data[at + 8 : at + 8 + size]):
            checksum ^= byte
        at += 8 + size
    end = at // 16 * 16 + 16  # the checksum is the last byte of a block of 16
    if end > len(data) or data[end - 1] != checksum:
        raise damaged
    if data[23]:
        end += 32
        if hashlib.sha256(data[: end - 32]).digest() != data[end - 32 : end]:
            raise damaged
    return end


def _folded(data: bytes) -> bytes:
    """Few bytes with the same exclusive or as all of `data`: a megabyte in Python, one by one, takes a while."""
    value, size = int.from_bytes(data, "little"), len(data)
    while size > 8:
        half = (size + 1) // 2
        value = (value >> half * 8) ^ (value & ((1 << half * 8) - 1))
        size = half
    return value.to_bytes(size, "little")
