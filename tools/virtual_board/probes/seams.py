"""The seams of `lib` on a real MicroPython's own time and machine, for the programs that measure or test it there."""

import asyncio
import time


class Clock:
    """The Clock seam. `stall_ms`: the longest time the loop did not come back, while `watch` runs."""

    def __init__(self):
        self.stall_ms = 0

    def ms(self):
        return time.ticks_ms() & 0x3FFFFFFF

    def since(self, start):
        return (self.ms() - start) & 0x3FFFFFFF

    async def sleep_ms(self, n):
        await asyncio.sleep_ms(n)

    def within(self, ms, awaitable):
        return asyncio.wait_for_ms(awaitable, ms)

    async def watch(self):
        while True:
            start = self.ms()
            await asyncio.sleep_ms(1)
            self.stall_ms = max(self.stall_ms, self.since(start))


class Here:
    """The Resolver seam: every name is this machine, or all have the same `addresses`."""

    def __init__(self, addresses=("127.0.0.1",)):
        self.addresses = addresses
        self.forgotten = []

    async def resolve(self, host):
        return self.addresses

    def forget(self, host):
        self.forgotten.append(host)
