"""Resolve names to IPv4 addresses over UDP, without blocking the event loop (RFC 1035 section 4).

A response must echo the ID and the question of the query; only addresses of that name, or of the names that its CNAMEs
lead to, are used. Of a truncated message the whole records are used, because there is no EDNS and no TCP. Responses to
other questions, and compression pointers that do not point backwards, are errors.

Up to four names are cached. When an entry has expired, or after `forget`, the name is queried again, but the entry is
kept: it is used if no server answers, so that the device works while DNS fails. There are no search domains and no
mDNS.
"""

from micropython import const

from netio.errors import NetError
from netio.sockets import exchange, is_ip, split

_PORT = const(53)
_TRIES = const(2)
_TIMEOUT_MS = const(2000)
_MIN_TTL_S = const(30)
_MAX_TTL_S = const(3600)
_MAX_NAMES = const(4)
_QUESTION = b"\x00\x01\x00\x01"  # type A, class IN
_A = const(1)
_CNAME = const(5)
_IN = const(1)
_NXDOMAIN = const(3)
_RESPONSE = const(0x80)  # QR, in the third byte of the header; the other bits of the mask are OPCODE
_RESPONSE_MASK = const(0xF8)
_TRUNCATED = const(2)
_POINTER = const(0xC0)


class Resolver:
    """`clock`: has `ms`, `since` and `sleep_ms`. `servers`: callable that returns a list of "ip" or "ip:port"; called
    for each query. `rng`: callable that returns 32 random bits. `exchange`: as in `netio.sockets`. `cache`: the cache
    of an earlier resolver, to continue with."""

    def __init__(self, clock, servers, rng, exchange=exchange, cache=None):
        self.clock = clock
        self.servers = servers
        self.rng = rng
        self.exchange = exchange
        # name: [addresses, time of the answer, TTL in ms]; with a TTL of 0 it is used only if no server answers
        self.cache = {} if cache is None else cache

    async def resolve(self, host):
        """Return the IPv4 addresses of `host` (a name or an address) as a list of str, at least one. Each server is
        tried twice, for 2 s each. NetError "dns" if none gives an address and none is cached; "memory" if memory ran
        out."""
        if is_ip(host):
            return [host]
        clock = self.clock
        cache = self.cache
        entry = cache.get(host)
        # The millisecond counter wraps after 12.4 days, so an entry that was not used for that long seems fresh again.
        # Its address is then tried, and forgotten if it does not work.
        if entry and 0 <= clock.since(entry[1]) < entry[2]:
            return entry[0]
        error = NetError("dns", "no server")
        for server in self.servers() * _TRIES:
            ident = self.rng() & 0xFFFF
            ip, port = split(server, _PORT)
            try:
                data = await self.exchange(ip, port, query(ident, host), clock, _TIMEOUT_MS)
                addresses, ttl_s = parse(data, ident, host)
            except NetError as e:
                error = NetError("dns", e.detail)
                continue
            if host not in cache and len(cache) >= _MAX_NAMES:
                cache.clear()  # a device talks to two or three hosts at a time
            cache[host] = [addresses, clock.ms(), max(ttl_s, _MIN_TTL_S) * 1000]
            return addresses
        if entry:
            return entry[0]
        raise error

    def forget(self, host):
        """Query `host` again next time, because its address did not work."""
        if host in self.cache:
            self.cache[host][2] = 0


def query(ident, name):
    """Return the query for the address of `name` (str) with the 16-bit ID `ident`, recursion desired. NetError "dns" if
    `name` is not a valid domain name: labels of 1 to 63 bytes, 253 bytes in all."""
    data = bytes((ident >> 8, ident & 255)) + b"\1\0\0\1\0\0\0\0\0\0"
    name = name.encode()
    for label in name.split(b"."):
        if not 0 < len(label) < 64 or len(name) > 253:
            raise NetError("dns", "bad name")
        data += bytes((len(label),)) + label
    return data + b"\0" + _QUESTION


def parse(data, ident, name):
    """Return (addresses, TTL in s) from `data`, the response to `query(ident, name)`. NetError "dns" if it is not valid
    or has no address.

    `addresses`: list of str, at least one. The TTL is the shortest of the records used, at most an hour.
    """
    try:
        return _parse(data, ident, name.lower().encode())
    except IndexError:
        raise NetError("dns", "short answer")


def _parse(data, ident, target):
    if _word(data, 0) != ident or data[2] & _RESPONSE_MASK != _RESPONSE:
        raise NetError("dns", "not our answer")
    rcode = data[3] & 15
    if rcode:
        raise NetError("dns", "NXDOMAIN" if rcode == _NXDOMAIN else "rcode %d" % rcode)
    asked, at = _name(data, 12)
    if _word(data, 4) != 1 or asked != target or data[at : at + 4] != _QUESTION:
        raise NetError("dns", "not our question")
    ttl_s = _MAX_TTL_S
    # Records come in any order (RFC 1034 section 3.6). Each pass follows one CNAME; there are at most one more passes
    # than records, so a loop of CNAMEs ends.
    for _ in range(_word(data, 6) + 1):
        found, alias, ttl_s = _records(data, at + 4, target, ttl_s)
        if found:
            return found, ttl_s
        if not alias or alias == target:
            break
        target = alias
    raise NetError("dns", "truncated" if data[2] & _TRUNCATED else "no address")


def _records(data, at, target, ttl_s):
    """Return (addresses, canonical name or None, shortest TTL in s) of `target` from the answer section, which begins
    at offset `at`."""
    found = []
    alias = None
    try:
        for _ in range(_word(data, 6)):
            owner, at = _name(data, at)
            kind, size = _word(data, at), _word(data, at + 8)
            at += 10
            if owner == target and _word(data, at - 8) == _IN and kind in (_A, _CNAME):
                if kind == _CNAME:
                    alias = _name(data, at)[0]
                elif size == 4:
                    found.append("%d.%d.%d.%d" % (data[at], data[at + 1], data[at + 2], data[at + 3]))
                ttl_s = min(ttl_s, _word(data, at - 6) << 16 | _word(data, at - 4))
            at += size
    except IndexError:
        pass  # the last record is not complete
    return found, alias, ttl_s


def _word(data, at):
    return data[at] << 8 | data[at + 1]


def _name(data, at):
    """Return (lower-case dotted name, offset after it). Each pointer must point further back, so the loop ends."""
    name = b""
    end = 0
    low = at
    while data[at]:
        size = data[at]
        if size >= _POINTER:
            end = end or at + 2
            at = (size & 0x3F) << 8 | data[at + 1]
            if at >= low:
                raise NetError("dns", "bad pointer")
            low = at
            continue
        if size > 63 or len(name) + size > 255:
            raise NetError("dns", "bad label")
        name += (b"." if name else b"") + data[at + 1 : at + 1 + size]
        at += size + 1
    return name.lower(), end or at + 1
