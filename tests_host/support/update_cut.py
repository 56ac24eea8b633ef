"""Cuts the power at every write of an update, on real littlefs: `micropython update_cut.py ROOT DER [bottom|top]`.

A chip with a running copy takes an update, the start after it, and the end of the trial, each cut at its first, second,
third ... write to the file system or to the ROM partition; that write is torn in half. After each cut the chip is
started: the copy that boot.py chooses has to be whole, and so has what MicroPython itself would find in the ROM
partition. The bundle brings the root certificate in the file DER; one with a damaged root has to be refused, and the
old copy runs whenever that is cut.

With `bottom` or `top` the chip has one, both copies are in it, and that end of it is where the new one
goes. The last line is one JSON object of counts.
"""

import asyncio
import binascii
import hashlib
import json
import os
import sys
import vfs

from firmware.core.errors import ConfigError
from firmware.core.models import Secret
from firmware.core.romslot import layout, length
from firmware.runtime.store import Store
from firmware.update import fetch
from http1.client import Client
from tests_host.support import fakemachine

ROOT = sys.argv[1]
BLOCK, BLOCKS = 4096, 48
EIO = 5
KEY = "test-key-not-real-0123"
OLD = {"firmware/__init__.py": b"", "firmware/app.py": b"OLD = 1\n" * 300, "lib/x/y.py": b"OLD = 2\n"}
NEW = {
    "firmware/__init__.py": b"",
    "firmware/app.py": b"NEW = 1\n" * 700,
    "lib/x/y.py": b"NEW\n",
    "lib/z.py": b"NEW",
}
CERTIFICATE = "firmware/certs/next.der"
LEFT = {"firmware/app.py": b"LEFT", "lib/left/over.py": b"LEFT" * 3000}


class Power:
    """It goes out in the middle of write number `cut`; 0: never."""

    def __init__(self, cut=0):
        self.cut = cut
        self.writes = 0

    def take(self, size):
        """How many bytes of the next write still reach the flash."""
        self.writes += 1
        if self.cut and self.writes >= self.cut:
            return size // 2 if self.writes == self.cut else 0
        return size


class Flash:
    """The block device of the file system."""

    def __init__(self, image, power):
        self.image = image
        self.power = power

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = memoryview(self.image)[at : at + len(buf)]

    def writeblocks(self, block, buf, offset):
        at = block * BLOCK + offset
        return self.write(at, buf, len(buf))

    def write(self, at, data, size):
        taken = self.power.take(size)
        self.image[at : at + taken] = data[:taken]
        return 0 if taken == size else -EIO

    def ioctl(self, op, arg):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            return self.write(arg * BLOCK, b"\xff" * BLOCK, BLOCK)
        return 0


class Rom(memoryview):
    """The ROM partition, as `vfs.rom_ioctl` gives it: programming turns ones into zeros, erasing makes ones again."""

    def ioctl(self, op, arg):
        if op == 4:
            return ROM_BLOCKS
        at = arg * BLOCK
        taken = rom_power[0].take(BLOCK)
        rom_cells[0][at : at + taken] = b"\xff" * taken
        return 0 if taken == BLOCK else -EIO

    def writeblocks(self, block, data, offset):
        at, cells = block * BLOCK + offset, rom_cells[0]
        taken = rom_power[0].take(len(data))
        for i in range(taken):
            cells[at + i] &= data[i]
        if taken < len(data):
            raise OSError(EIO)


class Vfs:
    """`vfs` of an image with a ROM partition."""

    mount, umount = vfs.mount, vfs.umount
    VfsRom = getattr(vfs, "VfsRom", None)

    @staticmethod
    def rom_ioctl(command, *segment):
        return 1 if command == 1 else Rom(rom_cells[0])


class Chip:
    """The flash of a chip: `image` of the file system, `rom` or None."""

    def __init__(self, image, rom=None):
        self.image = bytearray(image)
        self.rom = rom and bytearray(rom)


def powered(chip, power, work):
    """Run `work()` with the file system mounted; whether the power stayed."""
    if chip.rom:
        rom_cells[:] = [chip.rom]
        rom_power[:] = [power]
    vfs.mount(vfs.VfsLfs2(Flash(chip.image, power)), "/lfs")
    os.chdir("/lfs")
    try:
        work()
        return True
    except (OSError, ConfigError):
        return False
    finally:
        os.chdir("/")
        vfs.umount("/lfs")
        try:
            vfs.umount("/rom")
        except OSError:
            pass


class Server:
    """A dialer to a server that answers ranges of these files."""

    def __init__(self, files):
        self.files = files
        self.answer = b""

    async def dial(self, host, port):
        return self

    async def write(self, request):
        path = request.split(b" ")[1].decode().rpartition("/")[2]
        first, last = request.partition(b"bytes=")[2].split(b"\r")[0].split(b"-")
        body = self.files[path][int(first) : int(last) + 1]
        self.answer = b"HTTP/1.1 206 Partial Content\r\nContent-Length: %d\r\n\r\n" % len(body) + body

    async def read_into(self, view):
        n = min(len(view), len(self.answer))
        view[:n] = self.answer[:n]
        self.answer = self.answer[n:]
        return n

    def close(self):
        self.answer = b""


class Clock:
    def within(self, ms, awaitable):
        return awaitable


class Link:
    """What an update needs of a link: a connection of its own to the server of `settings`."""

    def __init__(self, files):
        self.files = files

    async def lend(self, host, port):
        assert (host, port) == ("update.test", 443)
        return Client(Server(self.files), Clock(), host, port)


def sha(data, *more):
    h = hashlib.sha256(data)
    for piece in more:
        h.update(piece)
    return h


def bundle(number, files):
    manifest = "realer-firmware %d 9.9\n" % number
    for path in sorted(files):
        digest = binascii.hexlify(sha(files[path]).digest()).decode()
        manifest += "%s %d %s\n" % (digest, len(files[path]), path)
    manifest = manifest.encode()
    key = KEY.encode() + bytes(64 - len(KEY))
    inner = sha(bytes([b ^ 0x36 for b in key]), manifest).digest()
    mac = binascii.hexlify(sha(bytes([b ^ 0x5C for b in key]), inner).digest()).decode()
    head = ("%s %d\n" % (mac, len(manifest))).encode()
    return {"head": head, "manifest": manifest, "files": b"".join([files[p] for p in sorted(files)])}


SETTINGS = {"url": "https://update.test", "folder": "/f", "key": Secret(KEY), "prove_s": 60}


def update():
    asyncio.run(fetch(7, SETTINGS, Link(bundle(7, NEW)), Store(), lambda: None))


def refuse():
    """The update with a root of which the last bytes are missing."""
    damaged = dict(NEW)
    damaged[CERTIFICATE] = damaged[CERTIFICATE][:-9]
    try:
        asyncio.run(fetch(7, SETTINGS, Link(bundle(7, damaged)), Store(), lambda: None))
    except ConfigError as e:
        if "no certificate" not in str(e):
            raise


def confirm():
    if not Store().confirm_update(True):
        raise OSError


def boot():
    fakemachine.install()
    path = sys.path[:]
    try:
        exec(BOOT, {"__name__": "__main__"})
        chosen.append(sys.path[0])
    finally:
        sys.path[:] = path


def put(folder, files):
    for path in files:
        parts = (folder + "/" + path).split("/")
        for i in range(1, len(parts)):
            try:
                os.mkdir("/".join(parts[:i]))
            except OSError:
                pass
        with open(folder + "/" + path, "wb") as f:
            f.write(files[path])


def whole(folder, files):
    for path in files:
        try:
            with open(folder + "/" + path, "rb") as f:
                if f.read() != files[path]:
                    return False
        except OSError:
            return False
    return True


def copy_in(slot):
    """Which copy is in a slot, None for none that is whole."""
    folder = slot
    if slot[:4] == "rom:":
        folder = "/copy"
        vfs.mount(vfs.VfsRom(memoryview(rom_cells[0])[int(slot[4:]) :]), folder)
    try:
        for name, files in (("old", OLD), ("new", NEW), ("left", LEFT)):
            if whole(folder, files):
                return name
    finally:
        if folder == "/copy":
            vfs.umount(folder)


def check():
    """Boot, and say which copy runs; it has to be whole, and where it would fall back to as well."""
    boot()
    with open("slot.json") as f:
        record = json.load(f)
    assert chosen[-1] == ("/rom" if record["slot"][:4] == "rom:" else "/" + record["slot"]), chosen
    runs.append(copy_in(record["slot"]))
    if chosen[-1] == "/rom":
        assert whole("/rom", {"old": OLD, "new": NEW}[runs[-1]])
    assert runs[-1] in ("old", "new"), record
    assert record.get("back") is None or copy_in(record["back"]), record
    if rom_cells and length(rom_cells[0][:12]):
        assert copy_in("rom:0"), record


def cut_everywhere(base, work, counts):
    """`work` on copies of the chip `base`, cut at every write; the chip after it went through."""
    cut = 0
    while True:
        cut += 1
        chip, power = Chip(base.image, base.rom), Power(cut)
        went_well = powered(chip, power, work)
        after = Chip(chip.image, chip.rom)
        assert powered(chip, Power(), check), cut
        counts[runs[-1]] += 1
        if power.writes < cut:
            assert went_well
            return after


with open(ROOT + "/boot.py") as f:
    BOOT = f.read()
ROM_BLOCKS = 16
chosen, runs, rom_cells, rom_power = [], [], [], []


def burn(cells, files, top=False):
    """An image of `files` in the partition; its slot."""
    pieces, size = layout([(path, len(files[path])) for path in sorted(files)])
    at = (len(cells) - size) // BLOCK * BLOCK if top else 0
    data = b"".join([files.get(piece) if isinstance(piece, str) else piece for piece in pieces])
    cells[at : at + size] = data
    return "rom:%d" % at


def main():
    with_rom = sys.argv[3:]
    chip = Chip(bytes(BLOCK * BLOCKS), with_rom and b"\xff" * BLOCK * ROM_BLOCKS)
    vfs.VfsLfs2.mkfs(Flash(chip.image, Power()))

    def prepare():
        put("a", {} if with_rom else OLD)
        put("b", LEFT)
        slot, back = "a", "b"
        if with_rom:
            slot, back = (
                burn(chip.rom, OLD, with_rom == ["bottom"]),
                burn(chip.rom, LEFT, with_rom == ["top"]),
            )
        Store().save("slot.json", {"slot": slot, "back": back, "number": 3})
        boot()

    if with_rom:
        sys.modules["vfs"] = Vfs
    assert powered(chip, Power(), prepare)
    with open(sys.argv[2], "rb") as f:
        NEW[CERTIFICATE] = f.read()
    facts = {}
    facts["refused"] = counts = {"old": 0, "new": 0}
    cut_everywhere(chip, refuse, counts)
    for name, work in (("update", update), ("start", boot), ("confirm", confirm)):
        facts[name] = counts = {"old": 0, "new": 0}
        chip = cut_everywhere(chip, work, counts)
    assert powered(chip, Power(), check)
    facts["runs"] = chosen[-1], runs[-1]
    print(json.dumps(facts))


main()
