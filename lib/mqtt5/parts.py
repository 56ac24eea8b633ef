"""Parts of an MQTT client's packets, and the limits that it announces to the server (MQTT 5.0 sections 1.5 and 2).

`opening` and the modules that stay in memory are bundled separately, each with its own copy of this module. So it keeps
no state and defines no exception class.
"""

from micropython import const

WINDOW = const(4)  # Receive Maximum: QoS 1 messages that the server may have in flight to us
ALIASES = const(8)  # Topic Alias Maximum


def counted(data):
    """Return `data` (str or bytes) as bytes, preceded by its 16-bit length. ValueError: longer than 65535 bytes."""
    if isinstance(data, str):
        data = data.encode()
    if len(data) > 65535:
        raise ValueError("mqtt: too long")
    return len(data).to_bytes(2, "big") + data


def properties(version, pairs):
    """Return the properties of a packet as bytes, empty for MQTT 3.1.1. `pairs`: (id, size in bytes, number) each."""
    if version < 5:
        return b""
    data = b""
    for ident, size, value in pairs:
        data += bytes((ident,)) + value.to_bytes(size, "big")
    return bytes((len(data),)) + data  # a few numbers, so never longer than 127 bytes


def packet(first, body):
    """Return a packet with this first byte and body, as a bytearray."""
    head = bytearray((first,))
    size = len(body)
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return head + body
