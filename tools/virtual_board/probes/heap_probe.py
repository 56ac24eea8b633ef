"""In place of main.py: the firmware, whose clock soon runs faster, and a task beside it that measures the heap.

From then on it prints `PROBE <bytes>` ten times a second: the heap in use after a collection; and once a second what
the interpreter reports of it, the largest free piece included. Joining the network takes as long as the radio needs,
hence the pause; deadlines stay in real time. The log's ring is filled first, as it is after a day, so that it does not
look like growth. Part of the benchmarks, never of a device.
"""

import asyncio
import gc
import micropython
import time

from firmware import device

_SPEED = 100
_PAUSE_MS = 4000
_LINES = 50
_Clock, _Log = device.Clock, device.Log
_since, _logs = [], []


def _ticks_ms():
    now = time.ticks_ms()
    return _since[0] + time.ticks_diff(now, _since[0]) * _SPEED if _since else now


def _sleep_ms(ms):
    return asyncio.sleep_ms(max(ms // _SPEED, 1) if _since else ms)


async def _probe():
    await asyncio.sleep_ms(_PAUSE_MS)
    for _ in range(_LINES):
        _logs[0].log("info", "a line as long as the average of them, forty to a hundred bytes")
    _since.append(time.ticks_ms())
    while True:
        for _ in range(10):
            gc.collect()
            print("PROBE", gc.mem_alloc())
            await asyncio.sleep_ms(100)
        gc.collect()
        micropython.mem_info()


def _known_log(*parts):
    _logs.append(_Log(*parts))
    return _logs[0]


device.Log = _known_log
device.Clock = lambda *_: _Clock(_ticks_ms, _sleep_ms)
asyncio.create_task(_probe())  # noqa: RUF006  the loop's queue holds it
import device_main  # noqa: E402, F401  only now
