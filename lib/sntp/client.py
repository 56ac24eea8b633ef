"""Asks one time server once. Refuses to retry or to set a clock: when to ask whom is the caller's decision."""

from micropython import const

from netio.address import split
from netio.udp import exchange as udp_exchange
from sntp.codec import parse, request

_PORT = const(123)
_TIMEOUT_MS = const(3000)


async def query(server, resolver, clock, rng, floor_s, exchange=udp_exchange):
    """(unix seconds, ms, round trip in ms) from `server`, "host" or "host:port".

    The time is that of the answer's departure; half the round trip later is the best guess for now. NetError "dns"
    "timeout" "closed" "sntp"; a time before `floor_s` is an error.
    """
    host, port = split(server, _PORT)
    addresses = await resolver.resolve(host)
    nonce = rng()
    address = addresses[nonce % len(addresses)]
    started = clock.ms()
    data = await exchange(address, port, request(nonce), clock, _TIMEOUT_MS)
    seconds, ms = parse(data, nonce, floor_s)
    return seconds, ms, clock.since(started)
