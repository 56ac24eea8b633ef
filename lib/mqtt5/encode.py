"""What an MQTT client says, as bytes (OASIS mqtt-v5.0 and 3.1.1).

Refuses QoS 2, retained publishes, and properties that are not numbers. `version`: 5, or 4 for MQTT 3.1.1.
"""

from mqtt5.packet import checked


def connect(version, clean, keep_alive_s, properties, client_id, username, password, will):
    """CONNECT. `properties`: (id, size, number) each, for 3.1.1 ignored; `will`: (topic, payload), with QoS 1, or None.

    Texts or bytes all of them. ValueError: longer than 65535 bytes.
    """
    flags = 2 if clean else 0
    tail = _counted(client_id)
    if will:
        flags |= 12
        tail += _properties(version, ()) + _counted(will[0]) + _counted(will[1])
    if username is not None:
        flags |= 128
        tail += _counted(username)
    if password is not None:
        flags |= 64
        tail += _counted(password)
    head = b"\0\4MQTT" + bytes((version, flags)) + keep_alive_s.to_bytes(2, "big")
    return _packet(0x10, head + _properties(version, properties) + tail)


def publish(version, pid, topic, payload, expiry_s=None):
    """PUBLISH with QoS 1, or QoS 0 when `pid` is 0. `expiry_s`: for 3.1.1 ignored. MqttError: bad topic."""
    body = _counted(checked(topic or "#"))
    if pid:
        body += pid.to_bytes(2, "big")
    body += _properties(version, () if expiry_s is None else ((2, 4, expiry_s),))
    return _packet(0x32 if pid else 0x30, body + payload)


def puback(pid):
    return b"\x40\2" + pid.to_bytes(2, "big")


def subscribe(version, pid, filters):
    """SUBSCRIBE with QoS 1 for each of `filters`."""
    body = pid.to_bytes(2, "big") + _properties(version, ())
    for text in filters:
        body += _counted(text) + b"\1"
    return _packet(0x82, body)


def disconnect(code):
    """DISCONNECT; MQTT 3.1.1 knows only that without a code."""
    return bytes((0xE0, 1, code)) if code else b"\xe0\0"


def _counted(data):
    """Text or bytes with its length before it."""
    if isinstance(data, str):
        data = data.encode()
    if len(data) > 65535:
        raise ValueError("mqtt: too long")
    return len(data).to_bytes(2, "big") + data


def _properties(version, pairs):
    if version < 5:
        return b""
    data = b""
    for ident, size, value in pairs:
        data += bytes((ident,)) + value.to_bytes(size, "big")
    return bytes((len(data),)) + data  # numbers only, so it is never longer than 127 bytes


def _packet(first, body):
    head = bytearray((first,))
    size = len(body)
    while size > 127:
        head.append(size & 127 | 128)
        size >>= 7
    head.append(size)
    return head + body
