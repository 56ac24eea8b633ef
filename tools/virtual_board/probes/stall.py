"""In place of main.py: the firmware, and a task beside it that measures how long the loop keeps it waiting.

Prints `PROBE <microseconds>` once a second: the longest delay of that second. Part of the benchmarks, never of a
device.
"""

import asyncio
import time

_STEP_MS = 5


async def _probe():
    while True:
        started, worst = time.ticks_ms(), 0
        while time.ticks_diff(time.ticks_ms(), started) < 1000:
            before = time.ticks_us()
            await asyncio.sleep_ms(_STEP_MS)
            worst = max(worst, time.ticks_diff(time.ticks_us(), before) - _STEP_MS * 1000)
        print("PROBE", worst)


asyncio.create_task(_probe())  # noqa: RUF006  the loop's queue holds it
import device_main  # noqa: E402, F401  only now
