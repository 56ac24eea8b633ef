"""What an MQTT client's packets are put together from, and what it promises the server (MQTT 5.0 sections 1.5 and 2).

Used while a connection opens and afterwards. `opening` and what stays in memory are bundled apart, and each has its
own copy of this module: so it keeps no state, and raises no error that only its own copy could catch.
"""

from micropython import const

WINDOW = const(4)  # messages with QoS 1 the server may have under way to us
ALIASES = const(8)


def counted(data):
    """Text or bytes with its length before it. ValueError: longer than 65535 bytes."""
    if isinstance(data, str):
        data = data.encode()
    if len(data) > 65535:
        raise ValueError("mqtt: too long")
    return len(data).to_bytes(2, "big") + data


def properties(version, pairs):
    """`pairs`: (id, size, number) each; nothing for MQTT 3.1.1."""
    if version < 5:
        return b""
    data = b""
    for ident, size, value in pairs:
        data += bytes((ident,)) + value.to_bytes(size, "big")
    return bytes((len(data),)) + data  # numbers only, so it is never longer than 127 bytes


def packet(first, body):
    """A packet from its first byte and its body, as a bytearray."""
    head = bytearray((first,))
    size = len(body)
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return head + body
