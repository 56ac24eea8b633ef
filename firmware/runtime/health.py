"""How the firmware itself is doing: memory, the mark that this boot went well, and what to do when it must not work.

A boot counts as good only after a minute of life, so a firmware that dies early over and over ends in the safe mode of
boot.py instead of toggling relays for ever. Out of service the outputs are in their safe state, Ctrl-C leads to the REPL
at any time, and the watchdog is not armed.
"""

from micropython import const

from firmware.core.panel import level
from firmware.core.timing import Deadline

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


_SIT_OUT_MS = const(600000)
_BLINK_MS = const(50)


async def sit_out(board, clock, store, record, say):
    """Safe mode: ten minutes for a person, then one more try, because nobody may be near."""
    say("error", "safe mode: the last boots died early. Ctrl-C for the REPL; a new try follows in 10 minutes")
    await clock.sleep_ms(_SIT_OUT_MS)
    record["early"] -= 2
    try:
        store.save(BOOT_RECORD, record)
    except OSError:
        pass  # then the next boot is in safe mode too, and tries again
    board.reset()


async def show_config_error(board, clock, record, led):
    """Drive what the last good configuration knew to its safe level and blink until a person comes."""
    for gpio, _, safe in record.get("outputs", ()):
        board.output(gpio, True, bool(safe))
    lamp = led and board.led(led["gpio"], led["active"] == "high")
    while True:
        if lamp:
            lamp.set(level("config_error", clock.ms()))
        await clock.sleep_ms(_BLINK_MS)
