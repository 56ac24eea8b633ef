"""Decides when to write to flash what must survive a power cut. `persistence_writing` writes it, `restore` reads it
back.

Command reports are written at once, always before they are sent; readings at most once a minute and only after they
have waited for ten seconds, because most are sent sooner. The answer to an event is written within a minute: after a
power cut before that, the event is sent again with the same `message_id`, which the cloud recognizes. If the flash
refuses writes, everything else continues, and writing is tried again every minute.
"""

from micropython import const

from firmware.core.timing import Timer

_LAZY_MS = const(60000)
_STEADY_MS = const(21600000)
_MOST = const(80)
DRIFT_S = 120


class Persistence:
    """`lease`: a time is trusted only while it is held. `unit`: the Unit that loads `persistence_writing`. `utc`: the
    last trusted time. `written`: checksum of the record in the slots. `size`, `generation`: those of the Journal and
    the TwoSlots in `folder`, see journal.files."""

    def __init__(self, clock, log, controller, lease, unit, folder=""):
        self.clock = clock
        self.log = log
        self.controller = controller
        self.outbox = controller.outbox
        self.lease = lease
        self.unit = unit
        self.folder = folder
        self.size = self.generation = 0
        self.offset = self.utc = self.written = 0
        self.holds = None
        self.steady = Timer(clock.ms(), _STEADY_MS)
        self.lazy = Timer(clock.ms(), _LAZY_MS)
        self.refused = False

    def write(self):
        """Write what is due. Called on every tick."""
        now = self.clock.ms()
        outbox = self.outbox
        due = self.lazy.passed(now) or len(outbox.kept) > _MOST
        if not due and (self.refused or not outbox.changed):
            return
        if due:
            self.lazy = Timer(now, _LAZY_MS)
            if not (outbox.changed or outbox.kept or self.dated(now)) and self.holds == self.holding():
                return
        outbox.changed = False
        try:
            write, opened = self.unit.load()
            good = write(self, opened(self), due)
        except MemoryError:
            good = False
        finally:
            self.unit.drop()
        if not good and not self.refused:
            self.log("error", "flash write failed: a power cut loses events")
        self.refused = not good

    def holding(self):
        return [command.output.holding() for command in self.controller.commands]

    def dated(self, now):
        """Return whether there may be a new trusted time to write, or the clock was set since the last one."""
        return self.steady.passed(now) or abs((self.clock.offset or 0) - self.offset) > DRIFT_S
