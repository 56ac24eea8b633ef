"""Names to IPv4 addresses, over UDP, without ever blocking the loop.

Owns a cache of a few names. An answer past its time, or one `forget` called wrong, is asked for again but kept: when
no server answers it still serves, because a control device should outlive its DNS. Refuses search domains and mDNS.
"""

from micropython import const

from dnsstub.codec import parse, query
from netio.address import is_ip, split
from netio.errors import NetError
from netio.udp import exchange as udp_exchange

_PORT = const(53)
_TRIES = const(2)
_TIMEOUT_MS = const(2000)
_MIN_TTL_S = const(30)
_MAX_TTL_S = const(3600)
_MAX_NAMES = const(4)


class Resolver:
    """`servers`: callable returning a list of "ip" or "ip:port", asked for it at each need. `rng`: see the Rng seam."""

    def __init__(self, clock, servers, rng, exchange=udp_exchange):
        self._clock = clock
        self._servers = servers
        self._rng = rng
        self._exchange = exchange
        self._cache = {}  # name: [addresses, moment, lifetime in ms]; a lifetime of 0 means last resort only

    def __repr__(self):
        return "Resolver(%s)" % ", ".join(sorted(self._cache))

    async def resolve(self, host):
        """Addresses (texts, at least one) of `host`. NetError "dns" when it is not known and no server tells."""
        if is_ip(host):
            return [host]
        if host == "localhost":  # RFC 6761 section 6.3: never asks a server
            return ["127.0.0.1"]
        entry = self._cache.get(host)
        # The counter wraps after 12.4 days: an entry nobody looked at for that long seems fresh once more. Then its
        # address is tried, and forgotten if it is wrong.
        if entry and 0 <= self._clock.since(entry[1]) < entry[2]:
            return entry[0]
        try:
            return await self._ask(host)
        except NetError:
            if not entry:
                raise
            return entry[0]

    def forget(self, host):
        """The address did not work: ask again next time."""
        if host in self._cache:
            self._cache[host][2] = 0

    async def _ask(self, host):
        error = NetError("dns", "no server")
        for server in list(self._servers()) * _TRIES:
            ident = self._rng() & 0xFFFF
            ip, port = split(server, _PORT)
            try:
                data = await self._exchange(ip, port, query(ident, host), self._clock, _TIMEOUT_MS)
                return self._store(host, parse(data, ident, host))
            except NetError as e:
                error = e if e.kind == "dns" else NetError("dns", e.detail)
        raise error

    def _store(self, host, answers):
        if host not in self._cache and len(self._cache) >= _MAX_NAMES:
            self._cache.clear()  # a device talks to two or three hosts: more only pass through
        addresses = [address for address, _ in answers]
        ttl_s = min(max(min(ttl for _, ttl in answers), _MIN_TTL_S), _MAX_TTL_S)
        self._cache[host] = [addresses, self._clock.ms(), ttl_s * 1000]
        return addresses
