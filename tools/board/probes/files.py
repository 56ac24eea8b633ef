"""What `tools.deploy` has the board do with its files; sent as text and run at the REPL.

Owns: sums, copies and removals, and the last step, which needs the cable no more once it has begun. Runs on stock
MicroPython and imports nothing of ours: the firmware there may be broken, or not there yet.
"""

import binascii
import hashlib
import json
import os
import sys


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


def look(names):
    """What is there: sums of the slots, the certificates and `names`; the record of slots; room, in blocks; what the
    image has."""
    for name in ("a", "b", "certs"):
        sums(name)
    for name in names:
        sums(name)
    try:
        with open("slot.json") as f:
            slot = json.load(f)
    except (OSError, ValueError):
        slot = {}
    fs = os.statvfs("/")
    plain = kind("firmware") == 2
    facts = {"slot": slot, "block": fs[0], "free": fs[3], "plain": plain, "frozen": frozen()}
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


def finish(names, gone, slot):
    """All that was sent beside takes its place, and last of all the choice of the slot."""
    for name in names:
        os.rename(name + ".new", name)
    for name in gone:
        os.remove(name)
    if slot:
        record(slot)
