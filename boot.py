"""Outputs to their boot level before anything else can fail, then the count of boots. Never raises.

What `config.json` does not tell, because it is missing or broken, comes from the last good one, kept in `boot.json`:
{"boots": n, "early": k, "outputs": [[gpio, level], ...]}. `early` counts boots in a row; whoever finds the device
healthy, or stops it in an orderly way, sets it to 0. Beyond EARLY_LIMIT outputs go to their safe state instead and the
application should leave the device alone. Refuses flash, console and input-only pins.
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


def drive(item, early, driven):
    """Drive an item of `outputs`, of either file, unless its pin is driven already. Whether it was a good one."""
    try:
        if isinstance(item, dict):
            invert, on = {"high": 0, "low": 1}[item.get("active", "high")], {"off": 0, "on": 1}
            gpio, boot = item["gpio"], on[item.get("boot", "off")] ^ invert
            safe = on.get(str(item.get("safe")), boot ^ invert) ^ invert
        else:
            gpio, safe = item
            boot = safe
        if gpio is True or not 0 <= gpio < 34 or gpio != int(gpio) or 6 <= gpio <= 11 or gpio in (1, 3):
            return False
        if gpio not in [known for known, _ in driven]:
            machine.Pin(int(gpio), machine.Pin.OUT, value=safe if early else boot)
            driven.append([int(gpio), boot])
    except _BAD:
        return False
    return True


state, driven = load("boot.json"), []
boots, early, last = [state.get(key) for key in ("boots", "early", "outputs")]
early = early + 1 if type(early) is int else 1
wanted = load("config.json").get("outputs")
good = [drive(item, early > EARLY_LIMIT, driven) for item in wanted] if isinstance(wanted, list) else [False]
for item in last if False in good and isinstance(last, list) else ():
    drive(item, early > EARLY_LIMIT, driven)
try:
    import os  # not before the outputs are driven

    state = {"boots": boots + 1 if type(boots) is int else 1, "early": early}
    state["outputs"] = last if False in good else driven
    with open("boot.new", "w") as f:
        json.dump(state, f)
    os.rename("boot.new", "boot.json")  # the old file stays whole until the new one is
except _BAD:
    pass  # a full or worn flash must not keep the device from starting
