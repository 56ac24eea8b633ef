"""How one value of the configuration is checked: a function per kind.

Each takes the parsed JSON value (None when it is missing) and the two arguments of its rule, and returns the normalized
value or raises `ConfigError` with what is allowed, in words. Refuses to mention the value itself: it may be a secret.
"""

from firmware.core.errors import ConfigError
from firmware.core.secret import Secret

_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-" + _DIGITS


def printable(char):
    """Whether `char` may stand in a log line: no control character, no half of a surrogate pair."""
    code = ord(char)
    return 32 <= code < 127 or 160 <= code < 0xD800 or code > 0xDFFF


def _in_range(value, low, high):
    # `true` is no number, whatever the interpreter's isinstance says; NaN fails every comparison.
    known = value is not True and value is not False and isinstance(value, (int, float))
    return known and low <= value <= high


def _num(value, low, high):
    if _in_range(value, low, high):
        return float(value)
    raise ConfigError("a number %g..%g" % (low, high))


def _int(value, low, high):
    if _in_range(value, low, high) and value == int(value):
        return int(value)
    raise ConfigError("a whole number %d..%d" % (low, high))


def _only(value, chars, words):
    for char in value:
        if char not in chars:
            raise ConfigError(words)
    return value


def _bad_text(value, low, high):
    if not isinstance(value, str):
        return True
    for char in value[: high + 1]:
        if not printable(char):
            return True
    return not low <= len(value[: high + 1].encode()) <= high


def _text(value, low, high):
    if isinstance(value, str) and value[:7] == "REPLACE":
        raise ConfigError("your own value in place of the placeholder")
    if _bad_text(value, low, high):
        raise ConfigError("%d..%d bytes of text, no control characters" % (low, high))
    return value


def _secret(value, low, high):
    return Secret(_text(value, low, high))


def _psk(value, low, high):
    return Secret("") if value == "" else _secret(value, low, high)


def _port(value, low, high):
    if _in_range(value, 0, 1e15) and value == int(value):
        value = str(int(value))
    return _text(value, low, high)


def _ident(value, low, high):
    return _only(_port(value, low, high), _LETTERS + "_", "letters, digits, - and _")


def _word(value, words, _):
    if isinstance(value, str) and value in words.split():
        return value
    raise ConfigError("one of: " + words)


def _safe(value, words, _):
    if _in_range(value, -50, 150):
        return float(value)
    return _word(value, words, None)


def _hostname(value, low, high):
    return _only(_text(value, low, high), _LETTERS, "letters, digits and -")


def _host(value, _low, _high, chars=_LETTERS + "."):
    words = "host or host:port"
    host, colon, port = _text(value, 1, 128).partition(":")
    _only(host, chars, words)
    _only(port, _DIGITS, words)
    if not host or (colon and not 0 < int("0" + port) < 65536):
        raise ConfigError(words)
    return value


def _ip(value, _low, _high):
    parts = _host(value, 0, 0, _DIGITS + ".").partition(":")[0].split(".")
    if len(parts) != 4 or [p for p in parts if not p or int(p) > 255]:
        raise ConfigError("an IPv4 address, with :port if need be")
    return value


def _url(value, low, high):
    _text(value, low, high)
    if value[:8] != "https://":
        raise ConfigError("https://... (http would show the client secret to anyone on the way)")
    try:
        return "https://" + _host(value[8:-1] if value[-1] == "/" else value[8:], 0, 0)
    except ConfigError:
        raise ConfigError("https://host or https://host:port, without path, query or credentials")


def _many(value, rule, bounds):
    if not isinstance(value, list) or not bounds[0] <= len(value) <= bounds[1]:
        raise ConfigError("a list of %d..%d" % bounds)
    return [KINDS[rule[0]](item, rule[1], rule[2]) for item in value]


KINDS = {
    "int": _int,
    "num": _num,
    "text": _text,
    "secret": _secret,
    "psk": _psk,
    "port": _port,
    "ident": _ident,
    "key": _ident,
    "word": _word,
    "safe": _safe,
    "hostname": _hostname,
    "host": _host,
    "ip": _ip,
    "url": _url,
    "many": _many,
}
