"""The JSON Schema of config.json, made of the device's own rules: editors complete and check the file with it.

What one part of the file demands of another (`firmware/core/config.py`) has no place in a schema: `realer check_config`
says that. Draft 2019-09 (json-schema.org), for `unevaluatedProperties`.
"""

from __future__ import annotations

import json
from typing import Any

from firmware.core.config import rules
from tools import boards
from tools.repository import ROOT

PATH = ROOT / "docs/config.schema.json"
_ADDRESS = "[A-Za-z0-9._-]+(:[0-9]{1,5})?"
_PATTERNS = {
    "id": "^[A-Za-z0-9_-]+$",
    "ip": r"^([0-9]{1,3}\.){3}[0-9]{1,3}$",
    "ip[:port]": r"^([0-9]{1,3}\.){3}[0-9]{1,3}(:[0-9]{1,5})?$",
    "host[:port]": f"^{_ADDRESS}$",
    "https://host[:port]": f"^https://{_ADDRESS}/?$",
    "mac": "^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$",
}


def schema() -> dict[str, Any]:
    """The schema of the whole file, with each section of the rules in `$defs`."""
    head = {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "title": "config.json of the Realer device firmware",
        "description": "Every key is described in docs/configuration.md.",
    }
    defs: dict[str, Any] = {}
    return head | _section("config", True, defs) | {"$defs": defs}


def _ref(name: str, closed: bool, defs: dict[str, Any]) -> dict[str, Any]:
    name = next(
        (known for known in defs if rules(known) == rules(name)), name
    )  # as the Realer clouds are alike
    if name not in defs:
        defs[name] = _section(name, closed, defs)
    return {"$ref": f"#/$defs/{name}"}


def _section(name: str, closed: bool, defs: dict[str, Any]) -> dict[str, Any]:
    """An object whose keys are the lines of that section of the rules. `closed`: it has no others."""
    properties: dict[str, Any] = {}
    required, depending = [], []
    for line in rules(name):
        rule, _, default = line.partition(" =")
        key, _, rule = rule.partition(" ")
        value = _value(rule, key, defs)
        first = rule.split("|")[0] if rule > ":" and " " not in rule else ""
        if default or first:
            value = _or_null(value)
            if default not in ("", "none", "null"):
                value["default"] = json.loads(default)
            elif not default:
                value["default"] = first
        else:
            required.append(key)
        properties[key] = value
        if "|" in rule and key != "transport":
            preset = json.loads(default) if default.startswith('"') else first
            depending += [_depending(key, word, word == preset, defs) for word in _words(rule) if rules(word)]
    found: dict[str, Any] = {"type": "object", "properties": properties}
    if required:
        found["required"] = required
    if depending:
        found["allOf"] = depending
    if closed:
        # Elsewhere an unknown key is a warning; a limit that is misspelt is no limit.
        found["unevaluatedProperties"] = False
    return found


def _or_null(value: dict[str, Any]) -> dict[str, Any]:
    """What is null counts as left out."""
    if "enum" in value:
        return {"enum": [*value["enum"], None]}
    if "type" in value:
        return value | {"type": [value["type"], "null"]}
    return {"anyOf": [*value.get("anyOf", [value]), {"type": "null"}]}


def _depending(key: str, word: str, preset: bool, defs: dict[str, Any]) -> dict[str, Any]:
    """What an object has besides where `key` is that word; `preset`: also where it is left out."""
    chosen: dict[str, Any] = {"properties": {key: {"enum": [word, None] if preset else [word]}}}
    if not preset:
        chosen["required"] = [key]
    return {"if": chosen, "then": _ref(word, False, defs)}


def _words(rule: str) -> list[str]:
    return [
        word
        for word in rule.split(" ", maxsplit=1)[0].split("|")
        if word > ":" and word not in ("false", "true")
    ]


def _value(rule: str, key: str, defs: dict[str, Any]) -> dict[str, Any]:
    """The schema of one value under its rule (see firmware/core/config_rules.py)."""
    kind, _, rest = rule.partition(" ")
    size, _, rest = rest.partition(" ")
    if kind == "$boards":
        return {"enum": boards.every_name()}
    if kind[:1] == "$":
        # Of any chip; in a file on a computer also what is printed beside the pin.
        gpios = frozenset.union(*(board.gpios(kind[1:]) for board in boards.chips().values()))
        return {"anyOf": [{"type": "integer", "minimum": 0, "maximum": max(gpios)}, {"type": "string"}]}
    if kind == "object":
        return _ref(key, True, defs)
    if kind == "list":
        least, _, most = size.partition("..")
        found: dict[str, Any] = {"type": "array", "items": _value(rest, key, defs)}
        found |= {"minItems": int(least)} if int(least) else {}
        return found | {"maxItems": int(most or least)}
    if size[:1].isdigit():
        return _text(kind, size)
    return _choice(kind)


def _text(kind: str, size: str) -> dict[str, Any]:
    """The sizes of the rules are bytes; characters are as many or fewer."""
    alternatives = [part.partition("..") for part in size.split("|")]
    lengths = [int(number) for low, _, high in alternatives for number in (low, high) if number]
    least = 1 if len(alternatives) > 1 or kind in ("text", "port") else min(lengths)
    found: dict[str, Any] = {"type": "string"}
    if kind in _PATTERNS:
        found["pattern"] = _PATTERNS[kind]
    if kind not in ("ip", "ip[:port]", "mac"):  # whose patterns set the length, too
        found |= {"minLength": least} if min(lengths) else {}
        found["maxLength"] = max(lengths)
    return {"anyOf": [found, {"type": "integer", "minimum": 0}]} if kind in ("port", "id") else found


def _choice(rule: str) -> dict[str, Any]:
    """One of the words, `true` and `false` among them, and numbers in ranges."""
    found: list[dict[str, Any]] = []
    constants: list[Any] = [
        *_words(rule),
        *(word == "true" for word in rule.split("|") if word in ("false", "true")),
    ]
    if constants:
        found.append({"enum": constants})
    for word in rule.split("|"):
        if word < ":":
            low, _, high = word.partition("..")
            # A whole number unless the low end has a decimal point; 5.0 is one to a schema, too.
            number = float if "." in low else int
            limits = {"minimum": number(float(low)), "maximum": number(float(high or low))}
            found.append({"type": "number" if "." in low else "integer"} | limits)
    return found[0] if len(found) == 1 else {"anyOf": found}


def text() -> str:
    """The file; `realer package --write` writes it."""
    return _written(schema(), "", 0) + "\n"


def _written(value: Any, indent: str, before: int) -> str:
    """JSON in which what fits is one line: a property, mostly. `before`: how many characters the line has already."""
    line = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, dict | list) or before + len(line) < 110:
        return line
    deeper = indent + "  "
    names = [f"{json.dumps(key)}: " for key in value] if isinstance(value, dict) else [""] * len(value)
    members = value.values() if isinstance(value, dict) else value
    rows = [
        f"\n{deeper}{name}{_written(member, deeper, len(deeper + name))}"
        for name, member in zip(names, members, strict=True)
    ]
    return f"{line[0]}{','.join(rows)}\n{indent}{line[-1]}"
