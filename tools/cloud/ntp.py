"""A small SNTP server (RFC 4330, mode 4 answers to mode 3 requests), right or wrong on demand.

`answer` is pure; an asyncio UDP server is around it. There is no authentication and no other mode.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from tools.cloud.udp import UdpServer

MODES = ("", "silent", "kiss", "stratum0", "unsynchronized", "wrong_origin", "short")
EPOCH_1900_S = 2_208_988_800  # unix seconds 0 in NTP seconds


def answer(request: bytes, now: float, mode: str = "", offset_s: float = 0.0) -> bytes | None:
    """Answer at unix seconds `now`, None for silence. `offset_s` makes the clock wrong. Raises ValueError."""
    if len(request) < 48 or request[0] & 7 != 3:
        raise ValueError("not an SNTP client request")
    if mode == "silent":
        return None
    leap = 3 if mode in ("unsynchronized", "kiss") else 0
    stratum = 0 if mode in ("kiss", "stratum0") else 2
    reference = b"RATE" if mode == "kiss" else bytes(4) if mode == "stratum0" else bytes((127, 0, 0, 1))
    origin = bytes(8) if mode == "wrong_origin" else request[40:48]
    version = request[0] & 0x38
    stamp = _timestamp(now + offset_s)
    head = struct.pack(">BBbbII", leap << 6 | version | 4, stratum, 6, -20, 0, 16) + reference
    packet = head + _timestamp(now + offset_s - 16) + origin + stamp + stamp
    return packet[:20] if mode == "short" else packet


def _timestamp(unix_s: float) -> bytes:
    """64-bit NTP timestamp; the seconds wrap in 2036 as the format says (RFC 4330, section 3)."""
    whole = int(unix_s // 1)
    return struct.pack(">II", (whole + EPOCH_1900_S) & 0xFFFFFFFF, int((unix_s - whole) * 2**32))


class NtpServer(UdpServer):
    """`mode` and `offset_s` may be changed at any time."""

    mode = ""
    offset_s = 0.0

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock

    def reply(self, data: bytes) -> bytes | None:
        return answer(data, self._clock(), self.mode, self.offset_s)
