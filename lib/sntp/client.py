"""One SNTP request and the check of its response (RFC 4330, RFC 5905 section 7.3).

SNTP is not authenticated, so the response must echo the request's transmit timestamp, which is derived from 32 random
bits; its server must be synchronised; and its time must not be before a given one, such as that of the build. There are
no retries and no averaging, and the clock is not set: the caller decides when to query which server.
"""

from micropython import const

from netio.errors import NetError
from netio.sockets import exchange, split

_PORT = const(123)
_TIMEOUT_MS = const(3000)
_UNIX_EPOCH = const(2208988800)  # seconds from 1900 to 1970
_ERA = const(0x100000000)
_HALF_ERA = const(0x80000000)
_SERVER = const(4)  # mode
_KISS = const(0)  # stratum
_LAST_STRATUM = const(15)
_UNSYNCHRONISED = const(3)  # leap indicator


async def query(server, resolver, clock, rng, floor_s, exchange=exchange):
    """Return the time in Unix seconds from `server`, "host" or "host:port", within 3 s of its name being resolved.
    `floor_s`: see `parse`. NetError "dns", "timeout", "closed" or "sntp"."""
    host, port = split(server, _PORT)
    addresses = await resolver.resolve(host)
    nonce = rng()
    data = await exchange(addresses[nonce % len(addresses)], port, request(nonce), clock, _TIMEOUT_MS)
    return parse(data, nonce, floor_s)


def request(nonce):
    """Return the 48-byte request. `nonce`: 32 random bits, sent as the transmit timestamp in place of our time, which
    the server does not need."""
    # Leap indicator 0, version 4, mode 3 (client).
    return b"\x23" + bytes(39) + (nonce ^ 0xFFFFFFFF).to_bytes(4, "big") + nonce.to_bytes(4, "big")


def parse(data, nonce, floor_s):
    """Return the transmit timestamp of the response `data` in Unix seconds; correct until 2104 (RFC 4330 section 3).

    NetError "sntp": not a response to `request(nonce)`, a kiss-o'-death, or a time before `floor_s` (Unix seconds).
    """
    if len(data) < 48 or data[0] & 7 != _SERVER or not 3 <= data[0] >> 3 & 7 <= 4:
        raise NetError("sntp", "not an answer")
    if data[24:32] != request(nonce)[40:]:
        raise NetError("sntp", "not our answer")
    if data[1] == _KISS:
        raise NetError("sntp", "kiss %r" % data[12:16])  # %r, because these bytes may be anything
    if data[1] > _LAST_STRATUM or data[0] >> 6 == _UNSYNCHRONISED:
        raise NetError("sntp", "server not synchronised")
    seconds = int.from_bytes(data[40:44], "big")
    if not seconds:
        raise NetError("sntp", "no time")
    if seconds < _HALF_ERA:  # the counter wraps in 2036
        seconds += _ERA
    seconds -= _UNIX_EPOCH
    if seconds < floor_s:
        raise NetError("sntp", "time before the build")
    return seconds
