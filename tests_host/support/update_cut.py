"""Cuts the power at every single write of an update, on real littlefs: `micropython update_cut.py ROOT`.

An image of a flash with a running copy takes an update, the start after it, and the end of the trial, each cut at its
first, second, third ... write to the block device; that write is torn in half. After each cut the image is mounted
anew and started: the copy that boot.py chooses has to be whole. The last line is one JSON object of counts.
"""

import asyncio
import binascii
import hashlib
import json
import os
import sys
import vfs

from firmware.core.errors import ConfigError
from firmware.core.nouns import Secret
from firmware.runtime.flash import Store
from firmware.update import fetch
from http1.client import Client
from http1.message import HttpError
from netio.errors import NetError
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
LEFT = {"firmware/app.py": b"LEFT", "lib/left/over.py": b"LEFT" * 2000}


class Flash:
    """A block device whose power goes out in the middle of write number `cut`; 0: never."""

    def __init__(self, image, cut=0):
        self.image = image
        self.cut = cut
        self.writes = 0

    def readblocks(self, block, buf, offset=0):
        at = block * BLOCK + offset
        buf[:] = memoryview(self.image)[at : at + len(buf)]

    def writeblocks(self, block, buf, offset):
        at = block * BLOCK + offset
        return self.write(at, buf, len(buf))

    def write(self, at, data, size):
        self.writes += 1
        if self.cut and self.writes >= self.cut:
            if self.writes > self.cut:
                return -EIO
            size //= 2
        self.image[at : at + size] = data[:size]
        return -EIO if self.writes == self.cut else 0

    def ioctl(self, op, arg):
        if op == 4:
            return BLOCKS
        if op == 5:
            return BLOCK
        if op == 6:
            return self.write(arg * BLOCK, b"\xff" * BLOCK, BLOCK)
        return 0


def powered(flash, work):
    """Run `work()` on the mounted flash; whether the power stayed."""
    vfs.mount(vfs.VfsLfs2(flash), "/lfs")
    os.chdir("/lfs")
    try:
        work()
        return True
    except (OSError, ConfigError):
        return False
    finally:
        os.chdir("/")
        vfs.umount("/lfs")


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
    """What an update needs of a link."""

    broken = NetError, HttpError

    def __init__(self, files):
        self.clock = Clock()
        self.client = Client(Server(files), self.clock, "api.realer.test")


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


def trust():
    if not Store().trust(True):
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


def judge():
    """Boot, and say which copy runs; it has to be whole."""
    boot()
    slot = chosen[-1][1:]
    assert whole(slot, OLD if slot == "a" else NEW), slot
    with open("slot.json") as f:
        back = json.load(f).get("back")  # where it would fall back to
    assert back is None or [files for files in (OLD, NEW, LEFT) if whole(back, files)], back


def cut_everywhere(base, work, counts):
    """`work` on copies of the image `base`, cut at every write; the image after it went through."""
    cut = 0
    while True:
        cut += 1
        image = bytearray(base)
        flash = Flash(image, cut)
        went_well = powered(flash, work)
        after = bytearray(image)
        assert powered(Flash(image), judge), cut
        counts[chosen[-1][1:]] += 1
        if flash.writes < cut:
            assert went_well
            return after


with open(ROOT + "/boot.py") as f:
    BOOT = f.read()
chosen = []


def main():
    image = bytearray(BLOCK * BLOCKS)
    vfs.VfsLfs2.mkfs(Flash(image))

    def prepare():
        put("a", OLD)
        put("b", LEFT)
        Store().save("slot.json", {"slot": "a", "back": "b", "number": 3})
        boot()

    assert powered(Flash(image), prepare)
    facts = {}
    for name, work in (("update", update), ("start", boot), ("trust", trust)):
        facts[name] = counts = {"a": 0, "b": 0}
        image = cut_everywhere(image, work, counts)
    assert powered(Flash(image), judge)
    facts["runs"] = chosen[-1]
    print(json.dumps(facts))


main()
