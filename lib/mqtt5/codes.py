"""MQTT's packet types, property ids and reason codes (MQTT 5.0 sections 2.1.2, 2.2.2.2 and 2.4).

MQTT 3.1.1 has the same packet types. The bundler replaces each name with its number (docs/decisions/0013), so the names
take no memory on a device.
"""

from micropython import const

# Packet types: the upper four bits of the first byte.
CONNECT = const(1)
CONNACK = const(2)
PUBLISH = const(3)
PUBACK = const(4)
SUBSCRIBE = const(8)
SUBACK = const(9)
PINGREQ = const(12)
PINGRESP = const(13)
DISCONNECT = const(14)

# Flags of a PUBLISH: the lower four bits of the first byte. In a SUBSCRIBE they are always 0b0010 (section 3.8.1).
RETAIN = const(1)
QOS_1 = const(2)
DUP = const(8)

# Events of a connection other than received packets, whose number is their packet type: see `session`.
BEGIN = const(16)
ACCEPT = const(17)
REQUEST = const(18)
FINISH = const(19)
LOST = const(20)

# Property ids.
MESSAGE_EXPIRY = const(0x02)
SESSION_EXPIRY = const(0x11)
ASSIGNED_CLIENT_ID = const(0x12)
SERVER_KEEP_ALIVE = const(0x13)
REASON_STRING = const(0x1F)
RECEIVE_MAXIMUM = const(0x21)
TOPIC_ALIAS_MAXIMUM = const(0x22)
TOPIC_ALIAS = const(0x23)
MAXIMUM_QOS = const(0x24)
MAXIMUM_PACKET_SIZE = const(0x27)

# Reason codes. Those from 0x80 on are errors.
ERRORS = const(0x80)
MALFORMED_PACKET = const(0x81)
PROTOCOL_ERROR = const(0x82)
TOPIC_NAME_INVALID = const(0x90)
RECEIVE_MAXIMUM_EXCEEDED = const(0x93)
TOPIC_ALIAS_INVALID = const(0x94)
PACKET_TOO_LARGE = const(0x95)
QOS_NOT_SUPPORTED = const(0x9B)
