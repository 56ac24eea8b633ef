"""How one value of the configuration is checked: a function per kind.

Each takes the parsed JSON value (None when it is missing) and the words of its rule, and returns the normalized value
or raises `ConfigError` with what is allowed. Refuses to mention the value itself: it may be a secret.
"""

from firmware.core.errors import ConfigError
from firmware.core.nouns import Secret

_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_" + _DIGITS


def printable(char):
    """Whether `char` may stand in a log line: no control character, no half of a surrogate pair."""
    code = ord(char)
    return 32 <= code < 127 or 160 <= code < 0xD800 or code > 0xDFFF


def number(value, low, high):
    """Whether `value` is a JSON number in a range. NaN fails every comparison; `true` is no number here, whatever the
    interpreter's isinstance says."""
    known = value is not True and value is not False and isinstance(value, (int, float))
    return known and low <= value <= high


def _num(value, args):
    if not number(value, float(args[0]), float(args[1])):
        raise ConfigError("a number %s..%s" % tuple(args))
    return float(value)


def _int(value, args):
    if not number(value, int(args[0]), int(args[1])) or value != int(value):
        raise ConfigError("a whole number %s..%s" % tuple(args))
    return int(value)


def _text(value, args):
    low, high = int(args[0]), int(args[1])
    good = isinstance(value, str)
    for char in value[: high + 1] if good else "":
        good = good and printable(char)
    if not good or not low <= len(value[: high + 1].encode()) <= high:
        raise ConfigError("%s..%s bytes of text" % tuple(args))
    if value[:7] == "REPLACE":
        raise ConfigError("your own value in place of the placeholder")
    return value


def _secret(value, args):
    return Secret(_text(value, args))


def _psk(value, args):
    return Secret("") if value == "" else _secret(value, args)


def _port(value, args):
    if number(value, 0, 1e15) and value == int(value):
        value = str(int(value))
    return _text(value, args)


def _only(value, chars, words):
    for char in value:
        if char not in chars:
            raise ConfigError(words)
    return value


def _ident(value, args):
    return _only(_port(value, args), _LETTERS, "letters, digits, - and _")


def _word(value, args):
    if value not in args:
        raise ConfigError(", ".join(args))
    return value


def _safe(value, args):
    return float(value) if number(value, -50, 150) else _word(value, args)


def _host(value, _, words="host or host:port"):
    host, colon, port = _text(value, (1, 128)).partition(":")
    _only(host, _LETTERS + ".", words)
    if not host or (colon and not 0 < int("0" + _only(port, _DIGITS, words)) < 65536):
        raise ConfigError(words)
    return value


def _ip(value, _):
    parts = _host(value, _).partition(":")[0].split(".")
    if len(parts) != 4 or [p for p in parts if not p or [c for c in p if c not in _DIGITS] or int(p) > 255]:
        raise ConfigError("an IPv4 address, with :port if need be")
    return value


def _url(value, args):
    if _text(value, args)[:8] != "https://":
        raise ConfigError("https://... (http would show the client secret to anyone on the way)")
    return "https://" + _host(
        value[8:-1] if value[-1] == "/" else value[8:], args, "https://host or https://host:port"
    )


def _many(value, args):
    if not isinstance(value, list) or not int(args[0]) <= len(value) <= int(args[1]):
        raise ConfigError("a list of %s..%s" % tuple(args[:2]))
    return [KINDS[args[2]](item, args[3:]) for item in value]


KINDS = {
    "int": _int,
    "num": _num,
    "text": _text,
    "secret": _secret,
    "psk": _psk,
    "port": _port,
    "ident": _ident,
    "word": _word,
    "variant": _word,
    "safe": _safe,
    "host": _host,
    "ip": _ip,
    "url": _url,
    "many": _many,
}
