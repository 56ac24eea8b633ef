"""One SNTP request and what its answer is worth (RFC 4330, RFC 5905 section 7.3).

Owns the checks that make an unauthenticated clock usable: the answer echoes our 64 random-looking bits, its sender is
synchronised, and the time is not before the moment this software was built. Refuses to average or steer anything.
"""

import struct
from micropython import const

from netio.errors import NetError

_UNIX_EPOCH = 2208988800  # seconds from 1900 to 1970
_ERA = 0x100000000
_HALF_ERA = 0x80000000
_SIZE = const(48)
_CLIENT = const(0x23)  # leap 0, version 4, mode 3
_SERVER = const(4)


def _cookie(nonce):
    return struct.pack(">II", ~nonce & 0xFFFFFFFF, nonce)


def request(nonce):
    """The 48-byte question. `nonce`: 32 random bits; they stand where our time would, which is nobody's business."""
    return bytes((_CLIENT,)) + bytes(_SIZE - 9) + _cookie(nonce)


def parse(data, nonce, floor_s):
    """(unix seconds, 0..999 ms) at which the answer left the server; good until 2104 (RFC 4330 section 3).

    NetError "sntp": not an answer to `request(nonce)`, a kiss-o'-death, or a time before `floor_s` (unix seconds).
    """
    if len(data) < _SIZE or data[0] & 7 != _SERVER or not 3 <= data[0] >> 3 & 7 <= 4:
        raise NetError("sntp", "not an answer")
    if data[24:32] != _cookie(nonce):
        raise NetError("sntp", "not our answer")
    if data[1] == 0:
        raise NetError("sntp", "kiss " + _code(data[12:16]))
    if data[1] > 15 or data[0] >> 6 == 3:
        raise NetError("sntp", "server not synchronised")
    seconds, fraction = struct.unpack(">II", data[40:48])
    if not seconds and not fraction:
        raise NetError("sntp", "no time")
    if seconds < _HALF_ERA:  # the counter wraps in 2036
        seconds += _ERA
    seconds -= _UNIX_EPOCH
    if seconds < floor_s:
        raise NetError("sntp", "time before the build")
    return seconds, (fraction >> 16) * 1000 >> 16


def _code(raw):
    """A kiss code: four ASCII capitals or digits, such as RATE or DENY (RFC 5905 section 7.4)."""
    return "".join(chr(c) if 48 <= c <= 57 or 65 <= c <= 90 else "?" for c in raw)
