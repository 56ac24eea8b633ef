"""Validate the configuration: parsed JSON in, a normalized dict and a list of problems out.

This module applies `config_rules` and the constraints between parts of the file; it opens no file and drives no pin.
Anything that could do harm is an error; `tools.cli.check_config` warns of what is merely pointless. It is imported once
at startup and then unloaded. A problem is `(level, path, found, allowed)`: level "error" or "warning"; a path such as
`outputs[1].gpio`; what was found, as short text (`***` for a secret); and what is allowed, as text.
"""

import json

from firmware.core.config_rules import text_with
from firmware.core.values import pick, text

_PINS = ("gpio", "sda", "scl")
_SWITCHED = "outputs, but none with mode setpoint"


def validate(raw, profile):
    """Check `raw`, any value that a JSON parser returns; return `(config, problems)`. `profile`: the text about the
    chip, see `firmware/boards`.

    Without an error `config` has every key, with defaults filled in and secrets wrapped in `Secret`. With an error it
    has only `led` and `portal`, to report that: no output may be switched by a configuration that is only partly valid.
    """
    walk = _Walk(profile)
    config = walk.value("object", raw, "config", "")
    if walk.failed:
        config = {
            key: None if key in walk.failed else config and config.get(key) for key in ("led", "portal")
        }
    return config, walk.problems


def render(problem):
    """Return a problem as one line of text."""
    return "%s: %s: found %s, allowed: %s" % problem


def rules(name):
    """Return the lines of the section `name`, an empty list if there is none. Only that section is copied, to save
    memory."""
    head = "\n\n%s\n" % name
    text, lines = text_with(head), []
    start = text.find(head)
    if start >= 0:
        for line in text[start + len(name) + 3 : text.find("\n\n", start + 2)].split("\n"):
            lines += [line] if " " in line else rules(line)
    return lines


def fact(profile, key):
    """Return the text of the line `key` of a profile, "" if it has none."""
    start = profile.find("\n%s " % key)
    return profile[start + len(key) + 2 : profile.find("\n", start + 1)] if start >= 0 else ""


def choices(profile, what):
    """Return the rule that `$what` stands for on this chip: its `boards`, `outputs`, `inputs` or `analog`."""
    if what == "boards":
        kits = [line.split(" ")[1] for line in profile.split("\n") if line[:4] == "kit "]
        return "|".join([fact(profile, "name").lower().replace("-", "")] + kits)
    if what != "inputs":
        return fact(profile, what)
    more = fact(profile, "input_only")
    return fact(profile, "outputs") + (more and "|" + more)


def of_kit(profile, kit, what):
    """Return the value of the word `what=` in the line of a kit, "" if there is none."""
    for word in fact(profile, "kit %s" % kit).split(" "):
        if word.startswith(what + "="):
            return word[len(what) + 1 :]
    return ""


def is_among(profile, key, gpio):
    """Return whether the line `key` of a profile includes this GPIO."""
    rule = fact(profile, key)
    return rule != "" and pick(rule, gpio) is not None


class _Walk:
    def __init__(self, profile):
        self.profile = profile
        self.problems = []
        self.failed = set()  # top-level keys with errors
        self.seen = {}  # see `_cross_errors`
        self.kit = None  # the value of `board`

    def report(self, level, path, found, allowed, kind=""):
        """Add a problem, at most 40 of them with short texts, so that a garbled file does not fill the heap.

        `kind`: that of the rule. The contents of lists and objects are not shown, nor a value that stands in place of
        one or under an unknown key, because it may be a misplaced secret. `***` stands for a secret, and for an address
        with credentials or a query. Values are shown as JSON, so that control characters cannot garble the log.
        """
        if level == "error":
            self.failed.add(path.split(".")[0])
        if found is None:
            found = "nothing"
        elif isinstance(found, (dict, list)):
            found = "a list" if isinstance(found, list) else "an object"
        elif kind in ("object", "list") and found is not True and found is not False:
            found = "a text, not shown" if isinstance(found, str) else "a number, not shown"
        elif kind[:6] == "secret" or ("[" in kind and ("@" in str(found) or "?" in str(found))):
            found = "***"
        else:
            found = json.dumps(found)[:40]
        if len(self.problems) < 40:
            self.problems.append((level, path or "the whole file", found, allowed))

    def value(self, rule, value, key, path):
        """Return the normalized value, or None if it is refused."""
        kind, _, rest = rule.partition(" ")
        size, _, rest = rest.partition(" ")
        good = None
        if kind[:1] == "$":
            rule = "%s (%s %s)" % (choices(self.profile, kind[1:]), fact(self.profile, "name"), kind[1:])
            kind = rule.partition(" ")[0]
        if isinstance(value, str) and value[:7] == "REPLACE":
            rule = "your own value, not a placeholder"
            kind, value = "", value[:10]
        elif kind == "object":
            if isinstance(value, dict):
                return self.members(value, key, path)
        elif kind == "list":
            if isinstance(value, list) and pick(size, len(value)) is not None:
                return [self.value(rest, item, key, "%s[%d]" % (path, i)) for i, item in enumerate(value)]
        elif size[:1].isdigit():
            good = text(kind, size, value)
        else:
            good = pick(kind, value)
        if key == "board":
            self.kit = good
        if good is None:
            self.report("error", path, value, rule, "object" if key == "client_id" and kind else kind)
        return good

    def members(self, raw, name, path):
        """Return an object as a dict of normalized values, without those that are refused."""
        out, raw, lines = {}, dict(raw), rules(name)
        dot = path and path + "."
        first, only = len(self.problems), None
        for line in lines:
            rule, _, default = line.partition(" =")
            key, _, rule = rule.partition(" ")
            value = raw.pop(key, out.get(key))
            if value is None and default == "none":
                continue
            if value is None and default:
                value = json.loads(default)
            elif value is None and rule > ":" and " " not in rule and rule != "object":
                value = rule.split("|")[0]
            if value is not None or default != "null":
                before = len(self.problems)
                value = self.value(rule, value, key, dot + key)
                if value is None:
                    if key in ("api", "kind", "mode"):
                        # The other keys depend on this one, so problems with them would mislead.
                        only = self.problems[before:]
                    continue
            out[key] = value
            # A value of `transport` adds no keys, although a section has the name `auto`, for `api`.
            if isinstance(value, str) and "|" in rule and key != "transport":
                lines += rules(value)
        # An error for outputs and sensors, because a misspelt limit would not take effect.
        level = "error" if name == "buttons" or path[:8] in ("outputs[", "sensors[") else "warning"
        for key in raw:
            self.report(level, dot + json.dumps(key)[1:-1][:40], raw[key], "no such key", "object")
        for level, key, allowed in (
            list(self.kit_errors(out, name))
            + list(_network_errors(out, name))
            + list(_cross_errors(out, name, path, self.seen, self.profile))
        ):
            self.report(level, dot + key, out[key], allowed)
        if only:
            self.problems[first:] = only
        return out if name != "sensors" else _with_limit(out, self.profile)

    def kit_errors(self, item, name):
        """Yield (level, key, allowed) for conflicts with the kit. Add the kit's PHY and pins to the item `lan`."""
        for taken in (of_kit(self.profile, self.kit, "taken"), fact(self.profile, "taken")):
            for key in _PINS:
                if not taken or pick(taken, item.get(key)) is None:
                    continue
                yield "error", key, "none of %s, which the board itself needs" % taken
        if name == "lan":
            item["phy"] = of_kit(self.profile, self.kit, "lan")
        elif item.get("lan"):
            if not item["lan"]["phy"]:
                yield "error", "lan", "null, except with a board that has a LAN chip"
            if item.get("wifi"):
                yield "error", "wifi", "null with lan"


def _with_limit(sensor, profile):
    """Return the sensor with `high_uv` added: microvolts from which the ADC cannot distinguish its pin from the
    supply."""
    high_mv = float(fact(profile, "adc_max_mv"))
    sensor["high_uv"] = min(high_mv, sensor.get("supply_mv", 1e6) * 0.97) * 1000
    return sensor


def _pin_errors(item, name, profile):
    """Yield (level, key, allowed) for problems of a pin that its rule allows."""
    gpio = item.get("gpio", -1)
    if item.get("pull", "none") != "none" and is_among(profile, "input_only", gpio):
        allowed = 'one of %s, or pull "none" and an external resistor'
        yield "error", "gpio", allowed % fact(profile, "outputs")
    for key in _PINS:
        gpio = item.get(key, -1)
        if not is_among(profile, "strapping", gpio) or (name == "led" and is_among(profile, "leds", gpio)):
            continue
        yield "warning", key, "not a strapping pin, which affects how the chip starts"


def _cross_errors(item, name, path, seen, profile):
    """Yield (level, key, allowed) for contradictions within an object, or with an earlier one.

    `item` lacks the values that were refused. `seen`: values that must be unique, with the path of the object that has
    them; those of this object are added.
    """
    yield from _pin_errors(item, name, profile)
    if item.get("min", -99) >= item.get("max", 1e6):
        yield "error", "min", "less than max"
    yield from _sensor_errors(item)
    if item.get("transport") == "mqtt" and item.get("api") == "realino":
        yield "error", "transport", "auto|https with api realino, which has no MQTT"
    if item.get("update") and item.get("cloud", item).get("api") == "thinger":
        yield "error", "update", "null with api thinger"
    asks = [b for b in item.get("buttons") or () if b and (b.get("opens_portal") or b.get("factory_reset"))]
    if asks and item.get("portal", asks) is None:
        yield "error", "portal", "an object, because a button opens it"
    safe = item.get("safe")
    if isinstance(safe, float) and not item.get("min", safe) <= safe <= item.get("max", safe):
        yield "error", "safe", "off|on|hold|min..max"
    yield from _schedule_errors(item)
    for key, kin in (("sensor", "sensors"), ("toggles", _SWITCHED)):
        if key in item and ("pin_port", kin, item[key]) not in seen:
            yield "error", key, "a pin_port of " + kin
    # The pin_ports of commands and of sensors are two separate spaces in the cloud.
    commands = "outputs" if name == "update" else "sensors" if path[:8] == "sensors[" else name
    yield from _taken_errors(item, commands, path, seen)
    if path[:8] == "outputs[" and item.get("mode") != "setpoint":
        seen["pin_port", _SWITCHED, item.get("pin_port")] = path


def _schedule_errors(item):
    """Yield (level, key, allowed) for an invalid zone, an invalid schedule, or a schedule without a zone."""
    if "zone" in item:
        from firmware.core.zone import parse

        try:
            parse(item["zone"])
        except ValueError:
            yield "error", "zone", "a POSIX TZ rule such as CET-1CEST,M3.5.0,M10.5.0/3"
    for output in item.get("outputs") or ():
        if output and "schedule" in output and "zone" not in (item.get("time") or ()):
            return (yield "error", "time", "also zone, for the schedule of an output")
    low, high = item.get("min", 0.0), item.get("max", 100.0 if "step" in item else 1.0)
    for entry in item.get("schedule") or ():
        value = entry and entry.get("value")
        if value is not None and (not low <= value <= high or (high == 1 and value not in (0, 1))):
            yield "error", "schedule", "values of %s..%s" % (low, high)
    if "schedule" in item and item.get("safe") == "hold":
        yield "error", "schedule", "none with safe hold"


def _taken_errors(item, commands, path, seen):
    """Yield (level, key, allowed) for values that an earlier object has already. Devices with addresses share a bus."""
    gpio, group = item.get("gpio"), item.get("interlock")
    if "address" in item and ("gpio", "", gpio) not in seen:
        seen["bus", gpio] = path
    shared = "address" in item and ("bus", gpio) in seen
    i2c = item.get("sda"), item.get("scl")
    shared = shared or ("i2c", i2c) in seen
    seen["i2c", None not in i2c and i2c] = path
    for key, space in (
        ("gpio", ""),
        ("sda", ""),
        ("scl", ""),
        ("address", gpio),
        ("i2c_address", i2c),
        ("pin_port", commands),
        ("boot", group),
        ("safe", group),
    ):
        use = ("gpio" if key in _PINS else key, space, item.get(key))
        if None in use or (key in "boot safe" and use[2] != "on"):
            continue
        if use in seen and not (use[0] == "gpio" and shared):
            yield "error", key, "one of its own, not that of " + seen[use]
        seen[use] = path


def _sensor_errors(item):
    """Yield (level, key, allowed) for an invalid 1-Wire address or an invalid table of points."""
    if item.get("address", "0").lower().strip("0123456789abcdef"):
        yield "error", "address", "16 hexadecimal digits"
    volts = [point[0] for point in item.get("points", ()) if point and None not in point]
    if volts != sorted(set(volts)):
        yield "error", "points", "[volts, value] each, in order of increasing volts"


def _network_errors(item, name):
    """Yield (level, key, allowed) for an invalid Wi-Fi country or an invalid fixed address."""
    country = item.get("country")
    if country and not (country.isalpha() and country.upper() == country):
        yield "error", "country", "two capital letters (ISO 3166-1), such as DE"
    ip, gateway = item.get("ip"), item.get("gateway")
    if not ip:
        for key in ("gateway", "dns"):
            # `dns` of `wifi` and `lan` applies with DHCP too.
            if (name == "networks" or (name == "lan" and key == "gateway")) and item.get(key):
                yield "warning", key, "only with ip; otherwise DHCP provides it"
        return
    mask = _number(item.get("netmask", "255.255.255.0"))
    host = mask ^ 0xFFFFFFFF
    if host & (host + 1) or not 2 < host < 1 << 24:
        yield "error", "netmask", "255.0.0.0 to 255.255.255.252, ones before zeros"
    elif not 0 < _number(ip) & host < host or _number(ip) >> 24 in (0, 127) or _number(ip) >> 29 == 7:
        yield "error", "ip", "the address of one device in that netmask"
    elif not gateway or (_number(gateway) ^ _number(ip)) & mask or gateway == ip:
        yield "error", "gateway", "another address in the network of ip and netmask"


def _number(ip):
    number = 0
    for part in ip.split("."):
        number = number << 8 | int(part)
    return number
