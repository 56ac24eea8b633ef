"""One SNTP request and the check of its answer (RFC 4330, RFC 5905 section 7.3).

These checks make an unauthenticated clock usable: the answer echoes our 64 random-looking bits, its sender is
synchronised, and the time is not before the moment this software was built. It does not retry, average, or set a
clock: when to ask which server is the caller's decision.
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
    """Unix seconds from `server`, "host" or "host:port". NetError "dns" "timeout" "closed" "sntp"."""
    host, port = split(server, _PORT)
    addresses = await resolver.resolve(host)
    nonce = rng()
    data = await exchange(addresses[nonce % len(addresses)], port, request(nonce), clock, _TIMEOUT_MS)
    return parse(data, nonce, floor_s)


def request(nonce):
    """The 48-byte question. `nonce`: 32 random bits; they stand where our time would, which the server need not
    know."""
    # Leap 0, version 4, mode 3: a client.
    return b"\x23" + bytes(39) + (nonce ^ 0xFFFFFFFF).to_bytes(4, "big") + nonce.to_bytes(4, "big")


def parse(data, nonce, floor_s):
    """Unix seconds at which the answer left the server; good until 2104 (RFC 4330 section 3).

    NetError "sntp": not an answer to `request(nonce)`, a kiss-o'-death, or a time before `floor_s` (unix seconds).
    """
    if len(data) < 48 or data[0] & 7 != _SERVER or not 3 <= data[0] >> 3 & 7 <= 4:
        raise NetError("sntp", "not an answer")
    if data[24:32] != request(nonce)[40:]:
        raise NetError("sntp", "not our answer")
    if data[1] == _KISS:
        raise NetError("sntp", "kiss %r" % data[12:16])  # %r: these bytes are anybody's
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
