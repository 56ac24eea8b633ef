"""In-memory stand-ins for the network and the clock, for tests of code that waits. Runs on both interpreters.

A script is a list of what a stream does to its reader, in order: bytes are delivered (in pieces as large as the
reader's buffer), a number is that many milliseconds of silence, an exception is raised, and the end of the list is
silence for good. b"" is the peer's orderly end.
"""

import asyncio

FOREVER_MS = 1 << 29
_MASK = (1 << 30) - 1
_HALF = 1 << 29


class FakeClock:
    """The Clock seam for one task at a time: waiting moves the time, and a deadline strikes when it is reached.

    Starts shortly before the counter wraps.
    """

    def __init__(self, start=(1 << 30) - 500, utc=None):
        self._now = start
        self._deadline = None
        self._utc = utc
        self.waited_ms = 0

    def ms(self):
        return self._now & _MASK

    def since(self, earlier):
        """As on the device: right for 6.2 days, negative for the 6.2 days after that."""
        return ((self._now - earlier + _HALF) & _MASK) - _HALF

    def utc(self):
        return self._utc

    async def sleep_ms(self, n):
        await asyncio.sleep(0)
        left = n if self._deadline is None else min(n, self._deadline - self._now)
        self._now += left
        self.waited_ms += left
        if left < n:
            raise asyncio.CancelledError

    async def within(self, ms, awaitable):
        outer, mine = self._deadline, self._now + ms
        self._deadline = mine if outer is None else min(outer, mine)
        try:
            return await awaitable
        except asyncio.CancelledError:
            if self._deadline != mine or self._now < mine:
                raise
        finally:
            self._deadline = outer
        raise asyncio.TimeoutError


class ScriptedStream:
    """The Stream seam. `sent` is what was written, `closed` counts how often it was closed.

    `send_error`: an exception that every write raises, or None.
    """

    def __init__(self, script, clock=None, send_error=None):
        self._script = list(script)
        self._clock = clock or FakeClock()
        self._send_error = send_error
        self.sent = b""
        self.closed = 0

    async def read_into(self, view):
        while self._script:
            await asyncio.sleep(0)
            step = self._script.pop(0)
            if isinstance(step, Exception):
                raise step
            if isinstance(step, int):
                await self._clock.sleep_ms(step)
                continue
            n = min(len(step), len(view))
            view[:n] = step[:n]
            if n < len(step):
                self._script.insert(0, step[n:])
            return n
        await self._clock.sleep_ms(FOREVER_MS)

    async def write(self, data):
        await asyncio.sleep(0)
        if self._send_error is not None:
            raise self._send_error
        self.sent += bytes(data)

    def close(self):
        self.closed += 1


class ScriptedVisitor:
    """Reader and writer in one, as asyncio.start_server hands them over. `received`: what was answered; at the end of
    the script the visitor closes."""

    def __init__(self, clock, *script):
        self._clock = clock
        self._script = list(script)
        self.received = b""
        self.closed = 0

    async def read(self, n):
        step = self._script.pop(0) if self._script else b""
        if isinstance(step, Exception):
            raise step
        if isinstance(step, int):
            await self._clock.sleep_ms(step)
            return await self.read(n)
        if len(step) > n:
            self._script.insert(0, step[n:])
        return step[:n]

    def write(self, data):
        self.received += data

    async def drain(self):
        await asyncio.sleep(0)

    def close(self):
        self.closed += 1

    async def wait_closed(self):
        await asyncio.sleep(0)


class ScriptedDialer:
    """The Dialer seam. `steps`: for each dial the ScriptedStream it returns, the exception it raises, or None: silence.

    `dialled` lists the (host, port, tls) asked for.
    """

    def __init__(self, steps, clock=None):
        self._steps = list(steps)
        self._clock = clock or FakeClock()
        self.dialled = []

    async def dial(self, host, port, tls=True):
        await asyncio.sleep(0)
        self.dialled.append((host, port, tls))
        step = self._steps.pop(0)
        if step is None:
            await self._clock.sleep_ms(FOREVER_MS)
        if isinstance(step, Exception):
            raise step
        return step
