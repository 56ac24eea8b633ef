"""In place of main.py: the firmware, and a task beside it that takes all free memory, again and again.

`hog.json` on the flash says how: {"seed": n, "times": n}. Each time is a random moment, from before the first
connection on: everything but at most 8 KB is taken for a fraction of a second. It prints `HOG <times so far>`
afterwards. After a reset it takes no more. Part of tests and benchmarks, never of a device.
"""

import asyncio
import gc
import json
import machine
import random

import _link
import _memory


class _Wire:
    """The wire to the simulated hardware, on which no reply is lost half read: on a chip there is none."""

    def __init__(self, wire):
        self.write = wire.write
        self._read = wire.readinto
        self._byte = bytearray(1)
        self._line = bytearray(1024)

    def readline(self):
        size = 0
        while not size or self._byte[0] != 10:
            if not self._read(self._byte):
                return b""
            self._line[size] = self._byte[0]
            size += 1
        return bytes(self._line[:size])


async def _hog(times):
    held = None
    for n in range(times):
        await asyncio.sleep_ms(random.getrandbits(10))
        left = random.getrandbits(13)
        gc.collect()
        try:
            while _memory.left() > left:
                held = (bytearray(64), held)
        except MemoryError:
            pass
        await asyncio.sleep_ms(random.getrandbits(9))
        held = None
        print("HOG", n + 1)


_link._wire[0] = _Wire(_link._wire[0])
with open("hog.json") as f:
    orders = json.load(f)
random.seed(orders["seed"])
if machine.reset_cause() == machine.PWRON_RESET:
    asyncio.create_task(_hog(orders["times"]))  # noqa: RUF006  the loop's queue holds it
import device_main  # noqa: E402, F401  only now
