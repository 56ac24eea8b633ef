"""The question for the time: in memory only while `net` asks it."""

from dnsstub.resolver import Resolver
from firmware.core.errors import LinkError
from netio.errors import NetError
from sntp.client import query


async def ask(net):
    """Unix seconds from one of the configured servers, "host" or "host:port", another one each time. LinkError."""
    server = net.servers.pop(0)
    net.servers.append(server)
    if net.doubt.passed(net.clock.ms()):
        net.floor_s = net.build_s
    resolver = Resolver(net.clock, net.name_servers, net.rng, cache=net.names)
    try:
        return await query(server, resolver, net.clock, net.rng, net.floor_s)
    except NetError as e:
        raise LinkError(str(e))
