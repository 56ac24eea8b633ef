"""The check of the configuration: parsed JSON in, a normalized dict and a list of problems out.

Owns the walk through the tables of `config_rules`; opens no file and drives no pin. It is meant to be imported once at
start and dropped. A problem is `(level, path, found, allowed)`: level "error" or "warning", path such as
`outputs[1].gpio`, what was found as short text (a secret is only ever `***`), and what is allowed in words.
"""

import json
from micropython import const

from firmware.core import config_checks
from firmware.core.config_kinds import KINDS, printable
from firmware.core.config_rules import TABLES
from firmware.core.errors import ConfigError
from firmware.core.nouns import Secret

_MAX_PROBLEMS = const(40)
"""Enough for any honest mistake; a garbled file shall not fill the heap."""


def validate(raw):
    """Check `raw`, any value a JSON parser returned: `(config, problems)`.

    Without an error `config` holds every key, defaults filled in, secrets wrapped in `Secret`. With one it holds only
    `led` and `log`, for saying so: nothing may be switched from a configuration that is partly right.
    """
    walk, out = _Walk(), {}
    walk.field("", "object", [], raw, "", out)
    config = out.get("") or {}
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

    def field(self, key, kind, args, value, path, out):
        """Put the checked `value` into `out`; when it is refused, nothing."""
        if args and args[-1][0] == "=":
            default = json.loads(args.pop()[1:])
            if value is None and default is None:
                out[key] = None
                return
            value = default if value is None else value
        elif value is None and kind in ("word", "safe"):
            value = args[0]
        try:
            if kind == "object":
                out[key] = self._object(value, key, path + "." if path else "")
            elif kind == "list":
                out[key] = self._list(value, args, key, path)
            else:
                out[key] = KINDS[kind](value, args)
        except ConfigError as e:
            self.say("error", path, _masked(key, kind, value), e.args[0])

    def _object(self, raw, name, path):
        if not isinstance(raw, dict):
            raise ConfigError("an object")
        out, known = {}, []
        lines = TABLES[name].split("\n")
        for line in lines:
            key, kind = line.split()[:2]
            known.append(key)
            self.field(key, kind, line.split()[2:], raw.get(key), path + key, out)
            if kind == "variant" and out.get(key) in TABLES:
                lines += TABLES[out[key]].split("\n")
        for key in sorted(raw):
            if key not in known:
                near = [name for name in known if _near(name, key)]
                # Its value is not shown: this may be a secret under a misspelt name.
                self.say(
                    "warning", path + _shown(key)[1:-1], Secret(""), near[0] + "?" if near else "no such key"
                )
        return out

    def _list(self, raw, args, key, path):
        if not isinstance(raw, list) or not int(args[0]) <= len(raw) <= int(args[1]):
            raise ConfigError("a list of %s..%s objects" % tuple(args))
        items = []
        for item in raw:
            out = {}
            self.field(key, "object", [], item, "%s[%d]" % (path, len(items)), out)
            items.append(out.get(key))
        return items


def _masked(key, kind, value):
    """Wrap `value` when a secret may be in it, perhaps because it was put in the wrong place."""
    if value is None or isinstance(value, (dict, list)):
        return value
    # Of an address only credentials and queries are secret.
    secret = isinstance(value, str) and kind == "url" and ("@" in value or "?" in value)
    return (
        Secret("") if secret or key == "client_id" or kind in ("secret", "psk", "object", "list") else value
    )


def _near(a, b):
    """Whether `a` and `b` differ in no more than two characters between a common head and a common tail."""
    least, i, j = min(len(a), len(b)), 0, 0
    while i < least and a[i] == b[i]:
        i += 1
    while j < least - i and a[-1 - j] == b[-1 - j]:
        j += 1
    return i + j > 1 and max(len(a), len(b)) - i - j < 3
