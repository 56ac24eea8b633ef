"""Keeps the loops of the firmware alive, and the watchdog fed only while all of them show life.

A loop that dies is logged, puts the outputs into their safe state through `safety`, and is started again; one that keeps
dying, or falls silent, ends in a reset: the first by `reset`, the second by the hungry watchdog. This and main.py are
the only places that catch every exception.
"""

import asyncio
from micropython import const

from firmware.core.timing import Backoff, Stopwatch

_CHECK_MS = const(1000)
_CALM_MS = const(600000)
_MOST_DEATHS = const(5)


class Supervisor:
    """`feed()`: the watchdog; `reset()`: restarts the chip; `panic()`: drives the outputs to safe levels at once."""

    def __init__(self, clock, rng, say, safety, feed, reset, panic):
        self._clock = clock
        self._rng = rng
        self._say = say
        self._safety = safety
        self._feed = feed
        self._reset = reset
        self._panic = panic
        self._loops = []
        self._silent = None

    def add(self, name, loop, most_silent_ms):
        """Run `loop(beat)`, a coroutine function that never returns and calls `beat()` at least every `most_silent_ms`."""
        self._loops.append(_Loop(name, loop, most_silent_ms, self._clock.ms()))

    async def run(self):
        """Runs until cancelled."""
        tasks = [asyncio.create_task(self._keep(loop)) for loop in self._loops]
        try:
            while True:
                self._watch()
                await self._clock.sleep_ms(_CHECK_MS)
        finally:
            await _end(tasks)

    def _watch(self):
        now = self._clock.ms()
        silent = None
        for loop in self._loops:
            if loop.silence.ms(now) > loop.most_silent_ms:
                silent = loop.name
        if silent != self._silent:
            self._silent = silent
            if silent:
                self._say("error", "loop %s is silent, the watchdog starves" % silent)
        if silent is None:
            self._feed()

    async def _keep(self, loop):
        backoff = Backoff(1000, 30000)
        while True:
            started = Stopwatch(self._clock.ms())
            try:
                await loop.run(lambda: self._beat(loop))
                wrong = "ended"
            except Exception as e:
                wrong = "%s: %s" % (type(e).__name__, e)
            if started.ms(self._clock.ms()) > _CALM_MS:
                backoff.reset()
            self._died(loop, wrong, backoff.failures)
            wait = backoff.next_ms(self._rng())
            loop.silence.restart(self._clock.ms())
            await self._clock.sleep_ms(wait)

    def _died(self, loop, wrong, before):
        self._safety.fault(loop.name)
        self._say("error", "loop %s died (%s)" % (loop.name, wrong))
        self._panic()
        if before >= _MOST_DEATHS:
            self._say("error", "loop %s keeps dying: reset" % loop.name)
            self._reset()

    def _beat(self, loop):
        loop.silence.restart(self._clock.ms())
        self._safety.mended(loop.name)


class _Loop:
    def __init__(self, name, run, most_silent_ms, now):
        self.name = name
        self.run = run
        self.most_silent_ms = most_silent_ms
        self.silence = Stopwatch(now)


async def until_first_fails(*coroutines):
    """Run the coroutines together; when one ends, cancel the others and raise what it raised."""
    over = asyncio.Event()
    outcome = []
    tasks = [asyncio.create_task(_noting_end(c, over, outcome)) for c in coroutines]
    try:
        await over.wait()
    finally:
        await _end(tasks)
    raise outcome[0]


async def _end(tasks):
    for task in tasks:
        task.cancel()
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            pass


async def _noting_end(coroutine, over, outcome):
    try:
        await coroutine
        outcome.append(RuntimeError("a loop ended"))
    except Exception as e:
        outcome.append(e)
    over.set()
