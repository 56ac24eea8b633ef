"""Builds the packets of an MQTT client that is connected and subscribed (OASIS mqtt-v5.0 and 3.1.1).

There is no QoS 2, no retained publish, and no property that is not a number. `version`: 5, or 4 for MQTT 3.1.1.
"""

from mqtt5 import codes, parts
from mqtt5.packet import checked


def publish(version, pid, topic, payload, expiry_s=None):
    """PUBLISH with QoS 1, or QoS 0 when `pid` is 0. `expiry_s`: for 3.1.1 ignored. MqttError: bad topic."""
    body = parts.counted(checked(topic or "#"))
    if pid:
        body += pid.to_bytes(2, "big")
    body += parts.properties(version, () if expiry_s is None else ((codes.MESSAGE_EXPIRY, 4, expiry_s),))
    return parts.packet(codes.PUBLISH << 4 | (codes.QOS_1 if pid else 0), body + payload)


def disconnect(code):
    """DISCONNECT; MQTT 3.1.1 knows only that without a code."""
    return parts.packet(codes.DISCONNECT << 4, bytes((code,)) if code else b"")
