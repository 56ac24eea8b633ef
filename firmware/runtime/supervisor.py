"""Runs the loops of the firmware, and feeds the watchdog while each of them calls its `feed`.

If a loop raises an exception, it is logged, the outputs are driven to their safe state, and the loop is started again.
If that happens six times in a row, the chip is reset. If a loop does not call its `feed` in time, the watchdog times
out. A boot counts as good after a minute. Only this module, main.py and safe mode catch every exception.
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
    """`board`: for `heap` and `reset`. `watchdog`: its driver or None. `store`: for `mark_good`. `controller`: for
    `force_safe` and its `restart`."""

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
        """Add a loop: `loop.run(feed)` must never return, and call `feed()` at least every `most_silent_ms`."""
        self.loops.append((name, loop, most_silent_ms, Timer(self.clock.ms())))

    async def run(self):
        """Run the loops until cancelled."""
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
                        self.log("error", "flash write failed")
                if self.controller.restart:
                    self.restart()
                await self.clock.sleep_ms(_CHECK_MS)
        finally:
            await end(tasks)

    def restart(self):
        """Reset the chip in an orderly way, which does not count as an early crash."""
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
        except Exception:  # handling the error has failed, for instance for lack of memory
            try:
                self.controller.force_safe()
            finally:
                self.board.reset()


async def until_first_fails(*coroutines):
    """Run the coroutines, which must never return, concurrently. When one raises, cancel the others and raise the
    same."""
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
    """Cancel the tasks, which takes no memory. Return an awaitable that waits until they have ended."""
    for task in tasks:
        task.cancel()
    return gone(tasks)


async def gone(tasks):
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            pass
