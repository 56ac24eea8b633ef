"""Writes down what must survive a power cut. `recall` reads it back at the start.

Two things: a journal of the events that the outbox keeps, until the cloud has answered for them; and one small record
with what outputs hold, the last answered desired state of each command, and the last time that was known for sure.

Command reports are written at once, in any case before they leave; readings only once they have waited a minute, for
most never do. That an event was answered is written a minute later at most: until then a power cut makes
it leave once more under the same `message_id`, which the cloud takes for what it is. A flash that refuses keeps nothing
from working; it is tried again every minute.
"""

import json
from micropython import const

from firmware.core.timing import Timer, diff

_LAZY_MS = const(60000)
_WAITED_MS = const(10000)
_STEADY_MS = const(21600000)
_DRIFT_S = const(120)
_MOST = const(80)
_LONGEST = const(150)
_NOTHING = (None, None)


class Keeper:
    """`journal`, `slots`: of lib's `journal.files`; `lease`: a time is known for sure only while it is held. `record`:
    what is written in the slots."""

    def __init__(self, clock, say, controller, lease, journal, slots):
        self.clock = clock
        self.say = say
        self.controller = controller
        self.outbox = controller.outbox
        self.lease = lease
        self.journal = journal
        self.slots = slots
        self.record = {}
        self.offset = 0
        self.holds = None
        self.lazy = Timer(clock.ms(), _LAZY_MS)
        self.refused = False

    def write(self):
        """Bring the flash up to date as far as it is time to. Called all the time."""
        now = self.clock.ms()
        outbox = self.outbox
        kept = outbox.kept
        due = self.lazy.passed(now) or len(kept) > _MOST
        if not due and (self.refused or not outbox.changed):
            return
        outbox.changed = False
        fresh = [
            r
            for r in outbox.reports
            if kept.get(r.message_id, r.at) != r.at
            and (r.source == "command" or (due and diff(now, r.ticks) >= _WAITED_MS))
        ]
        holds = [c.output.holding() for c in self.controller.commands]
        good = True
        if due or holds != self.holds:
            # Before the journal forgets the answers that are in it.
            good = self.write_record(holds)
        if due or fresh:
            good = self.write_events(fresh, due) and good
        if due:
            self.lazy = Timer(now, _LAZY_MS)
        if not good and not self.refused:
            self.say("error", "flash refuses: events will not survive power cuts")
        self.refused = not good

    def write_record(self, holds):
        record = {"utc": self.sure_utc() or self.record.get("utc", 0)}
        for command, held in zip(self.controller.commands, holds):
            port = command.output.cfg["pin_port"]
            last = self.record.get(port, _NOTHING)[1]
            told = command.answered
            # The cloud chose these words: none of them may fill the record.
            if told and len(str(told.id)) + len(str(told.desired_id)) < _LONGEST:
                last = [told.id, told.desired_id, told.sequence]
            record[port] = [held, last]
        if record != self.record:
            if not self.slots.save(json.dumps(record).encode()):
                return False
            self.record = record
        self.holds = holds
        return True

    def sure_utc(self):
        """The time, when it has gone on for six hours without having been set to another one, and the cloud accepts us
        with it: one time server that lies once must not be believed for ever. Else None."""
        clock = self.clock
        utc = clock.utc()
        now = clock.ms()
        if utc is None or abs(clock.offset - self.offset) > _DRIFT_S:
            self.offset = clock.offset or 0
            self.steady = Timer(now, _STEADY_MS)
        elif self.lease.held and self.steady.passed(now):
            self.steady = Timer(now, _STEADY_MS)
            return utc
        return None

    def write_events(self, fresh, due):
        """Append `fresh` reports and, when `due`, what has been answered since; or write all anew when there is
        nothing to keep or no room to append."""
        kept = self.outbox.kept
        journal = self.journal
        live = [r for r in self.outbox.reports if r.message_id in kept]
        ids = [r.message_id for r in live]
        gone = [message_id for message_id in kept if due and message_id not in ids]
        if not fresh and not gone:
            return True
        if not live or journal.full():
            fresh = live
            good = journal.rewrite(texts(live))
        else:
            good = journal.append(texts(fresh + gone))
        if good:
            for report in fresh:
                kept[report.message_id] = report.at
            for message_id in gone:
                del kept[message_id]
        return good


def texts(items):
    for item in items:
        yield json.dumps(item if isinstance(item, str) else list(item)).encode()
