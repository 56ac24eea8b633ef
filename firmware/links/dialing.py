"""Builds what dials a connection. In memory only while `net` dials."""

from dnsstub.resolver import Resolver
from firmware.links.udp_query import noting
from netio.sockets import Dialer, exchange


def dialer(net):
    """Return a Dialer that continues with the address after those that failed before."""
    resolver = Resolver(net.clock, net.name_servers, net.rng, noting(net, exchange), net.names)
    return Dialer(net.clock, resolver, net.context, net.turn)
