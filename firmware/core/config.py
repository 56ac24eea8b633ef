"""The check of the configuration: parsed JSON in, a normalized dict and a list of problems out.

It applies `config_rules`, and what one part of the file demands of another; it opens no file and drives no pin. What
could do harm is an error; what is merely pointless is left to `tools.cli.check_config`. It is imported once at the
start and unloaded. A problem is `(level, path, found, allowed)`: level "error" or "warning", path such as
`outputs[1].gpio`, what was found as short text (a secret is only ever `***`), and what is allowed, as text.
"""

import json

from firmware.core.config_rules import text_with
from firmware.core.values import pick, text

_PINS = ("gpio", "sda", "scl")
_SWITCHED = "outputs, but none with mode setpoint"


def validate(raw, profile):
    """Check `raw`, any value a JSON parser returned: `(config, problems)`. `profile`: the text about the chip, see
    `firmware/boards`.

    Without an error `config` holds every key, defaults filled in, secrets wrapped in `Secret`. With one it holds only
    `led` and `portal`, for saying so: nothing may be switched from a configuration that is partly right.
    """
    walk = _Walk(profile)
    config = walk.value("object", raw, "config", "")
    if walk.failed:
        config = {
            key: None if key in walk.failed else config and config.get(key) for key in ("led", "portal")
        }
    return config, walk.problems


def render(problem):
    """One line of text for a problem."""
    return "%s: %s: found %s, allowed: %s" % problem


def rules(name):
    """The lines of the section of this name, none if there is none. Copies no more of the text than that."""
    head = "\n\n%s\n" % name
    text, lines = text_with(head), []
    start = text.find(head)
    if start >= 0:
        for line in text[start + len(name) + 3 : text.find("\n\n", start + 2)].split("\n"):
            lines += [line] if " " in line else rules(line)
    return lines


def fact(profile, key):
    """What the line `key` of a profile says, "" where that is nothing."""
    start = profile.find("\n%s " % key)
    return profile[start + len(key) + 2 : profile.find("\n", start + 1)] if start >= 0 else ""


def choices(profile, what):
    """The rule of a chip that `$what` stands for in the rules of the file."""
    if what == "boards":
        kits = [line.split(" ")[1] for line in profile.split("\n") if line[:4] == "kit "]
        return "|".join([fact(profile, "name").lower().replace("-", "")] + kits)
    if what != "inputs":
        return fact(profile, what)
    more = fact(profile, "input_only")
    return fact(profile, "outputs") + (more and "|" + more)


def of_kit(profile, kit, what):
    """What the word `what=` in the line of a kit says, "" where there is none."""
    for word in fact(profile, "kit %s" % kit).split(" "):
        if word.startswith(what + "="):
            return word[len(what) + 1 :]
    return ""


def is_among(profile, key, gpio):
    """Whether the line `key` of a profile names this GPIO."""
    rule = fact(profile, key)
    return rule != "" and pick(rule, gpio) is not None


class _Walk:
    def __init__(self, profile):
        self.profile = profile
        self.problems = []
        self.failed = set()  # the parts of the file with errors
        self.seen = {}  # of `_cross_errors`
        self.kit = None  # what `board` says

    def report(self, level, path, found, allowed, kind=""):
        """Keep a problem, as so few and short texts that a garbled file does not fill the heap.

        `kind`: of the rule. What is inside of lists and objects is not shown, nor what stands where no text belongs
        or under an unknown key: it may be a secret beside its place. `***` stands for a secret, and for an
        address with credentials or a query. What is shown is JSON text, so a line end or an escape sequence cannot
        garble a log.
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
        """The normalized value, or None when it was refused."""
        kind, _, rest = rule.partition(" ")
        size, _, rest = rest.partition(" ")
        good = None
        if kind[:1] == "$":
            rule = "%s (%s %s)" % (choices(self.profile, kind[1:]), fact(self.profile, "name"), kind[1:])
            kind = rule.partition(" ")[0]
        if isinstance(value, str) and value[:7] == "REPLACE":
            rule = "your own value, no placeholder"
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
        """An object of normalized values; what was refused is missing."""
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
                        # What else there has to be depends on it.
                        only = self.problems[before:]
                    continue
            out[key] = value
            # `auto` is also a word of transport, which adds nothing.
            if isinstance(value, str) and "|" in rule and key != "transport":
                lines += rules(value)
        # A limit that is misspelt is no limit.
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
        """What the kit contradicts: (level, key, allowed). A LAN learns its PHY and pins."""
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
    """The sensor with the voltage from which on the ADC cannot tell its pin from the supply."""
    high_mv = float(fact(profile, "adc_max_mv"))
    sensor["high_uv"] = min(high_mv, sensor.get("supply_mv", 1e6) * 0.97) * 1000
    return sensor


def _pin_errors(item, name, profile):
    """What is wrong with a pin that can do what it is for: (level, key, allowed)."""
    gpio = item.get("gpio", -1)
    if item.get("pull", "none") != "none" and is_among(profile, "input_only", gpio):
        allowed = 'one of %s, or pull "none" and a resistor outside'
        yield "error", "gpio", allowed % fact(profile, "outputs")
    for key in _PINS:
        gpio = item.get(key, -1)
        if not is_among(profile, "strapping", gpio) or (name == "led" and is_among(profile, "leds", gpio)):
            continue
        yield "warning", key, "better no strapping pin: it decides how the chip starts"


def _cross_errors(item, name, path, seen, profile):
    """What in an object contradicts the rest of it, or an object before it: (level, key, allowed).

    What was refused is missing. `seen`: what only one may have, with the path of who has it; this object's is added.
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
        yield "error", "portal", "an object, for a button asks for it"
    safe = item.get("safe")
    if isinstance(safe, float) and not item.get("min", safe) <= safe <= item.get("max", safe):
        yield "error", "safe", "off|on|hold|min..max"
    yield from _schedule_errors(item)
    for key, kin in (("sensor", "sensors"), ("toggles", _SWITCHED)):
        if key in item and ("pin_port", kin, item[key]) not in seen:
            yield "error", key, "a pin_port of " + kin
    # The cloud numbers commands and sensors apart.
    commands = "outputs" if name == "update" else "sensors" if path[:8] == "sensors[" else name
    yield from _taken_errors(item, commands, path, seen)
    if path[:8] == "outputs[" and item.get("mode") != "setpoint":
        seen["pin_port", _SWITCHED, item.get("pin_port")] = path


def _schedule_errors(item):
    """What is wrong with a zone, with the schedule of an output, or with one that has no zone."""
    if "zone" in item:
        from firmware.core.zone import parse

        try:
            parse(item["zone"])
        except ValueError:
            yield "error", "zone", "a POSIX TZ rule such as CET-1CEST,M3.5.0,M10.5.0/3"
    for output in item.get("outputs") or ():
        if output and "schedule" in output and "zone" not in (item.get("time") or ()):
            return (yield "error", "time", "zone too, for an output has a schedule")
    low, high = item.get("min", 0.0), item.get("max", 100.0 if "step" in item else 1.0)
    for entry in item.get("schedule") or ():
        value = entry and entry.get("value")
        if value is not None and (not low <= value <= high or (high == 1 and value not in (0, 1))):
            yield "error", "schedule", "values of %s..%s" % (low, high)
    if "schedule" in item and item.get("safe") == "hold":
        yield "error", "schedule", "with safe hold there is none"


def _taken_errors(item, commands, path, seen):
    """What an object before it has already; pins of a bus are shared by those with an address each."""
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
    """What is wrong with the address on a bus, or with a table of points."""
    if item.get("address", "0").lower().strip("0123456789abcdef"):
        yield "error", "address", "16 hexadecimal digits"
    volts = [point[0] for point in item.get("points", ()) if point and None not in point]
    if volts != sorted(set(volts)):
        yield "error", "points", "[volts, value] each, with more volts from one to the next"


def _network_errors(item, name):
    """What is wrong with the country of Wi-Fi, or with a fixed address."""
    country = item.get("country")
    if country and not (country.isalpha() and country.upper() == country):
        yield "error", "country", "two capital letters (ISO 3166-1), such as DE"
    ip, gateway = item.get("ip"), item.get("gateway")
    if not ip:
        for key in ("gateway", "dns"):
            # The name servers of `wifi` and `lan` themselves count for every address.
            if (name == "networks" or (name == "lan" and key == "gateway")) and item.get(key):
                yield "warning", key, "only beside ip; without one DHCP provides it"
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
