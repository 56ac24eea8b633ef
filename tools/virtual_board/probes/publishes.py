"""Measures how many publishes with QoS 1 the engine of lib/mqtt5 sends to a broker in a second, over one TLS
connection.

micropython publishes.py ORDERS    (a JSON file: lib, ca, host, port, topic, rounds, and account: what CONNECT takes)

Prints {"alone": [..], "together": [..]}: rates of rounds in turn, each publish waiting for the one before, or as many
in flight as the engine allows. Part of the benchmarks, never of a device.
"""

import asyncio
import json
import sys
import time

from seams import Clock, Here

_LANES = 16
_ALONE, _TOGETHER = 100, 50  # of each lane
_PAYLOAD = b"x" * 120  # as long as a report


async def measured(orders, ca):
    from mqtt5 import opening
    from mqtt5.client import Client
    from netio.sockets import Dialer
    from netio.stream import verifying_context

    clock = Clock()
    client = Client(Dialer(clock, Here(), verifying_context([ca])), clock, orders["host"], orders["port"])
    await opening.connect(client, *orders["account"])

    async def speak(count):
        for _ in range(count):
            await client.publish(orders["topic"], _PAYLOAD)

    async def rate(lanes, each):
        start = time.ticks_us()
        await asyncio.gather(*[speak(each) for _ in range(lanes)])
        return lanes * each * 1000000 // time.ticks_diff(time.ticks_us(), start)

    rates = {"alone": [], "together": []}
    for _ in range(orders["rounds"]):
        rates["alone"].append(await rate(1, _ALONE))
        rates["together"].append(await rate(_LANES, _TOGETHER))
    await client.disconnect()
    return rates


def main(orders):
    with open(orders) as file:
        orders = json.load(file)
    sys.path[:] = [".frozen", orders["lib"]]
    with open(orders["ca"], "rb") as file:
        ca = file.read()
    print(json.dumps(asyncio.run(measured(orders, ca))))


main(sys.argv[1])
