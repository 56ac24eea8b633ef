"""Queries time servers, and the gateway if none answers. In memory only while `net` uses it.

SNTP does not authenticate a server. So a time more than ten minutes from the clock's is accepted only if a second
server agrees. If a certificate's dates did not fit, the clock may be wrong: then the first such time is accepted.
"""

import asyncio
from micropython import const

from dnsstub.resolver import Resolver
from firmware.core.errors import LinkError
from firmware.core.timing import Timer
from firmware.links.udp_query import noting
from netio.errors import NetError
from netio.sockets import exchange
from sntp.client import query

_CLOSE_S = const(600)
_MOST = const(3)
_RESYNC_MS = const(21600000)
_JUMP_S = const(60)
_DIAL_MS = const(5000)
_PORTS = (53, 80)


async def keep(net, network, gateway, exchange=exchange):
    """Set the clock of a NetworkLoop and of its board; after a failure, log it and set the time of the next attempt.
    With a `gateway` nothing is set: then the query only tests whether any host answers. Never raises NetError."""
    try:
        unix_s = await ask(net, exchange)
    except LinkError as e:
        if gateway:
            await probe_gateway(net, gateway)
            return
        wait = network.backoff.next_ms(net.rng())
        network.sync = Timer(net.clock.ms(), wait)
        network.log("warning", "no time: %s; next try in %d s" % (e, wait // 1000))
    else:
        if not gateway:
            put(net.clock, network, unix_s)
    net.dates_failed = False


def put(clock, network, unix_s):
    """Set the clock. After a jump, a waiting link tries again at once."""
    network.backoff.reset()
    network.sync = Timer(clock.ms(), _RESYNC_MS)
    network.board.rtc_set(unix_s)
    if abs(unix_s - (clock.utc() or 0)) > _JUMP_S:
        network.turns += 1
        network.log("info", "clock set")
    clock.set_utc(unix_s)


async def ask(net, exchange):
    """Return the time in Unix seconds. Each call begins with the next of the configured servers. LinkError."""
    if net.doubt.passed(net.clock.ms()):
        net.floor_s = net.build_s
    known = net.clock.utc()
    exchange = noting(net, exchange)
    resolver = Resolver(net.clock, net.name_servers, net.rng, exchange, net.names)
    answers = []
    error = None
    for _ in range(min(max(len(net.servers), 2), _MOST) if known else 1):
        server = net.servers.pop(0)
        net.servers.append(server)
        try:
            unix_s = await query(server, resolver, net.clock, net.rng, net.floor_s, exchange)
        except NetError as e:
            net.unanswered += e.kind != "sntp"
            error = error or e
            continue
        fits = known is None or abs(unix_s - known) <= _CLOSE_S
        if (
            fits != net.dates_failed
            or known is None
            or [1 for other in answers if abs(unix_s - other) <= _CLOSE_S]
        ):
            return unix_s
        answers.append(unix_s)
    if net.dates_failed and answers:
        return answers[0]
    raise LinkError(str(error or "servers do not agree"))


async def probe_gateway(net, gateway):
    """Connect to the gateway, if no time server has answered. A refusal is an answer too."""
    for port in _PORTS:
        if not net.unanswered:
            return
        try:
            (await net.clock.within(_DIAL_MS, net.dial(gateway, port, False))).close()
        except NetError as e:
            if "REFUSED" in str(e) or "RESET" in str(e):
                net.answered()
        except asyncio.TimeoutError:
            pass
