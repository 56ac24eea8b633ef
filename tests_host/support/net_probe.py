"""Runs on the real MicroPython: uses `lib` on real sockets as a host test asks, and prints what it saw as JSON.

micropython net_probe.py ROOT ORDERS     (a JSON file; its "do" names one of the functions below)
"""

import asyncio
import json
import os
import sys
import time

sys.path.append(sys.argv[1] + "/tools/virtual_board/probes")

from seams import Clock, Here


class Hurried(Clock):
    """`hurry`: {deadline in ms, as text: the shorter one to use for it}."""

    def __init__(self, hurry):
        super().__init__()
        self.hurry = hurry

    def within(self, ms, awaitable):
        return super().within(self.hurry.get(str(ms), ms), awaitable)


def rng():
    return time.ticks_us() * 2654435761 & 0xFFFFFFFF


def open_files():
    return len(os.listdir("/dev/fd"))


def option(sock, level, name):
    """The value of a socket's option, a number, asked from the C library: MicroPython has no getsockopt."""
    import struct

    import ffi

    get = ffi.open("libc.so.6").func("i", "getsockopt", "iiiPP")
    value, size = bytearray(4), bytearray(struct.pack("I", 4))
    assert get(sock.fileno(), level, name, value, size) == 0
    return struct.unpack("i", value)[0]


def client(job, clock):
    from http1 import message
    from http1.client import Client
    from netio.sockets import Dialer
    from netio.stream import verifying_context

    ders = []
    if job["ca"]:
        with open(job["ca"], "rb") as file:
            ders.append(file.read())
    message.MAX_BODY = 200000
    return Client(
        Dialer(clock, Here(), verifying_context(ders) if ders else None), clock, job["host"], job["port"]
    )


async def get(job, clock):
    """GET `times` times over one client: status, size and checksum of each body, or the error."""
    import binascii

    web = client(job, clock)
    answers = []
    for _ in range(job.get("times", 1)):
        body = (await web.request("GET", "/x", (("Authorization", "Bearer test-secret-not-real"),))).body
        answers.append([len(body), binascii.crc32(body)])
    dials = web.dials
    web.close()
    return {"answers": answers, "dials": dials}


class Rotating(Here):
    """A name server that lists the addresses in another order each time."""

    async def resolve(self, host):
        addresses = self.addresses
        self.addresses = addresses[1:] + addresses[:1]
        return addresses


async def second_address(job, clock):
    """GET from a host of which one address is dead, until it works. `addresses`: as the name server lists them first;
    `rotates`: it changes their order."""
    from netio.errors import NetError

    web = client(job, clock)
    if job["rotates"]:
        web.dialer.resolver = Rotating()
    web.dialer.resolver.addresses = job["addresses"]
    kinds = []
    while web.dials < 5:
        try:
            await web.request("GET", "/x")
            break
        except NetError as e:
            kinds.append(e.kind)
    web.close()
    return {"kinds": kinds, "forgotten": web.dialer.resolver.forgotten}


async def plain(job, clock):
    """Send a line without TLS and read until the peer ends."""
    from netio.sockets import Dialer

    stream = await Dialer(clock, Here(), None).dial(job["host"], job["port"], tls=False)
    await stream.write(b"ping\n")
    view = memoryview(bytearray(100))
    sizes = [await stream.read_into(view), await stream.read_into(view)]
    undelayed = option(stream.socks[0], 6, 1)
    stream.close()
    stream.close()
    return {"sizes": sizes, "text": bytes(view[: sizes[0]]).decode(), "undelayed": undelayed}


async def post(job, clock):
    """POST `size` bytes; the server answers with their checksum."""
    web = client(job, clock)
    response = await web.request("POST", "/x", (), bytes(range(256)) * (job["size"] // 256))
    web.close()
    return {"body": bytes(response.body).decode()}


async def cancel(job, clock):
    """Cancel a request `after_ms`, `times` times."""
    web = client(job, clock)
    for _ in range(job["times"]):
        task = asyncio.create_task(web.request("GET", "/x"))
        await asyncio.sleep_ms(job["after_ms"])
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            pass
    await asyncio.sleep_ms(50)
    return {
        "open": web.stream is not None,
        "requests": web.requests,
        "dials": web.dials,
        "forgotten": len(web.dialer.resolver.forgotten),
    }


async def unverified(job, clock):
    """Turn verification off behind the dialer's back, then request."""
    web = client(job, clock)
    web.dialer.context.verify_mode = 0
    return await web.request("GET", "/x")


async def bad_ca(job, clock):
    from netio.sockets import Dialer
    from netio.stream import verifying_context

    output = []
    for ders in ([b""], [b"not DER"]):
        try:
            Dialer(clock, Here(), verifying_context(ders))
        except ValueError as e:
            output.append(str(e))
    return {"said": output}


class Sock:
    """Something to close; counts how often, and fails at it on request."""

    def __init__(self, fails):
        self.closed = 0
        self.fails = fails

    def close(self):
        self.closed += 1
        if self.fails:
            raise OSError(5)


async def closing(job, clock):
    from netio.stream import Stream

    socks = [Sock(job["fails"]), Sock(job["fails"])]
    stream = Stream(*socks)
    stream.close()
    stream.close()
    return [sock.closed for sock in socks]


async def udp(job, clock):
    from netio.sockets import exchange

    data = await exchange("127.0.0.1", job["port"], b"ping", clock, 300)
    return {"data": data.decode()}


async def resolve(job, clock):
    from dnsstub.resolver import Resolver

    return await Resolver(clock, lambda: job["servers"], rng).resolve(job["host"])


async def sntp(job, clock):
    from sntp.client import query

    return await query("any:%d" % job["port"], Here(), clock, rng, job["floor_s"])


async def observed(job):
    from http1.message import HttpError
    from netio.errors import NetError

    clock = Hurried(job.get("hurry", {}))
    watch = asyncio.create_task(clock.watch())
    before = open_files()
    seen = {}
    start = clock.ms()
    try:
        seen["result"] = await globals()[job["do"]](job, clock)
    except NetError as e:
        seen["kind"], seen["detail"] = e.kind, e.detail
    except HttpError as e:
        seen["kind"], seen["detail"] = "http", str(e)
    watch.cancel()
    seen.update({"took_ms": clock.since(start), "stall_ms": clock.stall_ms, "leaked": open_files() - before})
    return seen


def main(root, file):
    sys.path[:] = [root, ".frozen", root + "/lib"]
    with open(file) as job:
        print(json.dumps(asyncio.run(observed(json.load(job)))))


main(sys.argv[1], sys.argv[2])
