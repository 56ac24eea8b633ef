"""Resolves names to IPv4 addresses, over UDP, without blocking the loop (RFC 1035 section 4).

An answer has to fit our question: the echoed id and question, addresses of that name or of the names its
CNAMEs lead to. Errors are truncated messages, answers to other questions, and compression that does not lead backwards.

It caches a few names. An expired answer, or one after `forget`, is queried again but kept: it is used when no server
answers, so that the device works while DNS fails. There are no search domains and no mDNS.
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
_RESPONSE = const(0x80)  # of the third byte; the others of the mask are the operation
_RESPONSE_MASK = const(0xF8)
_TRUNCATED = const(2)
_POINTER = const(0xC0)


class Resolver:
    """`servers`: callable returning a list of "ip" or "ip:port", asked for it at each need. `rng`: see the Rng seam.
    `cache`: a dictionary to remember names in, for a resolver that takes over from an earlier one."""

    def __init__(self, clock, servers, rng, exchange=exchange, cache=None):
        self.clock = clock
        self.servers = servers
        self.rng = rng
        self.exchange = exchange
        # name: [addresses, moment, lifetime in ms]; a lifetime of 0 means last resort only
        self.cache = {} if cache is None else cache

    async def resolve(self, host):
        """Addresses (texts, at least one) of `host`. NetError "dns" when it is not known and no server answers."""
        if is_ip(host):
            return [host]
        clock = self.clock
        cache = self.cache
        entry = cache.get(host)
        # The counter wraps after 12.4 days: an entry not used for that long seems fresh again. Then its
        # address is tried, and forgotten if it is wrong.
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
                error = e if e.kind == "memory" else NetError("dns", e.detail)
                continue
            if host not in cache and len(cache) >= _MAX_NAMES:
                cache.clear()  # a device talks to two or three hosts: more only pass through
            cache[host] = [addresses, clock.ms(), max(ttl_s, _MIN_TTL_S) * 1000]
            return addresses
        if entry:
            return entry[0]
        raise error

    def forget(self, host):
        """The address did not work: ask again next time."""
        if host in self.cache:
            self.cache[host][2] = 0


def query(ident, name):
    """The question for `name` (text) with the 16-bit `ident`, recursion desired. NetError "dns": never a name."""
    data = bytes((ident >> 8, ident & 255)) + b"\1\0\0\1\0\0\0\0\0\0"
    name = name.encode()
    for label in name.split(b"."):
        if not 0 < len(label) < 64 or len(name) > 253:
            raise NetError("dns", "bad name")
        data += bytes((len(label),)) + label
    return data + b"\0" + _QUESTION


def parse(data, ident, name):
    """([address text], lifetime in s) from the answer to `query(ident, name)`. NetError "dns".

    There is at least one address. The lifetime is the shortest of theirs, at most an hour.
    """
    try:
        return _parse(data, ident, name.lower().encode())
    except IndexError:
        raise NetError("dns", "short answer")


def _parse(data, ident, target):
    if _word(data, 0) != ident or data[2] & _RESPONSE_MASK != _RESPONSE:
        raise NetError("dns", "not our answer")
    if data[2] & _TRUNCATED:
        raise NetError("dns", "truncated")
    rcode = data[3] & 15
    if rcode:
        raise NetError("dns", "NXDOMAIN" if rcode == _NXDOMAIN else "rcode %d" % rcode)
    asked, at = _name(data, 12)
    if _word(data, 4) != 1 or asked != target or data[at : at + 4] != _QUESTION:
        raise NetError("dns", "not our question")
    ttl_s = _MAX_TTL_S
    # Records come in any order (RFC 1034 section 3.6). Each round follows one alias of the name; a loop of them ends
    # because there are no more rounds than records.
    for _ in range(_word(data, 6) + 1):
        found, alias, ttl_s = _records(data, at + 4, target, ttl_s)
        if found:
            return found, ttl_s
        if not alias or alias == target:
            break
        target = alias
    raise NetError("dns", "no address")


def _records(data, at, target, ttl_s):
    """([address text], alias or None, shortest life in s) of the name `target` among the answers, from `at` on."""
    found = []
    alias = None
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
    return found, alias, ttl_s


def _word(data, at):
    return data[at] << 8 | data[at + 1]


def _name(data, at):
    """(lower-case dotted name, offset behind it). Every pointer must lead further back, so this ends."""
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
