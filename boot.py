"""Outputs to their boot level before anything else can fail, then the count of boots. Never raises.

What `config.json` does not tell, because it is missing or broken, comes from the last boot's record, `boot.json`:
{"boots": n, "early": k, "safe_mode": false, "outputs": [[gpio, boot level, safe level], ...]}. `early` counts boots
in a row; whoever finds the device healthy, or stops it in an orderly way, sets it to 0. Beyond EARLY_LIMIT outputs go
to their safe level instead and the application leaves the device alone. Refuses flash, console and input-only pins.
"""

import json
import machine

EARLY_LIMIT = 5
_BAD = (OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError, MemoryError)


def load(path):
    try:
        with open(path) as f:
            return dict(json.load(f))
    except _BAD:
        return {}


def drive(item, safe_mode, driven):
    """Drive an item of `outputs`, of either file, unless its pin is driven already. Whether it was a good one."""
    try:
        if isinstance(item, dict):
            invert, on = {"high": 0, "low": 1}[item.get("active", "high")], {"off": 0, "on": 1}
            gpio, boot = item["gpio"], on[item.get("boot", "off")] ^ invert
            # `hold` and setpoints mean nothing to a relay that nobody regulates yet.
            safe = on.get(str(item.get("safe", "off")), boot ^ invert) ^ invert
        else:
            gpio, boot, safe = item
        if gpio is True or not 0 <= gpio < 34 or gpio != int(gpio) or 6 <= gpio <= 11 or gpio in (1, 3):
            return False
        if gpio not in [known[0] for known in driven]:
            machine.Pin(int(gpio), machine.Pin.OUT, value=safe if safe_mode else boot)
            driven.append([int(gpio), boot, safe])
    except _BAD:
        return False
    return True


last, wanted, driven = load("boot.json"), load("config.json").get("outputs"), []
boots, early, kept = [last.get(key) for key in ("boots", "early", "outputs")]
early = early + 1 if type(early) is int else 1
good = [drive(item, early > EARLY_LIMIT, driven) for item in wanted] if isinstance(wanted, list) else [False]
for item in kept if False in good and isinstance(kept, list) else ():
    drive(item, early > EARLY_LIMIT, driven)
try:
    import os  # not before the outputs are driven

    boots = boots + 1 if type(boots) is int else 1
    with open("boot.new", "w") as f:
        json.dump({"boots": boots, "early": early, "safe_mode": early > EARLY_LIMIT, "outputs": driven}, f)
    os.rename("boot.new", "boot.json")  # the old file stays whole until the new one is
except _BAD:
    pass  # a full or worn flash must not keep the device from starting
