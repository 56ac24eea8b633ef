"""Drives the outputs to their boot level before anything else can fail, then counts the boot. Never raises.

What `config.json` does not have, because it is missing or broken, comes from the last boot's record, `boot.json`:
{"boots": n, "early": k, "safe_mode": false, "outputs": [[gpio, boot level, safe level], ...]}. `early` counts the
boots since the last power-up; the firmware sets it to 0 after a good minute or an orderly stop. Beyond EARLY_LIMIT
outputs go to their safe level instead, and the firmware runs in safe mode. Pins that are not in DRIVES for this chip
are never driven: flash, USB, console and input-only ones.

Another relay of an interlock group may have been on just before. So an output of such a group starts off, and goes to
a boot level of `on` after its `interlock_wait_ms`. Both its levels in the record are off, because the code that reads
the record does not wait.

Finally it chooses which copy of the firmware runs, from `slot.json`: {"slot": "b", "back": "a", "tries": 2}, copies in
the folders `/a` and `/b`, "" or no record for one in the root, "rom:0" for one that begins at that offset of the ROM
partition and is mounted at `/rom`. `tries`: starts that a copy on trial has left; a confirmed copy has none, and
without any left `back` is taken for good, as it is where there is no copy to mount. `number`, `was`: the bundles in
the slot and in the one before. No update ever replaces this file.
"""

import json
import machine
import os
import sys
import time

EARLY_LIMIT = 5
_BAD = (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError, ImportError, OverflowError)
_ON = ("off", "on")
# By chip the GPIOs that it may drive, as bits, and those of them on a kit that needs some itself, or with PSRAM;
# `realer package` writes this from firmware/boards. A text, because each name would stay in the memory of names.
DRIVES = (
    " esp32=30EEFF035 wt32-eth01=30002F034 olimex-esp32-poe=30001E035 esp32+psram=30EECF035 esp32c3=7FF"
    " esp32c6=FC8FFF esp32s2=27FE0027FFFF esp32s3=1E7C00027FFFF"
)


def load(path):
    try:
        with open(path) as f:
            # Some editors put a mark in front of a text, which is no JSON.
            return dict(json.loads(f.read().lstrip("\ufeff")))
    except _BAD:
        return {}


def save(path, record):
    try:
        text = json.dumps(record)
        # Not beside and renamed: littlefs swaps a file in when it is closed, a cut before that leaves the old one.
        with open(path, "w") as f:
            f.write(text)
    except _BAD:
        pass  # a full or worn flash must not keep the device from starting


def meant(item, items):
    """(gpio, boot level, safe level, milliseconds before it goes on after all or None) of an item of either file.
    A second relay that it has is appended to `items`."""
    wait_ms = None
    if isinstance(item, dict):

        def get(key, default):
            value = item.get(key)
            return default if value is None else value

        gpio = item["gpio"]
        low = ("high", "low").index(get("active", "high"))
        boot = _ON.index(get("boot", "off"))
        # A setpoint means nothing to a relay without regulation yet.
        safe = boot if item.get("safe") == "hold" else int(item.get("safe") == "on")
        close = item.get("close")
        if close is not None:
            # Both relays of a cover are off.
            boot = safe = 0
            items.append({"gpio": close["gpio"], "active": item.get("active")})
        if item.get("interlock") is not None:
            if boot:
                wait_ms = int(get("interlock_wait_ms", 500))
            boot = safe = 0
        boot, safe = boot ^ low, safe ^ low
    else:
        gpio, boot, safe = item
    if type(gpio) not in (int, float) or gpio != int(gpio) or not 0 <= gpio < 64:
        raise ValueError
    if not bits >> int(gpio) & 1:
        raise ValueError
    return int(gpio), boot, safe, wait_ms


def drive(items, meant=meant):
    """Drive the `outputs` of either file, but no pin twice. Whether there are any and all of them are good."""
    good = isinstance(items, list)
    late = {}
    items = list(items) if good else ()
    for item in items:
        try:
            gpio, boot, safe, wait_ms = meant(item, items)
            if gpio not in driven:
                pin = machine.Pin(gpio, machine.Pin.OUT, value=safe if record["safe_mode"] else boot)
                driven[gpio] = gpio, boot, safe
                if wait_ms is not None and not record["safe_mode"]:
                    # Of two in a group, which is an error, the first.
                    late.setdefault(str(item["interlock"]), (pin, wait_ms, not boot))
        except _BAD:
            good = False
    if late:
        time.sleep(min(max([0] + [wait_ms for _, wait_ms, _ in late.values()]), 60000) / 1000)
        for pin, _, level in late.values():
            pin.value(level)
    return good


def folder(name):
    """Where the copy of a slot is, "" for the root. None: the ROM partition does not have it."""
    if name in ("a", "b"):
        return "/" + name
    if not isinstance(name, str) or name[:4] != "rom:":
        return ""
    try:
        import vfs

        # By text: MicroPython has both names from 1.25 on, in images that were built with them.
        copy = memoryview(getattr(vfs, "rom_ioctl", None)(2, 0))[int(name[4:]) :]
        copy = getattr(vfs, "VfsRom", None)(copy)
        try:
            vfs.umount("/rom")  # MicroPython itself mounts what lies at offset 0, which may be another copy
        except OSError:
            pass
        vfs.mount(copy, "/rom")
        return "/rom"
    except _BAD:
        return None


driven = {}
# The chip, found as in firmware/settings.py: the one that MicroPython names; a computer counts as a classic ESP32.
key = getattr(os, "uname", None)
machine_name = key()[4] if key else ""
key = machine_name.rpartition("with ")[2].lower().replace("-", "")
key = key[:7] if key[:5] == "esp32" and key[5:6] in "schp" and "0" < key[6:7] <= "9" else "esp32"
config = load("config.json")
# One that is not known drives nothing.
bits = int(DRIVES.partition(" %s=" % key)[2].split(" ")[0] or "0", 16)
for where in (config.get("board"), key + "+psram" if "SPIRAM" in machine_name else None):
    bits &= int(DRIVES.partition(" %s=" % where)[2].split(" ")[0] or "-1", 16)
record = load("boot.json")
for key in ("boots", "early"):
    if type(record.get(key)) is not int:
        record[key] = 0
record["boots"] += 1
# A power cut, or a brownout, which looks the same, is no crash of the firmware.
record["early"] += machine.reset_cause() != machine.PWRON_RESET
record["safe_mode"] = record["early"] > EARLY_LIMIT
outputs = config.get("outputs")
# `outputs` may be missing where there are none; but a file that was cut off may lack it too.
if not drive([] if outputs is None and "cloud" in config else outputs):
    drive(record.get("outputs"))
record["outputs"] = sorted(driven.values())
slot = load("slot.json")
trial = type(slot.get("tries")) is int
if trial:
    slot["tries"] -= 1
over = trial and slot["tries"] < 0
where = None if over else folder(slot.get("slot"))
if over or (where is None and "back" in slot):
    slot = {"slot": slot.get("back"), "failed": slot.get("slot"), "number": slot.get("was", 0)}
    # The other copy crashed.
    record["early"], record["safe_mode"] = 1, False
    trial, where = True, folder(slot["slot"])
if trial:
    save("slot.json", slot)
if where:
    sys.path[:0] = [where, where + "/lib"]
save("boot.json", record)
# main.py runs in this same namespace: what lived on in it would live as long as the firmware.
del load, save, meant, drive, folder
driven = bits = machine_name = DRIVES = record = slot = where = config = outputs = None
