"""An ESP32 in download mode behind a pseudo terminal, as far as esptool needs one, and images to write to it.

It has SLIP, the boot loader's commands and esptool's stub after its upload (esptool documentation, "Serial Protocol").
Sums of what was written are computed from the simulated flash, so a verification can fail. No part of the stub runs.
"""

import hashlib
import os
import pty
import struct
import threading
import tty
import zlib

MAGIC_REGISTER, ESP32_MAGIC = 0x40001000, 0x00F01D83
ESP32_S2_MAGIC = 0x000007C6
UART_DIVIDER_REGISTER = 0x3FF40014
FLASH_ID_REGISTER, FOUR_MEGABYTES = 0x3FF42000 + 0x80, 0x164020

SYNC, READ_REG, FLASH_BEGIN, FLASH_DATA, MEM_END = 0x08, 0x0A, 0x02, 0x03, 0x06
DEFLATE_BEGIN, DEFLATE_DATA, MD5, ERASE_ALL, SECURITY_INFO = 0x10, 0x11, 0x13, 0xD0, 0x14


class Rom:
    """`with Rom() as rom:` a chip listens on the serial port `rom.port`.

    `flash`: its 4 MB. `commands`: what it received, in order. `rots` spoils each block that is written, as a worn
    flash does. `dead`: it does not answer.
    """

    def __init__(self, magic=ESP32_MAGIC, rots=False, dead=False, megabytes=4):
        self.flash = bytearray(b"\x5a" * 0x400000)
        self.commands = []
        self._registers = {
            MAGIC_REGISTER: magic,
            UART_DIVIDER_REGISTER: 347,
            FLASH_ID_REGISTER: FOUR_MEGABYTES + ((megabytes.bit_length() - 3) << 16),
        }
        self._rots, self._dead = rots, dead
        self._stub = False
        self._at, self._inflate = 0, zlib.decompressobj()

    def __enter__(self):
        self._fd, self._follower = pty.openpty()
        tty.setraw(self._follower)
        self.port = os.ttyname(self._follower)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_):
        os.close(self._follower)  # the last one: reading ends
        self._thread.join(10)
        os.close(self._fd)

    def _serve(self):
        rest = b""
        while True:
            try:
                rest += os.read(self._fd, 65536)
            except OSError:
                return
            *packets, rest = rest.split(b"\xc0")
            for packet in packets:
                if len(packet) >= 8 and not self._dead:
                    self._take(packet.replace(b"\xdb\xdc", b"\xc0").replace(b"\xdb\xdd", b"\xdb"))

    def _take(self, packet):
        _, command, _, _ = struct.unpack_from("<BBHI", packet)
        self.commands.append(command)
        if command == SYNC:
            for _ in range(8):
                self._reply(command, value=0x20120707)
        elif command == SECURITY_INFO:
            self._reply(command, status=b"\1\5")
        else:
            value, data = self._do(command, packet[8:])
            self._reply(command, value, data)
        if command == MEM_END:
            self._stub = True
            self._send(b"OHAI")

    def _do(self, command, data):
        words = struct.unpack_from("<%dI" % min(len(data) // 4, 4), data)
        if command == READ_REG:
            return self._registers.get(words[0], 0), b""
        if command in (FLASH_BEGIN, DEFLATE_BEGIN):
            self._at, self._inflate = words[3], zlib.decompressobj()
        elif command == FLASH_DATA:
            self._write(data[16 : 16 + words[0]])
        elif command == DEFLATE_DATA:
            self._write(self._inflate.decompress(data[16 : 16 + words[0]]))
        elif command == ERASE_ALL:
            self.flash[:] = b"\xff" * len(self.flash)
        elif command == MD5:
            return 0, hashlib.md5(self.flash[words[0] : words[0] + words[1]]).digest()
        return 0, b""

    def _write(self, data):
        self.flash[self._at : self._at + len(data)] = data
        if self._rots:
            self.flash[self._at] ^= 1
        self._at += len(data)

    def _reply(self, command, value=0, data=b"", status=b"\0\0"):
        body = data + status + (b"" if self._stub else b"\0\0")
        self._send(struct.pack("<BBHI", 1, command, len(body), value) + body)

    def _send(self, packet):
        packet = packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc")
        os.write(self._fd, b"\xc0" + packet + b"\xc0")


def program(text=b"", chip=0, descriptor=b""):
    """One image of the boot loader's format, sums and all, with `text` in its only segment."""
    segment = descriptor + text
    segment += b"\0" * (-len(segment) % 4)
    data = struct.pack("<BBBBIB3xHBHH4xB", 0xE9, 1, 2, 0x20, 0x40080000, 0xEE, chip, 0, 0, 0xFFFF, 1)
    data += struct.pack("<II", 0x3F400020, len(segment)) + segment
    checksum = 0xEF
    for byte in segment:
        checksum ^= byte
    data += b"\0" * (15 - len(data) % 16) + bytes([checksum])
    return data + hashlib.sha256(data).digest()


def micropython(version=b"1.24.1", chip=0, board=b"Generic ESP32 module", more=b"asyncio/core.py"):
    """The application of an image as micropython.org offers it, as far as it can be seen from outside."""
    descriptor = struct.pack("<I16x32s32s172x", 0xABCD5432, b"1", b"micropython")
    text = b"3.4.0; MicroPython v%s on 2024-11-29\0%s with ESP32\0%s\0" % (version, board, more)
    return program(text + os.urandom(30_000), chip, descriptor)


def image(app=None, loader=None, table=None, start=0x1000):
    """A whole image, to be written from `start` on: boot loader, partition table, application."""
    app, loader = micropython() if app is None else app, program(b"loader") if loader is None else loader
    if table is None:
        table = _TABLE
    return loader.ljust(0x8000 - start, b"\xff") + table.ljust(0x8000, b"\xff") + app


def table(rows):
    """A partition table of (type, subtype, offset, size, label)."""
    return b"".join(struct.pack("<2sBBII16sI", b"\xaa\x50", *row, 0) for row in rows)


_TABLE = table(((1, 2, 0x9000, 0x6000, b"nvs"), (0, 0, 0x10000, 0x1F0000, b"factory")))
