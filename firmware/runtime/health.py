"""The loop that looks after the firmware itself: memory, and the mark that this boot went well.

A boot counts as good only after a minute of life, so a firmware that dies early over and over ends in the
safe mode of boot.py instead of toggling relays for ever.
"""

from firmware.core.ticks import Deadline
from micropython import const

_STEP_MS = const(10000)
_GOOD_AFTER_MS = const(60000)
_TELL_MS = const(600000)
BOOT_RECORD = "boot.json"


class HealthLoop:
    """`heap() -> (used, free)`: a garbage collection and the heap's bytes after it."""

    def __init__(self, clock, store, heap, outbox, say):
        self._clock = clock
        self._store = store
        self._heap = heap
        self._outbox = outbox
        self._say = say

    async def run(self, beat):
        good = Deadline(self._clock.ms(), _GOOD_AFTER_MS)
        marked = False
        tell = Deadline(self._clock.ms(), _STEP_MS)
        while True:
            beat()
            used, free = self._heap()
            now = self._clock.ms()
            if tell.passed(now):
                tell = Deadline(now, _TELL_MS)
                self._say("info", "heap %d used, %d free; %r" % (used, free, self._outbox))
            if not marked and good.passed(now):
                marked = True
                mark_good(self._store, self._say)
            await self._clock.sleep_ms(_STEP_MS)


def mark_good(store, say):
    """This boot did not die early: forget the ones before it that did."""
    record = store.load(BOOT_RECORD, {})
    record["early"] = 0
    try:
        store.save(BOOT_RECORD, record)
    except OSError as e:
        say("error", "flash: boot record not written (%s)" % e)
