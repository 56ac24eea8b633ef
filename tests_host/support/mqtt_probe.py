"""Runs on the real MicroPython: uses lib/mqtt5 against a real server as a host test asks, prints what it saw as JSON.

micropython mqtt_probe.py ROOT ORDERS     (a JSON file; its "do" names one of the functions below)
"""

import asyncio
import gc
import json
import sys
import time

sys.path.append(sys.argv[1] + "/tools/virtual_board/probes")

from seams import Clock, Here

TOPIC = "test/echo"


class Rig:
    def __init__(self, job, clock):
        from netio.sockets import Dialer
        from netio.stream import verifying_context

        with open(job["ca"], "rb") as file:
            self.dialer = Dialer(clock, Here(), verifying_context([file.read()]))
        self.job = job
        self.clock = clock

    def client(self):
        from mqtt5.client import Client

        return Client(self.dialer, self.clock, self.job["host"], self.job["port"])

    async def connect(self, name="device", **options):
        client = self.client()
        await self.join(client, name, **options)
        return client

    async def join(self, client, name="device", **options):
        from mqtt5 import opening

        options.setdefault("version", self.job["version"])
        return await opening.connect(
            client, name, "user", self.job.get("password", "test-secret-not-real"), **options
        )

    async def subscribe(self, client, topic=TOPIC):
        from mqtt5 import opening

        await opening.subscribe(client, [topic])


async def refused(rig):
    """Connect, which fails."""
    await rig.connect()


async def receive(client, times):
    """The payloads of the next messages, acknowledged."""
    got = []
    for _ in range(times):
        message = await client.receive()
        got.append(message.payload)
        client.done(message.receipt)
    return got


async def echo(rig):
    """Subscribe and hear our own messages, published by several tasks at once."""
    client = await rig.connect()
    await rig.subscribe(client)
    times = rig.job["times"]

    async def speak(lane):
        for n in range(times):
            await client.publish(TOPIC, b"%d.%d" % (lane, n), 600)

    async def listen():
        return await receive(client, 5 * times)

    hearing = asyncio.create_task(listen())
    await asyncio.gather(*[speak(lane) for lane in range(5)])
    got = await asyncio.wait_for(hearing, 10)
    in_order = True
    for lane in range(5):
        mine = [text for text in got if text.startswith(b"%d." % lane)]
        in_order = in_order and mine == [b"%d.%d" % (lane, n) for n in range(times)]
    await client.disconnect()
    return {"received": len(got), "in_order": in_order}


async def cancelled(rig):
    """Give up publishes at every moment, also while they are being written; the connection must not mind."""
    client = await rig.connect()
    await rig.subscribe(client)
    for turn in range(30):
        tasks = [asyncio.create_task(client.publish("test/nobody", bytes(5000))) for _ in range(20)]
        for _ in range(turn):
            await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
    for n in range(3):
        await asyncio.wait_for(client.publish(TOPIC, b"%d" % n), 5)
    got = await receive(client, 3)
    await client.disconnect()
    return [text.decode() for text in got]


async def rates(rig):
    """Publishes per second, one at a time and sixteen at once; heap in use and its growth."""
    client = await rig.connect()
    times = rig.job["times"]

    async def speak(count):
        for _ in range(count):
            await client.publish("test/nobody", b"x" * 100)

    async def rate(lanes, each):
        start = time.ticks_us()
        await asyncio.gather(*[speak(each) for _ in range(lanes)])
        return lanes * each * 1000000 // time.ticks_diff(time.ticks_us(), start)

    found = {"alone": await rate(1, times // 16)}
    await rate(16, 10)
    gc.collect()
    before = gc.mem_alloc()
    found["together"] = await rate(16, times // 16)
    gc.collect()
    found["growth"] = gc.mem_alloc() - before
    found["heap"] = gc.mem_alloc()
    await client.disconnect()
    return found


async def redelivery(rig):
    """Lose a connection with messages unfinished in all ways, come back, and see each once more or not at all."""
    kept = {"clean": False, "session_expiry_s": 60}
    client = await rig.connect(**kept)
    await rig.subscribe(client)
    for text in (b"answered", b"held", b"finished offline", b"never received"):
        await client.publish(TOPIC, text)
    client.done((await client.receive()).receipt)
    held, offline = await client.receive(), await client.receive()
    await asyncio.sleep_ms(50)
    client.close()
    client.done(offline.receipt)
    facts = await rig.join(client, **kept)
    await client.publish(TOPIC, b"new")
    got = [await client.receive(), await client.receive()]
    for message in got:
        client.done(message.receipt)
    client.done(held.receipt)
    await asyncio.sleep_ms(100)
    await client.disconnect()
    again = await rig.join(client, **kept)
    await client.publish(TOPIC, b"last")
    last = await client.receive()
    await client.disconnect()
    return {
        "present": [facts.session_present, again.session_present],
        "got": [message.payload.decode() for message in got],
        "last": last.payload.decode(),
        "open": len(client.session.held),
    }


async def resumed(rig):
    """The same with any broker: what comes after the connection was lost, until nothing has come for two seconds."""
    kept = {"clean": False, "session_expiry_s": 60}
    name = "resumed-%d" % rig.job["version"]
    client = await rig.connect(name, **kept)
    await rig.subscribe(client)
    for text in (b"answered", b"held", b"never received"):
        await client.publish(TOPIC, text)
    client.done((await client.receive()).receipt)
    await client.receive()  # there are brokers that send the next one only after the answer to this
    await asyncio.sleep_ms(50)
    client.close()
    client.lose()
    facts = await rig.join(client, name, **kept)
    if not facts.session_present:
        await rig.subscribe(client)
    await client.publish(TOPIC, b"new")
    got = []
    try:
        while True:
            message = await asyncio.wait_for(client.receive(), 2)
            client.done(message.receipt)
            got.append(message.payload.decode())
    except asyncio.TimeoutError:
        pass
    await client.disconnect()
    return {"present": facts.session_present, "got": got}


async def from_node_to_node(rig):
    """Publish numbers one after the other in a kept session; when the connection ends, go on at the next of `ports`
    with the one that was not acknowledged. Also receive until "end"."""
    from netio.errors import NetError

    kept = {"clean": False, "session_expiry_s": 60}
    ports = rig.job["ports"]
    client = await rig.connect(**kept)
    await rig.subscribe(client, "test/desired")
    print("ready")
    present, got, number = [], [], 0
    while not got or got[-1] != "end":
        try:
            await client.publish(TOPIC, b"%d" % number)
            number += 1
            while client.inbox:
                got += [text.decode() for text in await receive(client, 1)]
            await asyncio.sleep_ms(5)
        except NetError:
            client.port = ports[len(present)]
            present.append((await rig.join(client, **kept)).session_present)
            if not present[-1]:
                await rig.subscribe(client, "test/desired")
            print("again")
    await client.disconnect()
    return {"published": number, "present": present, "got": got}


async def taken_over(rig):
    """Two connections under one name."""
    client = await rig.connect()
    other = await rig.connect()
    try:
        await client.receive()
    finally:
        other.close()


async def too_large(rig):
    client = await rig.connect()
    await client.publish(TOPIC, bytes(7000))


async def will(rig):
    """Go without a word, and with one."""
    watcher = await rig.connect("watcher")
    await rig.subscribe(watcher, "test/+")
    got = []
    for reason in (None, 0, 4):
        client = await rig.connect(will=("test/will", "gone %s" % reason))
        if reason is None:
            client.close()
        else:
            await client.disconnect(reason)
        await watcher.publish("test/mark", b"mark")
        await asyncio.sleep_ms(100)
    while watcher.inbox:
        got += await receive(watcher, 1)
        # The server sends only so many before the first of them is acknowledged.
        await asyncio.sleep_ms(100)
    watcher.close()
    return [text.decode() for text in got]


async def listen(rig):
    """Subscribe, say so, and hear what others publish until "end"."""
    client = await rig.connect()
    await rig.subscribe(client)
    print("ready")
    got = []
    while True:
        message = await client.receive()
        client.done(message.receipt)
        if message.payload == b"end":
            break
        size = None if message.large else len(message.payload)
        got.append([message.topic, size, message.retain])
    await client.disconnect()
    return got


async def until_it_ends(rig):
    """Publish and receive while the server is there; how long after "now" the waiters knew."""
    client = await rig.connect(keep_alive_s=rig.job["keep_alive_s"])
    await rig.subscribe(client)
    ends = []

    async def noting(coroutine):
        from netio.errors import NetError

        try:
            while True:
                await coroutine()
        except NetError as e:
            ends.append(e.kind)

    async def speak():
        await client.publish(TOPIC, b"x")
        await asyncio.sleep_ms(50)

    async def accept():
        client.done((await client.receive()).receipt)

    print("ready")
    start = rig.clock.ms()
    await asyncio.gather(noting(speak), noting(accept))
    return {"ends": ends, "after_ms": rig.clock.since(start)}


async def observed(job):
    from mqtt5.packet import MqttError
    from netio.errors import NetError

    clock = Clock()
    watch = asyncio.create_task(clock.watch())
    seen = {}
    try:
        seen["result"] = await globals()[job["do"]](Rig(job, clock))
    except NetError as e:
        seen["kind"], seen["detail"] = e.kind, e.detail
    except MqttError as e:
        seen["kind"], seen["detail"] = e.code, e.reason
    watch.cancel()
    seen["stall_ms"] = clock.stall_ms
    return seen


def main(root, file):
    sys.path[:] = [root, ".frozen", root + "/lib"]
    with open(file) as job:
        print(json.dumps(asyncio.run(observed(json.load(job)))))


main(sys.argv[1], sys.argv[2])
