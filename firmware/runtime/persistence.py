"""Decides when to write down what must survive a power cut. `persistence_writing` knows what that is; `restore` reads
it back.

Command reports are written at once, in any case before they are sent; readings only once they have waited a minute,
because most are sent sooner. That an event was answered is written within a minute: after a power cut before that, it
is sent once more under the same `message_id`, which the cloud recognizes. When the flash refuses writes, everything
else works; it is tried again every minute.
"""

from micropython import const

from firmware.core.timing import Timer

_LAZY_MS = const(60000)
_STEADY_MS = const(21600000)
_MOST = const(80)
DRIFT_S = 120


class Persistence:
    """`lease`: a time is known for sure only while it is held; `unit`: loads `persistence_writing`. `utc`: the
    latest time that was known for sure; `written`: checksum of what is in the slots; `size`, `generation`: of the
    journal and of the slots below `folder`, see lib's `journal.files`."""

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
        """Bring the flash up to date as far as it is time to. Called all the time."""
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
            self.log("error", "flash refuses: events will not survive power cuts")
        self.refused = not good

    def holding(self):
        return [command.output.holding() for command in self.controller.commands]

    def dated(self, now):
        """Whether there may be a new time to be written, or one that is not known for sure any more."""
        return self.steady.passed(now) or abs((self.clock.offset or 0) - self.offset) > DRIFT_S
