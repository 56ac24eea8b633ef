"""The check of the configuration: parsed JSON in, a normalized dict and a list of problems out.

Owns the walk through the tables of `config_rules`; opens no file and drives no pin. It is meant to be imported once at
start and dropped. A problem is `(level, path, found, allowed)`: level "error" or "warning", path such as
`outputs[1].gpio`, what was found as short text (a secret is only ever `***`), and what is allowed in words.
"""

from micropython import const

from firmware.core import config_checks
from firmware.core.config_kinds import KINDS, printable
from firmware.core.config_rules import TOP
from firmware.core.errors import ConfigError
from firmware.core.secret import Secret

_MAX_PROBLEMS = const(40)
"""Enough for any honest mistake; a garbled file shall not fill the heap."""


def validate(raw):
    """Check `raw`, any value a JSON parser returned: `(config, problems)`.

    Without an error `config` holds every key, defaults filled in, secrets wrapped in `Secret`. With one it holds only
    `led` and `log`, for saying so: nothing may be switched from a configuration that is partly right.
    """
    walk = _Walk()
    config = walk.item(raw, TOP, "") or {}
    config_checks.check(config, walk.say)
    if walk.failed:
        led = None if "led" in walk.failed else config.get("led")
        config = {"led": led, "log": {"level": (config.get("log") or {}).get("level", "info")}}
    return config, walk.problems


def render(problem):
    """One line of text for a problem."""
    return "%s: %s: found %s, allowed: %s" % problem


def _shown(value):
    """`value` as short text. What is inside of lists and objects stays out of it: it may be a secret."""
    if isinstance(value, str):
        return '"%s"' % "".join([c if printable(c) else "?" for c in value[:40]])
    if isinstance(value, (dict, list)):
        return "a list" if isinstance(value, list) else "an object"
    return "nothing" if value is None else str(value).lower()[:40]


class _Walk:
    def __init__(self):
        self.problems = []
        self.failed = set()  # the top-level keys with errors

    def say(self, level, path, found, allowed):
        if level == "error":
            self.failed.add(path.split(".")[0])
        if len(self.problems) < _MAX_PROBLEMS:
            self.problems.append((level, path or "the whole file", _shown(found), allowed))

    def item(self, raw, table, path):
        """`raw` as a whole by `table`, None when it is no object."""
        out = {}
        self._field(("", "object", table, None), {"": raw}, path, out)
        return out.get("")

    def _object(self, raw, table, path):
        """`raw` by `table`. A field that was refused is missing from the result."""
        if not isinstance(raw, dict):
            raise ConfigError("an object")
        rules, variant_key, variants = table
        variant = raw.get(variant_key)
        if variants and isinstance(variant, str):
            rules += variants.get(variant, ())
        out = {}
        for rule in rules:
            self._field(rule, raw, path + rule[0], out)
        known = [rule[0] for rule in rules]
        for key in sorted(raw):
            if key not in known:
                # Its value is not shown: this may be a secret under a misspelt name.
                self.say("warning", path + _shown(key)[1:-1], Secret(""), _advice(key, known))
        return out

    def _field(self, rule, raw, path, out):
        key, kind, a, b = rule[:4]
        value = raw.get(key, rule[4] if len(rule) > 4 else None)
        try:
            if value is None and len(rule) > 4 and rule[4] is None:
                out[key] = None
            elif kind == "object":
                out[key] = self._object(value, a, path + "." if path else "")
            elif kind == "list":
                out[key] = self._list(value, a, b, path)
            else:
                out[key] = KINDS[kind](value, a, b)
        except ConfigError as e:
            self.say("error", path, _mask(kind, value), e.args[0])

    def _list(self, raw, table, bounds, path):
        if not isinstance(raw, list) or not bounds[0] <= len(raw) <= bounds[1]:
            raise ConfigError("a list of %d..%d objects" % bounds)
        return [self.item(item, table, "%s[%d]" % (path, i)) for i, item in enumerate(raw)]


def _mask(kind, value):
    """Wrap `value` when a secret may be in it, perhaps because it was put in the wrong place."""
    if value is None or isinstance(value, (dict, list)):
        return value
    # Of an address only credentials and queries are secret.
    secret = "@" in value or "?" in value if kind == "url" and isinstance(value, str) else False
    return Secret("") if secret or kind in ("secret", "psk", "key", "object", "list") else value


def _advice(key, known):
    distance, best = min([(_distance(key[:24], name), name) for name in known])
    return "only known keys; %s?" % best if distance <= 2 else "only known keys: it is ignored"


def _distance(a, b):
    """Edits (insert, delete, replace) that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, char in enumerate(a):
        last = row[0]
        row[0] = i + 1
        for j in range(len(b)):
            kept = last if char == b[j] else last + 1
            last = row[j + 1]
            row[j + 1] = min(kept, last + 1, row[j] + 1)
    return row[len(b)]
