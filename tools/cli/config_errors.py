"""Explains what is wrong with a configuration, from what the device reports and what the owner wrote.

The device has no memory for such texts. Of the file they repeat only keys, words that the rules know, and addresses
without credentials: anything else may be a secret.
"""

from __future__ import annotations

import difflib
import json
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from tools import boards
from tools.boards import Board

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
    "networks": dict.fromkeys(("psk", "pass", "key", "passphrase"), "password")
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
_SMART = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb\u2033\uff02\u00b4`"
_INSTEAD = (
    (r"(?i)(none|nil|undefined)\b", "JSON has null, in lower case"),
    (r"(?i)(true|yes)\b", "JSON has true, in lower case"),
    (r"(?i)(false|no)\b", "JSON has false, in lower case"),
    (r"[^\W\d]", "keys and texts need double quotation marks, numbers have no unit"),
    (r"[-+.\d]*;", "a comma stands between two items"),
    (r"[-+.]?\d", "a number has digits only, a decimal point and no unit"),
    ("=", "a colon stands between a key and its value"),
    ("<", "this is a web page"),
)
"""What stands where JSON has something else -> what belongs there."""


def syntax(data: bytes, at: int, words: str) -> str:
    """What is wrong where the text of a file is no JSON. `words`: what the device says."""
    text = data[at:].decode(errors="replace")
    line = data[data.rfind(b"\n", 0, at) + 1 :].split(b"\n", 1)[0].decode(errors="replace")
    if "within a text" in words:
        if any(mark in line for mark in _SMART):
            return f"{words}: typographic quotation marks do not end a text; use straight double ones"
        if text[:1] == "\t":
            return "a tab within a text; write it as \\t"
        return 'a line ends within a text: is the closing quotation mark " missing?'
    if text and text[0] in _SMART:
        return f"{words}: these are typographic quotation marks; use straight double ones"
    if text[:1] == "'":
        return f"{words}: texts need double quotation marks, not single ones"
    if text[:1] in ("/", "#"):
        return f"{words} (JSON has no comments)"
    if text and unicodedata.category(text[0])[0] in "ZC":
        return f"an invisible character (U+{ord(text[0]):04X}), as in text copied from a web page; delete it"
    if any(what in words for what in ("a value", "a key", "valid number")):
        for pattern, right in _INSTEAD:
            if re.match(pattern, text):
                return f"{words}: {right}"
    return words


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
    if kind in _KINDS and (size[:1].isdigit() or not size):
        words = _KINDS[kind].format(size.replace("|", " or "))
    elif re.fullmatch(r"\d+\.\.\d+", kind):
        words = f"a whole number, {allowed}"
    else:
        words = allowed.replace("|", ", ")
    return words + _hint(key, kind, allowed, value)


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
        return "; put square brackets around the braces"
    return ""


def _of_text(key: str, kind: str, allowed: str, value: str) -> str:
    if kind == "secret-wpa" and len(value.encode(errors="replace")) == 64:
        return "; 64 characters are interpreted as the key itself, in hexadecimal digits"
    if "host[:port]" in allowed:
        return _address(kind, value)
    if kind.startswith("ip"):
        return "; an address, not a name"
    numeric = kind[:1].isdigit() or re.search(r"(^|\|)-?\d", kind)
    if (numeric and _number(value)) or (value in ("true", "false") and value in kind.split("|")):
        return "; without quotation marks"
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
    scheme, _, rest = value.rpartition("://")
    host, slash, _ = rest.partition("/")
    if "@" in rest or "?" in rest:
        return "; without user, password and query"
    if kind.startswith("https://") and scheme.lower() == "http":
        return ""
    if kind.startswith("https://") and not scheme:
        return f"; with https:// in front: https://{host}"
    if scheme and not kind.startswith("https://"):
        return f"; only the name: {host}"
    return f"; without a path: {scheme}://{host}".replace(" ://", " ") if slash else ""


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
    return f"; {near[0]}?" if near else ""
