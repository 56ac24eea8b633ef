"""Drives the outputs to their boot level before anything else can fail, counts the boot, and selects the copy of the
firmware that runs. Never raises.

If `config.json` is missing or broken, the outputs come from `boot.json`, the record of the last boot: {"boots": n,
"early": k, "safe_mode": false, "outputs": [[gpio, boot level, safe level], ...]}. `early` counts resets by a crash, by
the watchdog or by the firmware; the firmware sets it to 0 after a good minute or an orderly stop. Beyond EARLY_LIMIT
outputs go to their safe level instead, and the firmware runs in safe mode. Pins that are not in DRIVES for this chip
are never driven: those of flash, USB and console, and input-only ones.

Another relay of an interlock group may have been on just before. So an output of such a group starts off; if its boot
level is `on`, it goes on after `interlock_wait_ms`. Both its levels in the record are off, because the code that reads
the record does not wait.

`slot.json` names the copy that runs: {"slot": "b", "back": "a", "tries": 2}. "a" and "b" are the folders `/a` and `/b`;
"rom:0" is the copy at that offset of the ROM partition, which is mounted at `/rom`; "" or no record is the root.
`tries`: how many starts a copy on trial has left; a confirmed copy has no `tries`. If none is left, or the copy cannot
be mounted, `back` is selected instead. `number`, `was`: the numbers of the bundles in the slot and in the other one. No
update ever replaces this file.
"""

import json
import machine
import os
import sys
import time

EARLY_LIMIT = 5
_BAD = (OSError, ValueError, TypeError, LookupError, RuntimeError, MemoryError, ImportError, OverflowError)
_ON = ("off", "on")
# The GPIOs that each chip may drive, as bits, and those that remain on a kit that uses some itself, or with PSRAM.
# `realer package` writes this from firmware/boards. One text, because the keys of a dict would be interned for ever.
DRIVES = (
    " esp32=30EEFF035 wt32-eth01=30002F034 olimex-esp32-poe=30001E035 esp32+psram=30EECF035 esp32c3=7FF"
    " esp32c6=FC8FFF esp32s2=27FE0027FFFF esp32s3=1E7C00027FFFF"
)


def load(path):
    try:
        with open(path) as f:
            # Some editors write a byte order mark, which is not JSON.
            return dict(json.loads(f.read().lstrip("\ufeff")))
    except _BAD:
        return {}


def save(path, record):
    try:
        text = json.dumps(record)
        # No temporary file is needed: littlefs replaces a file when it is closed; a power cut before leaves the old
        # one.
        with open(path, "w") as f:
            f.write(text)
    except _BAD:
        pass  # a full or worn flash must not keep the device from starting


def parse(item, items):
    """Return (gpio, boot level, safe level, milliseconds until it goes on or None) of an item of either file. Its
    second relay, if any, is appended to `items`. ValueError and others: it is invalid."""
    wait_ms = None
    if isinstance(item, dict):

        def get(key, default):
            value = item.get(key)
            return default if value is None else value

        gpio = item["gpio"]
        low = ("high", "low").index(get("active", "high"))
        boot = _ON.index(get("boot", "off"))
        # A setpoint counts as off, because nothing regulates yet.
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


def drive(items, parse=parse):
    """Drive the `outputs` of either file, but no pin twice. Return whether `items` is a list and all are valid."""
    good = isinstance(items, list)
    late = {}
    items = list(items) if good else ()
    for item in items:
        try:
            gpio, boot, safe, wait_ms = parse(item, items)
            if gpio not in driven:
                pin = machine.Pin(gpio, machine.Pin.OUT, value=safe if record["safe_mode"] else boot)
                driven[gpio] = gpio, boot, safe
                if wait_ms is not None and not record["safe_mode"]:
                    # Two such outputs in a group are an error; the first one counts.
                    late.setdefault(str(item["interlock"]), (pin, wait_ms, not boot))
        except _BAD:
            good = False
    if late:
        time.sleep(min(max([0] + [wait_ms for _, wait_ms, _ in late.values()]), 60000) / 1000)
        for pin, _, level in late.values():
            pin.value(level)
    return good


def folder(name):
    """Return the path of a slot's copy, "" for the root, None if the ROM partition does not have it."""
    if name in ("a", "b"):
        return "/" + name
    if not isinstance(name, str) or name[:4] != "rom:":
        return ""
    try:
        import vfs

        # getattr, because only images built with a ROM partition have these names, from MicroPython 1.25 on.
        copy = memoryview(getattr(vfs, "rom_ioctl", None)(2, 0))[int(name[4:]) :]
        copy = getattr(vfs, "VfsRom", None)(copy)
        # MicroPython itself has mounted the copy at offset 0, which may be the other one.
        try:
            vfs.umount("/rom")
        except OSError:
            pass
        vfs.mount(copy, "/rom")
        return "/rom"
    except _BAD:
        return None


driven = {}
# The chip by the name that MicroPython gives it, as in firmware/settings.py. A computer counts as a classic ESP32.
key = getattr(os, "uname", None)
machine_name = key()[4] if key else ""
key = machine_name.rpartition("with ")[2].lower().replace("-", "")
key = key[:7] if key[:5] == "esp32" and key[5:6] in "schp" and "0" < key[6:7] <= "9" else "esp32"
config = load("config.json")
# An unknown chip drives nothing.
bits = int(DRIVES.partition(" %s=" % key)[2].split(" ")[0] or "0", 16)
for where in (config.get("board"), key + "+psram" if "SPIRAM" in machine_name else None):
    bits &= int(DRIVES.partition(" %s=" % where)[2].split(" ")[0] or "-1", 16)
record = load("boot.json")
for key in ("boots", "early"):
    if type(record.get(key)) is not int:
        record[key] = 0
record["boots"] += 1
# No crash: a power cut or a brownout; a glitch of the supply, whose cause is 0 (unknown); a soft reset, which mpremote
# does before each of its commands.
record["early"] += machine.reset_cause() in (machine.HARD_RESET, machine.WDT_RESET)
record["safe_mode"] = record["early"] > EARLY_LIMIT
outputs = config.get("outputs")
# Without `outputs` there are none, unless the file was cut off: then `cloud` is missing too.
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
# main.py runs in the same namespace: what is not removed would take memory as long as the firmware runs.
del load, save, parse, drive, folder
driven = bits = machine_name = DRIVES = record = slot = where = config = outputs = None
