"""Check a single value against a rule of the configuration (see config_rules).

`config` applies the rules to the keys of the configuration and checks the constraints between them.
"""

from firmware.core.models import Secret


def pick(rule, value):
    """Return `value`, a word or number, if an alternative of `rule` allows it, else None. NaN is in no range; `true` is
    not a number."""
    for word in rule.split("|"):
        if word in ("false", "true"):
            if value is (word == "true"):
                return value
        elif word > ":":
            if value == word:
                return word
        elif type(value) in (int, float):
            low, _, high = word.partition("..")
            if float(low) <= value <= float(high or low) and ("." in low or value == int(value)):
                return float(value) if "." in low else int(value)
    return None


_NAME = b"abcdefghijklmnopqrstuvwxyz0123456789-_"


def text(kind, size, value):
    """Return the text, if it has `size` bytes, no control characters, and is valid for its `kind`, else None."""
    if kind in "port id" and type(value) is int and value >= 0:
        value = str(value)
    if not isinstance(value, str):
        return None
    try:
        data = value.encode()
    except ValueError:
        return None  # an unpaired surrogate
    if pick(size, len(data)) is None or min(data + b" ") < 32 or (kind == "id" and data.lower().strip(_NAME)):
        return None
    if kind == "mac":
        value = value.lower()
        fits = [len(part) == 2 and not part.strip("0123456789abcdef") for part in value.split(":")]
        return value if fits == [True] * 6 else None
    if kind == "ip":
        return _address("ip[:port]", data) if b":" not in data else None
    if "[" in kind:
        return _address(kind, data.rstrip(b"/"))
    if kind[:6] != "secret":
        return value
    if kind[6:] and len(data) == 64 and data.lower().strip(b"0123456789abcdef"):
        return None  # IEEE 802.11, J.4: up to 63 characters are a passphrase, 64 hex digits are the key
    return Secret(value)


def _address(kind, data):
    """Return `data` as str if it is an address of the form `kind`, else None."""
    head = kind[:-11].encode()  # the part before host[:port]: https:// or nothing
    rest = data[len(head) :]
    host, colon, port = rest.partition(b":")
    labels = host.split(b".")
    bytewise = [part.isdigit() and int(part) < 256 for part in labels]
    if (
        head + rest == data
        and min(labels)
        and not host.lower().strip(_NAME + b".")
        and (not colon or (port.isdigit() and 0 < int(port) < 65536))
        and (kind[:1] != "i" or bytewise == [True] * 4)
    ):
        return data.decode()
    return None
