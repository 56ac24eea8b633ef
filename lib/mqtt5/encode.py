"""Encode the packets that an MQTT client sends once it is connected and subscribed (OASIS mqtt-v5.0 and 3.1.1).

QoS 2, retained messages and properties other than numbers are not supported. `version`: 5, or 4 for MQTT 3.1.1.
"""

from mqtt5 import codes, parts
from mqtt5.packet import checked


def publish(version, pid, topic, payload, expiry_s=None):
    """Return a PUBLISH with QoS 1, or QoS 0 if `pid` is 0. `topic`: str. `payload`: bytes. `expiry_s`: message expiry
    interval, ignored for 3.1.1. MqttError: the topic is empty or has a wildcard or NUL."""
    body = parts.counted(checked(topic or "#"))
    if pid:
        body += pid.to_bytes(2, "big")
    body += parts.properties(version, () if expiry_s is None else ((codes.MESSAGE_EXPIRY, 4, expiry_s),))
    return parts.packet(codes.PUBLISH << 4 | (codes.QOS_1 if pid else 0), body + payload)


def disconnect(code):
    """Return a DISCONNECT. `code`: reason code, 0 to 255; must be 0 for MQTT 3.1.1."""
    return parts.packet(codes.DISCONNECT << 4, bytes((code,)) if code else b"")
