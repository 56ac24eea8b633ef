"""Explains what is wrong with a configuration, from what the device reports and what the owner wrote.

The device has no memory for such texts. Of the file they repeat only keys, words that the rules know, ports and names
of outputs and sensors, and addresses without credentials: anything else may be a secret.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Callable
from typing import Any

from tools import boards
from tools.boards import Board
from tools.cli import time_zones

Rules = Callable[[str], list[str]]

_KINDS = {
    "text": "{} bytes of text",
    "secret": "{} bytes of text",
    "secret-wpa": "{} bytes of text",
    "port": "{} bytes of text, or a whole number",
    "id": "{} letters, digits, - and _",
    "ip": "an address such as 192.168.1.20",
    "mac": "the address of a radio, such as 24:0a:c4:00:00:01",
    "list": "a list of {}, in square brackets",
    "object": "an object, in braces",
}
_LOW = '"active": "low"'
_MEANT = {
    "config": {
        "ntp": "time",
        "network": "wifi",
        "wlan": "wifi",
        "lights": "outputs",
        "thermostats": "outputs",
    }
    | dict.fromkeys(("relays", "relay", "switches"), "outputs")
    | {"realer": "cloud", "leds": "led", "ota": "update"},
    "schedule": dict.fromkeys(("at", "time", "start", "from", "begin"), '"hour": 6, "minute": 30')
    | dict.fromkeys(("set", "setpoint", "temperature", "state", "target"), "value")
    | {"day": "days", "weekday": "days", "weekdays": "days"},
    "outputs": dict.fromkeys(("inverted", "invert", "inverse", "active_low", "low_active", "low_level"), _LOW)
    | {"active_high": '"active": "high"', "pin": "gpio", "port": "pin_port", "type": "mode", "label": "name"}
    | dict.fromkeys(("default", "initial", "default_state", "initial_state", "power_on", "on_boot"), "boot")
    | dict.fromkeys(("failsafe", "fail_safe", "safe_state", "on_error"), "safe"),
    "sensors": {"pin": "gpio", "port": "pin_port", "type": "kind", "label": "name", "interval": "period_s"}
    | dict.fromkeys(("resistor", "r_ohm", "r0", "series_ohm"), "divider_ohm")
    | dict.fromkeys(("offset", "calibration", "offset_f"), "offset_c"),
    "buttons": dict.fromkeys(("inverted", "invert", "active_high"), '"active": "high"')
    | {"active_low": _LOW, "pin": "gpio", "pullup": '"pull": "up"', "pulldown": '"pull": "down"'}
    | {"output": "toggles", "debounce": "debounce_ms", "pull_up": '"pull": "up"'},
    "led": dict.fromkeys(("inverted", "invert", "active_low"), _LOW) | {"pin": "gpio"},
    "wifi": dict.fromkeys(("ssid", "password", "psk", "pass"), '"networks": [{"ssid": …, "password": …}]')
    | {key: f'"networks": [{{…, "{key}": …}}]' for key in ("bssid", "ip", "netmask", "gateway")},
    "networks": dict.fromkeys(("psk", "pass", "pwd", "wpa", "key", "secret", "passphrase"), "password")
    | dict.fromkeys(("address", "static_ip", "fixed_ip", "ip_address"), "ip")
    | {"name": "ssid"}
    | dict.fromkeys(("mask", "subnet", "subnet_mask"), "netmask")
    | dict.fromkeys(("router", "gw"), "gateway")
    | dict.fromkeys(("mac", "access_point", "ap"), "bssid")
    | {"nameserver": "dns", "dns_server": "dns"},
    "cloud": {"url": "base_url", "server": "base_url", "secret": "client_secret", "id": "device_id"}
    | {"interval": "poll_s", "poll": "poll_s", "ca_file": "ca_files"},
}
"""Section -> what people call a key -> what it is called here, or what to write instead."""
_TAKEN = "none of "


def found_in_words(found: str, allowed: str, value: Any) -> str:
    """What the device says to have `found`; of a list that is too short or too long also its length."""
    return f"a list of {len(value)}" if isinstance(value, list) and allowed.startswith("list ") else found


def in_words(
    path: str, found: str, allowed: str, rules: Rules, raw: Any = None, board: Board | None = None
) -> str:
    """What the device says to be `allowed`, for people. `raw`: the whole configuration, `board`: what it is for."""
    key = path.rpartition(".")[2]
    if board and (f" ({board.name} " in allowed or allowed.startswith(_TAKEN)):
        return _of_chip(allowed, key, at(raw, path), board)
    if allowed == "no such key":
        return f"{allowed}{_meant(path, rules)}"
    kind, size, _ = f"{allowed}  ".split(" ", 2)
    value = at(raw, path)
    if hint := _of_others(path, allowed, raw, value):
        return f"{allowed}{hint}"
    if kind in _KINDS and (size[:1].isdigit() or not size):
        words = _KINDS[kind].format(size.replace("|", " or "))
    elif re.fullmatch(r"\d+\.\.\d+", kind):
        words = f"a whole number, {allowed}"
    else:
        words = allowed.replace("|", ", ")
    return words + (_hint(key, kind, allowed, value) or _called(path, raw))


def _of_others(path: str, allowed: str, raw: Any, value: Any) -> str:
    """What more there is to say about a value that has to fit others, or nothing."""
    parent = path.rpartition(".")[0]
    if allowed.endswith(f" not that of {parent}"):
        return ", which needs two"
    if (what := re.match(r"a pin_port of (outputs|sensors)", allowed)) and isinstance(raw, dict):
        items = [item for item in raw.get(what[1]) or () if isinstance(item, dict) and "pin_port" in item]
        there = [
            json.dumps(f"{item['pin_port']} ({item.get('name', 'unnamed')})", ensure_ascii=False)[1:-1]
            for item in items
            if what[1] == "sensors" or item.get("mode") != "setpoint"
        ]
        return f": {', '.join(there)}" if there else ""
    if limits := re.fullmatch(r"values of (\S+)\.\.(\S+)", allowed):
        for i, entry in enumerate(at(raw, path)):
            if not float(limits[1]) <= entry["value"] <= float(limits[2]):
                return f", but that of schedule[{i}] is {entry['value']}"
    if (
        ".schedule[" in path
        and path.endswith(".value")
        and (value in ("on", "off") or isinstance(value, bool))
    ):
        setpoint = at(raw, path.partition(".")[0] + ".mode") == "setpoint"
        return "; a temperature" if setpoint else "; 1 for on, 0 for off"
    return ""


def _called(path: str, raw: Any) -> str:
    """What the key that is missing at `path` is called there, or nothing."""
    parent, _, key = path.rpartition(".")
    item = at(raw, parent) if parent else raw
    if isinstance(item, dict) and item.get(key) is None:
        for other in item:
            if other != key and other.lower().replace("-", "_").strip() == key:
                return f"; the key is {key}, not {other}"
    return ""


def _of_chip(allowed: str, key: str, value: Any, board: Board) -> str:
    """What is wrong with a value that depends on the chip, and what would do."""
    if key == "board":
        names = "|".join(boards.every_name())
        return f"{names.replace('|', ', ')}{_spelling(names, value)}; without it the chip is asked"
    if allowed.startswith(_TAKEN):
        whose = board.kit.name if board.kit and value in board.kit.taken else f"an {board.name} with PSRAM"
        free = boards.spans(board.offered("outputs"))
        return f"GPIO {value} of {whose} is connected to a chip on the board itself; outputs: {free}"
    kind = re.search(r" (\w+)\)$", allowed)[1]  # type: ignore[index]
    words = {"analog": "inputs of ADC1", "inputs": "inputs", "outputs": "outputs"}[kind]
    would_do = f"{words}: {boards.spans(board.offered(kind))}"
    if isinstance(value, str) and value.isdigit():
        return f"the number of a GPIO, without quotation marks; {would_do}"
    if isinstance(value, str):
        where = board.kit.name if board.kit else f"an {board.name}; board can name a kit"
        return f"the number of a GPIO, or what is printed beside it on {where}; {would_do}"
    if type(value) is not int:
        return f"the number of a GPIO; {would_do}"
    use = board.use(value)
    if use == "not there":
        return f"GPIO {value} does not exist on an {board.name}; {would_do}"
    if use:
        return f"GPIO {value} is {_USED[use]} of an {board.name}; {would_do}"
    if kind == "analog":
        why = (
            "belongs to ADC2, which does not work while Wi-Fi is on"
            if value in board.gpios("adc2")
            else "has no ADC"
        )
        return f"GPIO {value} of an {board.name} {why}; {would_do}"
    return f"GPIO {value} of an {board.name} is an input only; {would_do}"


_USED = {"flash chip": "wired to the flash chip", "USB": "the USB port", "console": "the console"}


def _hint(key: str, kind: str, allowed: str, value: Any) -> str:
    """What more there is to say about a value that is refused, or nothing."""
    if isinstance(value, str):
        return _spelling(kind, value) or _of_text(key, kind, allowed, value)
    if type(value) in (int, float) and kind in ("text", "secret", "secret-wpa"):
        return "; in double quotation marks"
    if isinstance(value, bool) and "off" in kind.split("|"):
        return f'; "{"on" if value else "off"}", in double quotation marks'
    if isinstance(value, dict) and kind == "list":
        inner = value and all(isinstance(item, dict) for item in value.values())
        return "; put square brackets around the braces" + (", and leave out the names" if inner else "")
    return ""


def _of_text(key: str, kind: str, allowed: str, value: str) -> str:
    if kind == "secret-wpa" and len(value.encode(errors="replace")) == 64:
        return "; 64 characters are interpreted as the key itself, in hexadecimal digits"
    if "host[:port]" in allowed:
        return _address(kind, value)
    if key == "zone":
        return _zone(value)
    if kind == "text" and len(value.encode(errors="replace")) > len(value) > 0:
        return f"; it has {len(value.encode(errors='replace'))}: letters such as ä take 2 or more"
    if kind == "id" and key == "address":
        return "; hexadecimal digits alone, as realer doctor shows them"
    if kind.startswith("ip"):
        return "; an address, not a name"
    numeric = kind[:1].isdigit() or re.search(r"(^|\|)-?\d", kind)
    if (numeric and _number(value)) or (value in ("true", "false") and value in kind.split("|")):
        return "; without quotation marks"
    if numeric and re.fullmatch(r"0[xX][0-9a-fA-F]{1,8}", value):
        return f"; in decimal and without quotation marks: {int(value, 16)}"
    if numeric and re.match(r"[-+]?\d", value):
        return "; only the number, with a decimal point, without unit and quotation marks"
    return "; other sensors are not read" if key == "kind" else ""


def _spelling(kind: str, value: Any) -> str:
    """What is wrong with a text that would do if it were written in another way."""
    if not isinstance(value, str):
        return ""
    if min(value.encode(errors="replace"), default=32) < 32:
        return "; it contains a tab, a line end or another control character"
    if value.strip() != value and value.strip():
        return "; it begins or ends with a space"
    small = value.lower()
    scheme = kind.partition("://")[0] + "://"
    if small != value and (small in kind.split("|") or (scheme in kind and small.startswith(scheme))):
        return "; in lower case"
    return ""


def _address(kind: str, value: str) -> str:
    scheme, slashes, rest = re.fullmatch(r"(?s)(?:([a-zA-Z]*):(?!\d))?(/*)(.*)", value).groups()  # type: ignore[union-attr]
    host = rest.partition("/")[0]
    if "@" in rest or "?" in rest:
        return "; without user, password and query"
    if not re.fullmatch(r"[a-zA-Z0-9._-]+(:\d+)?", host):
        return ""
    if not kind.startswith("https://"):
        return f"; only the name: {host}" if slashes else f"; without a path: {host}" if host != rest else ""
    if (scheme or "").lower() in ("mqtt", "mqtts", "ws", "wss"):
        return "; the address of the API: which broker there is, the cloud says itself"
    if scheme != "https" or slashes != "//":
        return f"; with https:// in front: https://{host}"
    return f"; without a path: https://{host}" if host != rest else ""


def _zone(value: str) -> str:
    if shift := re.fullmatch(r"(?i)(?:utc|gmt)?\s*([-+])(\d\d?)(?::?(\d\d))?", value):
        sign, hours, minutes = shift.groups()
        east = f"{'-' if sign == '+' else ''}{int(hours)}" + (
            f":{minutes}" if minutes not in (None, "00") else ""
        )
        return f"; for that: <{sign}{hours:0>2}>{east}"
    rule = time_zones.rule(value)
    return f"; for {value}: {rule}" if rule != value else ""


def _number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def at(raw: Any, path: str) -> Any:
    """The value at a path such as `outputs[1].gpio`; None when there is none."""
    for name, number in re.findall(r"([^.\[\]]+)|\[(\d+)\]", path):
        try:
            raw = raw[name or int(number)]
        except (KeyError, IndexError, TypeError):
            return None
    return raw


def section_of(path: str) -> str:
    """The section of the rules in which the object that has the key at `path` is described."""
    parent = path.rpartition(".")[0]
    return parent.rpartition(".")[2].partition("[")[0] or "config"


def _meant(path: str, rules: Rules) -> str:
    """What the unknown key at `path` may have meant: text to put behind "no such key", or nothing."""
    key, section = path.rpartition(".")[2], section_of(path)
    known = {}
    for line in rules(section):
        chooser, words = line.split(" ")[:2]
        known[chooser] = ""
        for word in words.split("|"):
            for extra in rules(word):
                known.setdefault(extra.split(" ")[0], f" without {chooser} {json.dumps(word)}")
    if key in known:
        return known[key]
    meant = _MEANT.get(section, {}).get(key.lower())
    if meant:
        return f"; write {meant}" if meant[0] == '"' else f"; {meant}?"
    near = difflib.get_close_matches(key.lower(), known, n=1, cutoff=0.7)
    if near:
        return f"; {near[0]}?"
    homes = _homes(rules, "config", "").get(key, ())
    places = [f"in {home}" if home else "at the top, beside wifi and cloud" for home in homes]
    return f"; it belongs {' or '.join(places)}" if 0 < len(places) < 3 else ""


def _homes(rules: Rules, section: str, path: str) -> dict[str, list[str]]:
    """Key -> paths of the objects that may have it."""
    found: dict[str, list[str]] = {}
    for line in rules(section):
        key, *rule = line.split(" ")
        extra = [more for word in rule[0].split("|") for more in rules(word)] if rule[0] != "object" else []
        for name in {key, *(more.split(" ")[0] for more in extra)}:
            found.setdefault(name, []).append(path)
        if "object" in rule:
            inner = f"{path and path + '.'}{key}{'[]' if rule[0] == 'list' else ''}"
            for name, places in _homes(rules, key, inner).items():
                found.setdefault(name, []).extend(places)
    return {name: sorted(set(places)) for name, places in found.items()}
