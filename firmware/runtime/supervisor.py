"""Runs the loops of the firmware, and feeds the watchdog while each of them calls its `feed`.

A loop that raises is logged, puts the outputs into their safe state, and is started again. If it keeps raising, the
supervisor resets the chip. If a loop is silent, the watchdog times out. A boot counts as good after a minute. This
file, main.py and safe mode are the only places that catch every exception.
"""

import asyncio
from micropython import const

from firmware.core.timing import Backoff, Timer

_CHECK_MS = const(1000)
_GOOD_MS = const(60000)
_SUMMARY_MS = const(600000)
_CALM_MS = const(600000)
_MOST_FAILURES = const(5)


class Supervisor:
    """`board`: for watchdog and reset; `watchdog`: its driver or None; `store.mark_good()`: see runtime.store;
    `controller`: for safe state."""

    def __init__(self, clock, rng, log, board, watchdog, store, controller):
        self.clock = clock
        self.rng = rng
        self.log = log
        self.board = board
        self.watchdog = watchdog
        self.store = store
        self.controller = controller
        self.loops = []
        self.silent = None

    def add(self, name, loop, most_silent_ms):
        """Run `loop.run(feed)`, which never returns and calls `feed()` at least every `most_silent_ms`."""
        self.loops.append((name, loop, most_silent_ms, Timer(self.clock.ms())))

    async def run(self):
        """Runs until cancelled."""
        tasks = [asyncio.create_task(self.keep(*loop)) for loop in self.loops]
        good = Timer(self.clock.ms(), _GOOD_MS)
        summary = Timer(self.clock.ms(), 10000)
        marked = False
        try:
            while True:
                now = self.clock.ms()
                self.watch(now)
                if summary.passed(now):
                    summary = Timer(now, _SUMMARY_MS)
                    outbox = self.controller.outbox
                    facts = self.board.heap() + (len(outbox), outbox.dropped)
                    self.log("info", "heap %d used, %d free; outbox %d, dropped %d" % facts)
                if good.passed(now) and not marked:
                    marked = True
                    if not self.store.mark_good():
                        self.log("error", "flash refuses")
                if self.controller.restart:
                    self.restart()
                await self.clock.sleep_ms(_CHECK_MS)
        finally:
            await end(tasks)

    def restart(self):
        """A requested reset does not count as an early crash."""
        self.controller.restart = False
        self.controller.force_safe()
        self.store.mark_good()
        self.board.reset()

    def watch(self, now):
        silent = None
        for name, _, most_silent_ms, silence in self.loops:
            if silence.ms(now) > most_silent_ms:
                silent = name
        if silent != self.silent:
            self.silent = silent
            if silent:
                self.log("error", "loop %s is silent, the watchdog will time out" % silent)
        if self.watchdog and not silent:
            self.watchdog.feed()

    async def keep(self, name, loop, _, silence):
        safety = self.controller.safety
        backoff = Backoff(1000, 30000)

        def feed():
            silence.start = self.clock.ms()
            safety.faults.discard(name)

        try:
            while True:
                started = Timer(self.clock.ms())
                try:
                    await loop.run(feed)
                    wrong = "ended"
                except Exception as e:
                    wrong = repr(e)
                safety.faults.add(name)
                self.log("error", "loop %s failed: %s" % (name, wrong))
                self.controller.force_safe()
                if started.ms(self.clock.ms()) > _CALM_MS:
                    backoff.reset()
                if backoff.failures >= _MOST_FAILURES:
                    self.board.reset()
                silence.start = self.clock.ms()
                await self.clock.sleep_ms(backoff.next_ms(self.rng()))
        except Exception:  # there is no memory even to handle the error
            try:
                self.controller.force_safe()
            finally:
                self.board.reset()


async def until_first_fails(*coroutines):
    """Run the coroutines, which never return, together; when one raises, cancel the others and raise that."""
    over = asyncio.Event()
    outcome = []

    async def noting_end(coroutine):
        try:
            await coroutine
        except Exception as e:
            outcome.append(e)
        over.set()

    tasks = []
    try:
        tasks.extend(asyncio.create_task(noting_end(c)) for c in coroutines)
        await over.wait()
    finally:
        await end(tasks)
    raise outcome[0]


def end(tasks):
    """Cancel the tasks, which takes no memory; awaitable: until they are gone."""
    for task in tasks:
        task.cancel()
    return gone(tasks)


async def gone(tasks):
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            pass
