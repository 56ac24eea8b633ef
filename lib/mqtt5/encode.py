"""Packets of an MQTT client that is connected and subscribed, as bytes (OASIS mqtt-v5.0 and 3.1.1).

There is no QoS 2, no retained publish, and no property that is not a number. `version`: 5, or 4 for MQTT 3.1.1.
"""

from mqtt5 import parts
from mqtt5.packet import checked


def publish(version, pid, topic, payload, expiry_s=None):
    """PUBLISH with QoS 1, or QoS 0 when `pid` is 0. `expiry_s`: for 3.1.1 ignored. MqttError: bad topic."""
    body = parts.counted(checked(topic or "#"))
    if pid:
        body += pid.to_bytes(2, "big")
    body += parts.properties(version, () if expiry_s is None else ((2, 4, expiry_s),))
    return parts.packet(0x32 if pid else 0x30, body + payload)


def puback(pid):
    return b"\x40\2" + pid.to_bytes(2, "big")


def disconnect(code):
    """DISCONNECT; MQTT 3.1.1 knows only that without a code."""
    return bytes((0xE0, 1, code)) if code else b"\xe0\0"
