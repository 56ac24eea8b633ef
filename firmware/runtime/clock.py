"""The device's clock: milliseconds that wrap, waiting, deadlines, and the time of day once it is known.

The only place of the firmware that reads a time source. All waiting goes through it.
"""

import asyncio
from micropython import const

from firmware.core.timing import diff

_MASK = const(0x3FFFFFFF)


class Clock:
    """`ticks_ms()`: counts milliseconds and may wrap at 2**30 or any multiple of it; `sleep_ms(ms)`: awaitable."""

    def __init__(self, ticks_ms, sleep_ms):
        self.ticks_ms = ticks_ms
        self.sleep_ms = sleep_ms
        self.last = self.ms()
        self.rest = 0
        self.uptime = 0
        self.offset = None

    def ms(self):
        return self.ticks_ms() & _MASK

    def since(self, start):
        """Milliseconds since `start`, right for 6.2 days."""
        return diff(self.ms(), start)

    async def within(self, ms, awaitable):
        """The result of `awaitable`, or asyncio.TimeoutError after `ms`, which cancels it.

        In place of asyncio.wait_for, which runs `awaitable` in a task of its own: where memory ends between its steps,
        that task goes on by itself, or the caller is cancelled without a request.
        """
        struck = []
        strike = asyncio.create_task(self.strike(ms, struck, asyncio.current_task()))
        try:
            return await awaitable
        except asyncio.CancelledError:
            if struck:
                raise asyncio.TimeoutError
            raise
        finally:
            strike.cancel()

    async def strike(self, ms, struck, task):
        await asyncio.sleep(ms / 1000)
        struck.append(ms)
        task.cancel()

    def uptime_s(self):
        """Whole seconds since the start. Has to be asked at least once in six days; the control loop does."""
        now = self.ms()
        self.rest += diff(now, self.last)
        self.last = now
        self.uptime += self.rest // 1000
        self.rest %= 1000
        return self.uptime

    def set_utc(self, unix_s):
        self.offset = unix_s - self.uptime_s()

    def utc(self):
        """Unix seconds, or None while the clock is not set."""
        uptime = self.uptime_s()
        return None if self.offset is None else self.offset + uptime
