"""The device's clock: a wrapping millisecond counter, waiting, deadlines, and the time of day once it is known.

The only part of the firmware that reads the chip's counter. All waiting goes through it.
"""

import asyncio
from micropython import const

from firmware.core.timing import diff

_MASK = const(0x3FFFFFFF)


class Clock:
    """`ticks_ms()`: a millisecond counter that may wrap at 2**30 or a multiple of it. `sleep_ms(ms)`: awaitable."""

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
        """Return the milliseconds since `start`; correct for up to 6.2 days."""
        return diff(self.ms(), start)

    async def within(self, ms, awaitable):
        """Return the result of `awaitable`. After `ms` milliseconds it is cancelled: asyncio.TimeoutError.

        Replaces asyncio.wait_for, which runs `awaitable` in a task of its own: if memory runs out in between, that task
        continues on its own, or the caller is cancelled although nobody asked for that.
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
        """Return the whole seconds since the start. Must be called at least every six days; the control loop does
        so."""
        now = self.ms()
        self.rest += diff(now, self.last)
        self.last = now
        self.uptime += self.rest // 1000
        self.rest %= 1000
        return self.uptime

    def set_utc(self, unix_s):
        self.offset = unix_s - self.uptime_s()

    def utc(self):
        """Return the time in Unix seconds, None while the clock is not set."""
        uptime = self.uptime_s()
        return None if self.offset is None else self.offset + uptime
