"""The meaning of numbers in a board's log: reason codes of MQTT and Wi-Fi, errors of lwIP and mbedTLS.

On a board these texts would take heap, so `realer monitor` and `realer deploy` add them to what they show. Sources:
paho-mqtt for MQTT 5.0; ESP-IDF, `wifi_err_reason_t`; newlib's `sys/errno.h`, as ESP-IDF has it; headers of mbedTLS 3.
"""

from __future__ import annotations

import re

from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

MQTT = {
    code: name[0].lower() + name[1:]
    for code, names in ReasonCode(PacketTypes.DISCONNECT).names.items() for name in list(names)[:1]
}  # fmt: skip
"""A server of 3.1.1 refuses with 1 to 5, which the device has translated: 0x84, 0x85, 0x88, 0x86, 0x87."""
MQTT[0x8E] += " by another client with this id"
WIFI = {
    1: "unspecified", 2: "authentication expired; try again, or restart the access point",
    3: "deauthenticated by the access point", 4: "inactive for too long", 5: "the access point has too many stations",
    6: "not authenticated", 7: "not associated", 8: "disassociated by the access point",
    9: "associating without authentication", 10: "power capability not acceptable",
    11: "channels not acceptable", 12: "moved by the access point", 13: "invalid element", 14: "MIC failure",
    15: "wrong password, four-way handshake timed out", 16: "group key handshake timed out",
    17: "element differs in the handshake", 18: "group cipher not valid", 19: "pairwise cipher not valid",
    20: "key management not valid", 21: "RSN version not supported", 22: "RSN capabilities not valid",
    23: "802.1X authentication failed", 24: "cipher rejected by policy", 25: "TDLS peer out of reach",
    26: "TDLS ended", 27: "service provider asked for it", 28: "no roaming agreement",
    29: "cipher or key management bad", 30: "not authorized at this place", 31: "change of service",
    32: "quality of service, unspecified",
    33: "the access point is short of bandwidth", 34: "too many lost packets, weak signal",
    35: "transmission opportunity exceeded", 36: "the station leaves", 37: "end of block acknowledgement",
    38: "unknown block acknowledgement", 39: "peer timed out", 46: "the peer closes", 47: "the access point closes",
    48: "FT action frame count not valid", 49: "PMKID not valid", 50: "mobility domain not valid",
    51: "fast transition not valid", 67: "transmission link not established", 68: "the other channel is occupied",
    200: "no beacon, the access point is silent",
    201: "no such network", 202: "authentication failed, perhaps the password", 203: "association failed",
    204: "handshake timed out, perhaps the password", 205: "connection failed", 206: "access point clock reset",
    207: "roaming", 208: "association is delayed", 209: "SA query timed out", 210: "no network with this security",
    211: "security below what is required", 212: "signal too weak",
}  # fmt: skip
ERRNO = {
    5: "EIO", 9: "EBADF", 11: "EAGAIN", 12: "ENOMEM, memory is short", 22: "EINVAL", 23: "ENFILE, too many sockets",
    104: "ECONNRESET, the peer cut the connection", 105: "ENOBUFS, memory is short",
    106: "EAFNOSUPPORT", 107: "EPROTOTYPE", 108: "ENOTSOCK", 109: "ENOPROTOOPT", 110: "ESHUTDOWN",
    111: "ECONNREFUSED, nothing listens there", 112: "EADDRINUSE", 113: "ECONNABORTED, the network was lost",
    114: "ENETUNREACH, no route to that network", 115: "ENETDOWN, the network is down",
    116: "ETIMEDOUT, no answer", 117: "EHOSTDOWN", 118: "EHOSTUNREACH, no route to that host",
    119: "EINPROGRESS", 120: "EALREADY", 121: "EDESTADDRREQ", 122: "EMSGSIZE", 123: "EPROTONOSUPPORT",
    125: "EADDRNOTAVAIL", 126: "ENETRESET", 127: "EISCONN", 128: "ENOTCONN, there is no connection",
}  # fmt: skip
_TLS_HIGH = {
    0x1080: "PEM: no header", 0x1180: "PEM: memory is short", 0x2080: "certificate: feature unavailable",
    0x2100: "certificate: unknown OID", 0x2180: "certificate: invalid format", 0x2200: "certificate: invalid version",
    0x2280: "certificate: invalid serial", 0x2300: "certificate: invalid algorithm",
    0x2380: "certificate: invalid name", 0x2400: "certificate: invalid date",
    0x2480: "certificate: invalid signature", 0x2500: "certificate: invalid extensions",
    0x2580: "certificate: unknown version", 0x2600: "certificate: unknown signature algorithm",
    0x2680: "certificate: signature mismatch", 0x2700: "certificate: verification failed",
    0x2780: "certificate: unknown format", 0x2800: "certificate: bad input",
    0x2880: "certificate: memory is short", 0x2900: "certificate: file error", 0x3000: "certificate: fatal error",
    0x3980: "key: feature unavailable", 0x3B00: "key: invalid public key", 0x3B80: "key: invalid format",
    0x3F80: "key: memory is short", 0x4080: "RSA: bad input", 0x4100: "RSA: invalid padding",
    0x4180: "RSA: key generation failed", 0x4200: "RSA: key check failed", 0x4280: "RSA: public operation failed",
    0x4300: "RSA: private operation failed", 0x4380: "RSA: verification failed", 0x4400: "RSA: output too large",
    0x4480: "RSA: random generator failed", 0x4B00: "EC: feature or curve unavailable",
    0x4D00: "EC: random generator failed", 0x4D80: "EC: memory is short", 0x4E00: "EC: verification failed",
    0x4E80: "EC: feature unavailable", 0x4F80: "EC: bad input", 0x5080: "digest: feature unavailable",
    0x5180: "digest: memory is short", 0x6000: "TLS: crypto in progress", 0x6080: "cipher: feature unavailable",
    0x6100: "cipher: bad input", 0x6180: "cipher: memory is short", 0x6300: "cipher: authentication failed",
    0x6480: "TLS: unexpected record", 0x6600: "TLS: bad configuration", 0x6680: "TLS: server name not known",
    0x6700: "TLS: renegotiation", 0x6800: "TLS: timeout", 0x6880: "TLS: wants to write",
    0x6900: "TLS: wants to read", 0x6980: "TLS: handshake goes on", 0x6A00: "TLS: buffer too small",
    0x6C00: "TLS: internal error", 0x6D00: "TLS: unknown identity", 0x6E00: "TLS: no handshake possible",
    0x6E80: "TLS: no common version", 0x7080: "TLS: feature unavailable", 0x7100: "TLS: bad input",
    0x7180: "TLS: record with an invalid MAC", 0x7200: "TLS: invalid record, perhaps this is not a TLS server",
    0x7280: "TLS: the peer ended the connection", 0x7300: "TLS: decode error", 0x7400: "TLS: no random numbers",
    0x7480: "TLS: no certificate received", 0x7600: "TLS: no certificate authority", 0x7700: "TLS: unexpected message",
    0x7780: "TLS: the server refuses with a fatal alert", 0x7880: "TLS: the server closes",
    0x7A00: "TLS: bad certificate", 0x7B00: "TLS: bad ticket", 0x7C80: "TLS: bad key exchange",
    0x7F00: "TLS: memory is short",
}  # fmt: skip
_TLS_LOW = {
    0x02: "file error", 0x04: "bad numbers", 0x06: "invalid digit", 0x08: "buffer too small",
    0x0E: "not acceptable", 0x10: "memory is short", 0x42: "send failed", 0x44: "connect failed",
    0x4C: "receive failed", 0x4E: "send failed", 0x50: "the peer cut the connection", 0x52: "unknown host",
    0x60: "out of data", 0x62: "unexpected tag", 0x64: "invalid length", 0x68: "invalid data",
    0x6A: "memory is short",
}  # fmt: skip
_NUMBERS = re.compile(r"mqtt 0x([0-9a-f]{2})|\breason (\d+)|\b(?:connect|closed|send): (-?\d+)|\btls: -(\d+)")


def explained(line: str) -> str:
    """The line with words behind the numbers in it."""
    return _NUMBERS.sub(_with_words, line)


def mbedtls(code: int) -> str:
    """The words for an error of mbedTLS, `code` without its sign: up to two errors in one number."""
    high, low = _TLS_HIGH.get(code & 0xFF80, ""), _TLS_LOW.get(code & 0x7F, "")
    return "; ".join(filter(None, (high, low)))


def _with_words(found: re.Match[str]) -> str:
    mqtt, wifi, errno, tls = found.groups()
    if mqtt:
        words = MQTT.get(int(mqtt, 16), "")
    elif wifi:
        words = WIFI.get(int(wifi), "")
    elif tls or abs(int(errno)) >= 256:
        words = mbedtls(abs(int(tls or errno)))
    else:
        words = ERRNO.get(abs(int(errno)), "")
    return f"{found[0]} ({words})" if words else found[0]
