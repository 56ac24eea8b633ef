"""Handles the files of a board for `realer deploy`; sent as text and run at the REPL.

It makes sums, copies and removals, writes the ROM partition, and does the last step, which needs no cable once it has
begun. It runs on stock MicroPython and imports nothing of ours: the firmware there may be broken or missing.
"""

import binascii
import hashlib
import json
import os
import sys

BLOCK = 4096


def kind(path):
    """0 nothing, 1 file, 2 folder."""
    try:
        return 2 if os.stat(path)[0] & 0x4000 else 1
    except OSError:
        return 0


def digest(path):
    sha = hashlib.sha256()
    with open(path, "rb") as f:
        while True:
            piece = f.read(1024)
            if not piece:
                return binascii.hexlify(sha.digest()).decode()
            sha.update(piece)


def sums(path):
    """Print the digest of the file, or of every file below the folder: little memory is free next to a firmware."""
    if kind(path) == 2:
        for name in os.listdir(path):
            sums(path + "/" + name)
    elif kind(path):
        print(digest(path), path)


def frozen():
    """Version of the firmware that the image itself has; "" for a stock one."""
    path = sys.path[:]
    for name in [name for name in sys.modules if name.split(".")[0] == "firmware"]:
        del sys.modules[name]
    sys.path[:] = [place for place in path if "." in place]  # no place in the file system
    try:
        from firmware.device import VERSION

        return VERSION
    except (ImportError, MemoryError):
        return ""
    finally:
        sys.path[:] = path


def load(name):
    try:
        with open(name) as f:
            return dict(json.load(f))
    except (OSError, ValueError, TypeError):
        return {}


def partition():
    """The ROM partition; None in an image without one."""
    import vfs

    ioctl = getattr(vfs, "rom_ioctl", None)
    return ioctl(2, 0) if ioctl and ioctl(1) > 0 else None


def rom(slot):
    """Its size in bytes, the beginning of a sum for each of its blocks, the beginning of the copy that `slot` names."""
    device = partition()
    if device is None:
        return None
    view = memoryview(device)
    size = device.ioctl(4, 0) * BLOCK
    sums = [hashlib.sha256(view[at : at + BLOCK]).digest()[:8] for at in range(0, size, BLOCK)]
    blocks = [binascii.hexlify(total).decode() for total in sums]
    at = int(slot[4:]) if str(slot)[:4] == "rom:" else size
    return {"size": size, "blocks": blocks, "head": binascii.hexlify(bytes(view[at : at + 12])).decode()}


def rom_erase(at):
    if partition().ioctl(6, at // BLOCK):
        raise OSError("erase")


def rom_put(at, text):
    """The next bytes of an erased block, in base64."""
    partition().writeblocks(at // BLOCK, binascii.a2b_base64(text), at % BLOCK)


def rom_copy(at, source, start, size):
    """The next bytes of an erased block, from a file."""
    device = partition()
    with open(source, "rb") as f:
        f.seek(start)
        while size:
            piece = f.read(min(size, 1024))
            device.writeblocks(at // BLOCK, piece, at % BLOCK)
            at += len(piece)
            size -= len(piece)


def rom_digest(at, size):
    print(binascii.hexlify(hashlib.sha256(memoryview(partition())[at : at + size]).digest()).decode())


def needs():
    """What of the configuration decides which units it needs, and nothing else of it."""
    config = load("config.json")
    cloud = config.get("cloud") or {}
    return {
        "cloud": {"api": cloud.get("api"), "transport": cloud.get("transport")},
        "portal": bool(config.get("portal")),
        "update": bool(config.get("update")),
    }


def look(names):
    """What is there: sums of the slots, the certificates and `names`; the record of slots; room, in blocks; what the
    image has; the ROM partition; what MicroPython calls board and chip."""
    slot = load("slot.json")
    for name in ("a", "b", "certs"):
        sums(name)
    if str(slot.get("slot"))[:4] == "rom:":
        sums("rom")  # where boot.py has mounted it
    for name in names:
        sums(name)
    fs = os.statvfs("/")
    plain = kind("firmware") == 2
    facts = {"slot": slot, "block": fs[0], "blocks": fs[2], "free": fs[3], "plain": plain, "frozen": frozen()}
    facts["rom"], facts["needs"] = rom(slot.get("slot")), needs()
    uname = getattr(os, "uname", None)
    facts["machine"] = uname()[4] if uname else ""
    print(json.dumps(facts))


def folders(path):
    """Make the folders around `path`."""
    for i, c in enumerate(path):
        if c == "/" and not kind(path[:i]):
            os.mkdir(path[:i])


def put(path, text, first):
    """The next piece of a file, in base64."""
    if first:
        folders(path)
    with open(path, "wb" if first else "ab") as f:
        f.write(binascii.a2b_base64(text))


def copy(source, target):
    folders(target)
    with open(source, "rb") as f, open(target, "wb") as g:
        while True:
            piece = f.read(1024)
            if not piece:
                return
            g.write(piece)


def prune(folder):
    """Remove folders without a file below `folder`."""
    for name in os.listdir(folder):
        path = folder + "/" + name
        if kind(path) == 2:
            prune(path)
            if not os.listdir(path):
                os.rmdir(path)


def record(slot):
    """The record of slots, in one step: the old one or the new one."""
    with open("slot.json.new", "w") as f:
        json.dump(slot, f)
    os.rename("slot.json.new", "slot.json")


def forget_crashes():
    """Those so far were of another version or configuration, so they do not lead to safe mode."""
    boots = load("boot.json")
    if boots.get("early"):
        boots["early"] = 0
        with open("boot.json", "w") as f:
            json.dump(boots, f)


def finish(names, gone, slot):
    """All that was sent beside takes its place, and last of all the choice of the slot."""
    forget_crashes()
    for name in names:
        os.rename(name + ".new", name)
    for name in gone:
        os.remove(name)
    if slot:
        record(slot)
