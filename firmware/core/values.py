"""Whether one value is what a rule of the configuration asks for (see config_rules).

It knows no key; what a place in the configuration holds, and what its parts demand of each other, is for
`config`.
"""

from firmware.core.models import Secret


def pick(rule, value):
    """The word or number that the alternatives of `rule` allow, or None. NaN is in no range, and `true` no number."""
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
    """The text, if it has `size` bytes, no control characters, and what its `kind` asks for, or None."""
    if kind in "port id" and type(value) is int and value >= 0:
        value = str(value)
    if not isinstance(value, str):
        return None
    try:
        data = value.encode()
    except ValueError:
        return None  # half of a surrogate pair
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
        return None  # IEEE 802.11, J.4: up to 63 characters are a passphrase, 64 are the key in hex digits
    return Secret(value)


def _address(kind, data):
    """`data` as text if it is an address as `kind` shows it, or None."""
    head = kind[:-11].encode()  # what is before host[:port]: https:// or nothing
    rest = data[len(head) :]
    host, colon, port = rest.partition(b":")
    bytewise = [part.isdigit() and int(part) < 256 for part in host.split(b".")]
    if (
        head + rest == data
        and host
        and not host.lower().strip(_NAME + b".")
        and (not colon or (port.isdigit() and 0 < int(port) < 65536))
        and (kind[:1] != "i" or bytewise == [True] * 4)
    ):
        return data.decode()
    return None
