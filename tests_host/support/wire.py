"""A clock and a stream for tests of several tasks that wait for each other, in virtual time. Runs on both interpreters.

The test moves the time by `advance`, and plays the peer by hand: `feed`, `hang_up`, `sent`.
"""

import asyncio

from iotmp.frame import IotmpError
from mqtt5.packet import MqttError
from netio.errors import NetError

_ERRORS = NetError, IotmpError, MqttError
_MASK = (1 << 30) - 1
_TURNS = 40


async def run_pending():
    """Let everything run that can run without time going by."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)


class Timers:
    """The Clock seam for any number of tasks. Starts shortly before the counter wraps."""

    def __init__(self):
        self.now = (1 << 30) - 500
        self.waiting = []

    def ms(self):
        return self.now & _MASK

    def since(self, start):
        return (self.now - start) & _MASK

    async def sleep_ms(self, n):
        await self._until(self.now + n, asyncio.Event())

    async def _until(self, moment, event):
        entry = (moment, event)
        self.waiting.append(entry)
        try:
            await event.wait()
        finally:
            if entry in self.waiting:
                self.waiting.remove(entry)

    async def within(self, ms, awaitable):
        over = asyncio.Event()
        result = []

        async def run():
            try:
                result.append((await awaitable, None))
            except Exception as e:  # noqa: BLE001 - it is handed on below
                result.append((None, e))
            over.set()

        task = asyncio.create_task(run())
        try:
            await self._until(self.now + ms, over)
        finally:
            if not result:
                task.cancel()
        if not result:
            raise asyncio.TimeoutError
        value, error = result[0]
        if error:
            raise error
        return value

    async def advance(self, ms):
        """Let `ms` go by, waking whoever's time comes, in the right order."""
        end = self.now + ms
        await run_pending()
        while True:
            due = [moment for moment, _ in self.waiting if moment <= end]
            if not due:
                break
            self.now = max(self.now, min(due))
            for entry in [entry for entry in self.waiting if entry[0] <= self.now]:
                self.waiting.remove(entry)
                entry[1].set()
            await run_pending()
        self.now = end


class Wire:
    """The Stream seam. Like MicroPython's it has one reader and one writer, and cancelling either harms the other.

    `sent`: what was written, in how many `writes`; `stuck`: writes never return; `closed`: how often it was closed.
    """

    def __init__(self):
        self.sent = b""
        self.writes = 0
        self.stuck = False
        self.closed = 0
        self.inbound = []
        self.readers = self.writers = 0
        self.cancelled = 0
        self.event = asyncio.Event()
        self.broken = None

    def feed(self, data):
        self.inbound.append(bytes(data))
        self.event.set()

    def hang_up(self):
        self.feed(b"")

    def fail(self, error):
        """Every read and write raises `error`."""
        self.broken = error
        self.event.set()

    def take_sent(self):
        sent, self.sent = self.sent, b""
        return sent

    async def read_into(self, view):
        assert not self.readers and len(view)
        self.readers += 1
        try:
            await asyncio.sleep(0)
            while not self.inbound and not self.broken:
                self.event.clear()
                await self.event.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.readers -= 1
        if self.broken:
            raise self.broken
        data = self.inbound.pop(0)
        n = min(len(data), len(view))
        view[:n] = data[:n]
        if n < len(data):
            self.inbound.insert(0, data[n:])
        return n

    async def write(self, data):
        assert not self.writers, "two writers"
        self.writers += 1
        try:
            await asyncio.sleep(0)
            if self.stuck:
                await asyncio.Event().wait()
            if self.broken:
                raise self.broken
            self.sent += bytes(data)
            self.writes += 1
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.writers -= 1

    def close(self):
        self.closed += 1


class Wires:
    """The Dialer seam: hands out `wires` in turn; an exception among them is raised, None never comes."""

    def __init__(self, *wires):
        self.wires = list(wires)
        self.dialled = []

    async def dial(self, host, port, tls=True):
        self.dialled.append((host, port, tls))
        await asyncio.sleep(0)
        wire = self.wires.pop(0)
        if wire is None:
            await asyncio.Event().wait()
        if isinstance(wire, Exception):
            raise wire
        return wire


async def check_connect(rig, connect):
    """It fails in every phase, and closes when cancelled. `rig(wire)`: a client beside its peer; `connect(rig)`."""
    silent, stuck, ended = Wire(), Wire(), Wire()
    stuck.stuck = True
    ended.hang_up()
    for wire, words, ms in (
        (NetError("connect", "refused"), "connect: refused", 0),
        (None, "timeout: connect", 40000),
        (stuck, "timeout: answer", 40000),
        (silent, "timeout: answer", 40000),
        (ended, "closed: by the server", 0),
    ):
        here = rig(wire)
        outcome = await started(connect(here))
        if ms:
            await here.clock.advance(ms - 1)
            assert not outcome.over
            await here.clock.advance(1)
        assert outcome.error == words
        assert not here.client.session.out, "no credential stays behind"
        if isinstance(wire, Wire):
            assert wire.closed == 1
    here = rig(Wire())
    outcome = await started(connect(here))
    outcome.task.cancel()
    await run_pending()
    assert here.wire.closed == 1


class Outcome:
    """A coroutine running beside the test: `over`, and its `result` or its `error` in words."""

    def __init__(self, coroutine):
        self.over = False
        self.result = self.error = None
        self.task = asyncio.create_task(self._run(coroutine))

    async def _run(self, coroutine):
        try:
            self.result = await coroutine
        except _ERRORS as e:
            self.error = str(e)
        self.over = True


async def started(coroutine):
    """Its Outcome, when it has done what it can at once."""
    outcome = Outcome(coroutine)
    await run_pending()
    return outcome


async def failure(coroutine):
    """The error it ends with in words, None without one."""
    try:
        await coroutine
    except _ERRORS as e:
        return str(e)
    return None
