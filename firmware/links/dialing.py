"""How a connection is made: in memory only while `net` dials."""

from dnsstub.resolver import Resolver
from firmware.links.udp_query import noting
from netio.sockets import Dialer, exchange


def dialer(net):
    """A Dialer that goes on where the one before it ended."""
    resolver = Resolver(net.clock, net.name_servers, net.rng, noting(net, exchange), net.names)
    return Dialer(net.clock, resolver, net.context, net.turn)
