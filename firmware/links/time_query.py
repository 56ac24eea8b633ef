"""The question for the time: in memory only while `net` asks it."""

from dnsstub.resolver import Resolver
from sntp.client import query


async def ask(server, net):
    """Unix seconds as `server`, "host" or "host:port", tells them. NetError."""
    resolver = Resolver(net.clock, net.name_servers, net.rng, cache=net.names)
    return await query(server, resolver, net.clock, net.rng, net.floor_s)
