"""Measures one client of a broker or of a web server, over TLS that verifies the server wherever the client lets it.

micropython peers.py ORDERS     (a JSON file)

ORDERS: `client`, one of the functions below; `path`, where modules are looked for; `ca`, `host`, `address`, `port`,
`topic`, `user`, `password`; `count`, how often each time is taken; `lanes` and `each`, how many callers publish at once
and how often each. Prints a JSON object: times in microseconds, heap in bytes. Part of the benchmarks, never of a
device.
"""

import asyncio
import gc
import json
import socket
import sys
import time

from seams import Clock, Here

_PAYLOAD = b"x" * 120  # as long as a report
_LACKS = 3  # exit status: this client is not at hand


class Measured:
    """What is found out about one client. `heap` is what it takes beyond what is there before its import."""

    def __init__(self, orders, ca):
        self.orders = orders
        self.ca = ca
        self.found = {}
        gc.collect()
        self.before = gc.mem_alloc()
        self.start = time.ticks_us()

    def imported(self):
        """The client can be made now."""
        self.found["import_us"] = time.ticks_diff(time.ticks_us(), self.start)
        gc.collect()
        self.found["code"] = gc.mem_alloc() - self.before
        self.start = time.ticks_us()

    def connected(self, module=None):
        self.found["connect_us"] = time.ticks_diff(time.ticks_us(), self.start)
        gc.collect()
        self.found["heap"] = gc.mem_alloc() - self.before
        if module:
            version = getattr(module, "__version__", None) or getattr(module, "VERSION", "")
            self.found["version"] = version if isinstance(version, str) else ".".join(map(str, version))
            self.found["file"] = getattr(module, "__file__", "")

    def check(self, status, size):
        """A response is what the server sends."""
        if (status, size) != (200, self.orders["body"]):
            raise OSError("answer %d of %d bytes" % (status, size))

    async def each(self, what, call):
        """How long each of `count` calls takes. The collector runs before, as on a device at rest."""
        took = []
        gc.collect()
        for _ in range(self.orders["count"]):
            start = time.ticks_us()
            await call()
            took.append(time.ticks_diff(time.ticks_us(), start))
        self.found[what] = took

    async def rate(self, publish, lanes):
        """Publishes per second of so many callers."""
        count = self.orders["each"] * self.orders["lanes"] // lanes if lanes > 1 else self.orders["count"]

        async def speak():
            for _ in range(count):
                await publish()

        gc.collect()
        start = time.ticks_us()
        await asyncio.gather(*[speak() for _ in range(lanes)])
        self.found["rate"] = lanes * count * 1000000 // time.ticks_diff(time.ticks_us(), start)

    async def broker(self, publish, subscribe, received, lanes):
        """All figures of a client of a broker, from its three verbs."""
        await self.each("publish_us", publish)
        await self.rate(publish, lanes)
        await subscribe()

        async def echo():
            await publish()
            await received()

        await self.each("echo_us", echo)


class Lacking:
    """A module of a stock image that the interpreter of a PC lacks, with what one client uses of it."""

    def __init__(self, **names):
        for name, value in names.items():
            setattr(self, name, value)


def verifying(ca):
    import tls

    context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)  # which verifies
    context.load_verify_locations(ca)
    return context


def seams(run):
    from netio.sockets import Dialer
    from netio.stream import verifying_context

    clock = Clock()
    return Dialer(clock, Here([run.orders["address"]]), verifying_context([run.ca])), clock


# -- clients of a broker --


async def mqtt5(run):
    """lib/mqtt5."""
    from mqtt5 import opening
    from mqtt5.client import Client

    orders = run.orders
    dialer, clock = seams(run)
    run.imported()
    client = Client(dialer, clock, orders["host"], orders["port"])
    await opening.connect(client, "peer", orders["user"], orders["password"])
    run.connected()
    for size in orders["sizes"]:
        await run.each("publish_%d_us" % size, lambda data=bytes(size): client.publish(orders["topic"], data))

    async def publish():
        await client.publish(orders["topic"], _PAYLOAD)

    async def subscribe():
        await opening.subscribe(client, [orders["topic"]])

    async def received():
        client.done((await client.receive()).receipt)

    await run.broker(publish, subscribe, received, orders["lanes"])
    await client.disconnect()


async def umqtt(run):
    """umqtt.simple, which blocks: one publish after the other is all it can."""
    orders, context = run.orders, verifying(run.ca)

    def wrap_socket(sock, **_):
        return context.wrap_socket(sock, server_hostname=orders["host"])

    sys.modules["ussl"] = Lacking(wrap_socket=wrap_socket)  # for versions that take no context
    from umqtt import simple

    run.imported()
    client = simple.MQTTClient(
        "peer", orders["host"], orders["port"], orders["user"], orders["password"], ssl=context
    )
    client.connect()
    run.connected(simple)
    came = []

    async def publish():
        client.publish(orders["topic"].encode(), _PAYLOAD, qos=1)

    async def subscribe():
        client.set_callback(lambda *message: came.append(message))
        client.subscribe(orders["topic"].encode(), 1)

    async def received():
        while not came:
            client.wait_msg()
        came.clear()

    await run.broker(publish, subscribe, received, 1)
    client.disconnect()


class _Station:
    """The Wi-Fi of a board, joined."""

    def active(self, on=True):
        return on

    def connect(self, *_):
        pass

    disconnect = connect

    def isconnected(self):
        return True


async def mqtt_as(run):
    """mqtt_as with MQTT 5."""
    orders, context = run.orders, verifying(run.ca)

    def wrap_socket(sock, **_):
        return context.wrap_socket(sock, server_hostname=orders["host"])

    sys.modules["ssl"] = sys.modules["ussl"] = Lacking(wrap_socket=wrap_socket)
    sys.modules["network"] = Lacking(WLAN=lambda _: _Station(), STA_IF=0)
    sys.modules["machine"] = Lacking(unique_id=lambda: b"peer")
    import mqtt_as as module

    run.imported()
    came = asyncio.Event()
    config = module.config
    config["server"], config["port"], config["ssl"] = orders["host"], orders["port"], True
    config["client_id"], config["user"], config["password"] = "peer", orders["user"], orders["password"]
    config["mqttv5"], config["subs_cb"] = True, lambda *_: came.set()
    client = module.MQTTClient(config)
    await client.connect(quick=True)
    run.connected(module)

    async def publish():
        await client.publish(orders["topic"], _PAYLOAD, qos=1)

    async def subscribe():
        await client.subscribe(orders["topic"], 1)

    async def received():
        await came.wait()
        came.clear()

    await run.broker(publish, subscribe, received, orders["lanes"])
    await client.disconnect()


# -- clients of a web server --


async def http1(run):
    """lib/http1, which keeps its connection."""
    from http1.client import Client

    dialer, clock = seams(run)
    run.imported()
    client = Client(dialer, clock, run.orders["host"], run.orders["port"])

    async def get():
        response = await client.request("GET", "/")
        run.check(response.status, len(response.body))

    await get()
    run.connected()
    await run.each("get_us", get)
    client.close()


async def requests(run):
    """requests, which connects for each request, and verifies nothing."""
    import requests as module

    run.imported()
    url = "https://%s:%d/" % (run.orders["host"], run.orders["port"])

    async def get():
        response = module.get(url)  # noqa: ASYNC210 - it can only block
        run.check(response.status_code, len(response.content))
        response.close()

    await get()
    run.connected(module)
    await run.each("get_us", get)


# -- what no client can undercut --


async def stream(run):
    """The stream of lib/netio alone: bytes to a server that sends them back."""
    dialer, _ = seams(run)
    run.imported()
    open_stream = await dialer.dial(run.orders["host"], run.orders["port"])
    view = memoryview(bytearray(256))

    async def echo():
        await open_stream.write(_PAYLOAD)
        left = len(_PAYLOAD)
        while left:
            left -= await open_stream.read_into(view)

    await echo()
    run.connected()
    run.found["tls"] = open_stream.socks[0].cipher()[1]
    await run.each("echo_us", echo)
    open_stream.close()


async def blocking(run):
    """The same with a TLS socket that blocks, so that nothing else can run meanwhile."""
    context = verifying(run.ca)
    run.imported()
    sock = socket.socket()
    sock.connect(socket.getaddrinfo(run.orders["address"], run.orders["port"])[0][-1])
    secured = context.wrap_socket(sock, server_hostname=run.orders["host"])

    async def echo():
        secured.write(_PAYLOAD)
        secured.read(len(_PAYLOAD))

    await echo()
    run.connected()
    run.found["tls"] = secured.cipher()[1]
    await run.each("echo_us", echo)
    secured.close()


def main(file):
    with open(file) as text:
        orders = json.load(text)
    with open(orders["ca"], "rb") as content:
        ca = content.read()
    sys.path[:] = orders["path"]
    run = Measured(orders, ca)
    try:
        asyncio.run(globals()[orders["client"]](run))
    except ImportError as error:
        print(error)
        sys.exit(_LACKS)
    print(json.dumps(run.found))


main(sys.argv[1])
