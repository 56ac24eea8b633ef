"""What one part of the configuration demands of another.

Owns the checks that need more than one value: pins used twice, ports that must exist, limits that contradict each
other. It sees the normalized configuration, in which every refused field is missing; a check that needs such a field
has nothing to add and is left out.
"""

from firmware.core import pins


def check(config, say):
    """Report what does not fit together through `say(level, path, found, allowed)`."""
    seen = {}
    for name, one in (("outputs", _output), ("sensors", _sensor), ("buttons", _button), ("led", None)):
        items = config.get(name) or []
        for i, item in enumerate(items if one else [items]):
            if not item:
                continue
            path = "%s[%d]." % (name, i) if one else "led."
            _pin(item, name.rstrip("s"), path, seen, say)
            _unique(item, "pin_port", name, path, seen, say)
            try:
                if one:
                    one(item, path, config, say)
            except KeyError:
                pass  # a part of it was refused, and reported, before
    if 0 < config.get("watchdog_s", 0) < 10:
        say("error", "watchdog_s", config["watchdog_s"], "0 (off) or 10..600")


def _pin(item, role, path, seen, say):
    flaw = pins.flaw(item["gpio"], role, item.get("pull")) if "gpio" in item else None
    if flaw:
        say(flaw[0], path + "gpio", item["gpio"], flaw[1])
    _unique(item, "gpio", "", path, seen, say)


def _unique(item, key, space, path, seen, say):
    where = (space, item.get(key))
    if where in seen:
        say("error", path + key, where[1], "one of its own, not that of " + seen[where][:-1])
    if key in item:
        seen[where] = path


def _ports(config, name, key=None, value=None):
    return [o.get("pin_port") for o in config.get(name) or [] if o and (key is None or o.get(key) == value)]


def _output(item, path, config, say):
    if item["max_on_s"]:
        if item["min_on_s"] > item["max_on_s"]:
            say("error", path + "min_on_s", item["min_on_s"], "at most max_on_s")
        if item["safe"] == "on":
            say("warning", path + "max_on_s", item["max_on_s"], '0: with safe "on" it would still go off')
    if item["interlock"] is not None:
        _interlock(item, path, config["outputs"], say)
    if item["mode"] == "setpoint":
        _setpoint(item, path, config, say)
    elif isinstance(item["safe"], float):
        say("error", path + "safe", item["safe"], 'off, on or hold; a number needs mode "setpoint"')


def _interlock(item, path, outputs, say):
    others = [o for o in outputs if o and o is not item and o.get("interlock") == item["interlock"]]
    if not others:
        say("warning", path + "interlock", item["interlock"], "the group of another output too")
    for key in ("boot", "safe"):
        if item[key] == "on" and [o for o in others if o.get(key) == "on"]:
            say("error", path + key, "on", "on for one output of the interlock group")


def _setpoint(item, path, config, say):
    low, high, safe = item["min"], item["max"], item["safe"]
    if item["sensor"] not in _ports(config, "sensors"):
        say("error", path + "sensor", item["sensor"], "the pin_port of a sensor")
    if low >= high:
        say("error", path + "min", low, "less than max")
        return
    if item["step"] > high - low:
        say("error", path + "step", item["step"], "at most max - min")
    if isinstance(safe, float) and not low <= safe <= high:
        say("error", path + "safe", safe, "a setpoint from min to max")


def _sensor(item, path, _config, say):
    if item["min"] >= item["max"]:
        say("error", path + "min", item["min"], "less than max")


def _button(item, path, config, say):
    if item["toggles"] not in _ports(config, "outputs", "mode", "switch"):
        say("error", path + "toggles", item["toggles"], 'the pin_port of an output in mode "switch"')
