"""Events on their way to the cloud: when a value becomes an event, its identity, and the queue in which it waits.

An event gets its `message_id` once and leaves only when the cloud has answered for it (docs/protocol.md). When
the queue is full, the oldest reading is dropped first, and one with `keep` after one without; a command report only
when nothing else is left, and an answer to the cloud last. What was dropped is counted. This module does not know how
events travel. `persistence` in runtime writes down those that must survive a power cut.
"""

from micropython import const

from firmware.core.models import EPOCH, Report, decimal
from firmware.core.timing import Timer, diff

_CAPACITY = const(48)
_LARGE = const(1000000)  # thousandths of less are small integers


class Outbox:
    """Reports in the order they happened.

    Identities never repeat: the boot counter `boot` sets reboots apart, `bits` (32 random) a lost boot counter (ASCII,
    at most 64 characters: docs/protocol.md, assumption 24).

    48 reports wait after an outage, so one takes little: of an event of this start `message_id` is its number, and
    `value` is in thousandths, which are small integers and take no heap. What leaves is `complete`.

    `keep()` writes events down: set where there is a flash for it, called with every tick and before events are sent.
    """

    def __init__(self, boot, bits, now):
        self.prefix = "%x-%08x-" % (boot, bits)
        self.count = self.dropped = 0
        self.reports = []
        self.changed = False  # whether there may be something to write down
        self.kept = {}  # key: False until the event is written down, then the `at` it was written with
        self.keep = lambda: None
        self.now = now
        self.at = None  # seconds since EPOCH, once the clock is set

    def __len__(self):
        return len(self.reports)

    def identity(self, key):
        """The `message_id` as the cloud knows it."""
        return key if isinstance(key, str) else "%s%x" % (self.prefix, key)

    def key(self, message_id):
        """The `message_id` as it is held here."""
        prefix = self.prefix
        return int(message_id[len(prefix) :], 16) if message_id.startswith(prefix) else message_id

    def complete(self, report):
        """The Report with its `message_id` and `value` as texts."""
        value = report.value
        if not isinstance(value, str):
            value = decimal(value / 1000 if isinstance(value, int) else value)
        return Report(self.identity(report.message_id), report.source, report.id, value, *report[4:])

    def update(self, now, utc):
        """The time of what follows. Once there is one (`utc` not None), every event that waited for it gets the time at
        which it happened."""
        self.now = now
        self.at = present = None if utc is None else utc - EPOCH
        if present is None:
            return
        for i in range(len(self.reports)):  # no enumerate: a tuple for each, ten times a second
            report = self.reports[i]
            if report.at is None:
                at = present - max(diff(now, report.ticks), 0) // 1000
                self.reports[i] = Report(*(report[:4] + (at,) + report[5:]))
                self.changed = True

    def post(self, source, source_id, value, desired=None, status=None, keep=False):
        """Accept an event; returns its Report. `desired`: the Desired it answers, which has an id; `keep`: it shall
        survive a power cut."""
        self.count += 1
        report = Report(
            self.count,
            source,
            source_id,
            round(value * 1000) if abs(value) < _LARGE else value,
            self.at,
            self.now,
            desired and desired.desired_id,
            status,
            desired and desired.sequence,
        )
        if keep:
            self.kept[report.message_id] = False
            if source == "command":
                self.changed = True  # a reading is not written before it has waited
        self.append(report)
        return report

    def append(self, report):
        """Send `report` under its own identity, again if need be, unless it is still waiting."""
        reports = self.reports
        if report.message_id in [r.message_id for r in reports]:
            return
        if len(reports) >= _CAPACITY:
            self.dropped += 1
            self.drop(min(reports, key=self.importance).message_id)
        self.reports.append(report)

    def restore(self, report):
        """Take `report` back, which was written down before the start, now or with a time since."""
        self.drop(report.message_id)
        self.append(report)
        self.kept[report.message_id] = report.at

    def importance(self, report):
        """How late it is dropped; `min` takes the oldest of equals."""
        if report.source == "command":
            return 3 if report.desired_id else 2
        return int(report.message_id in self.kept)

    def answers(self):
        """How many reports that answer the cloud wait."""
        return len([1 for report in self.reports if report.desired_id is not None])

    def batch(self, most):
        """Up to `most` events that have a time: command reports, then readings, each from the oldest on."""
        self.keep()
        ready = [r for r in self.reports if r.at is not None]
        commands = [r for r in ready if r.source == "command"]
        ready = (commands + [r for r in ready if r.source != "command"])[:most]
        return [self.complete(report) for report in ready]

    def acknowledge(self, message_id):
        """The cloud has acknowledged this event, or refused it for good."""
        self.drop(self.key(message_id))

    def drop(self, key):
        if self.kept.get(key) is False:
            del self.kept[key]
        self.reports = [r for r in self.reports if r.message_id != key]


class Reporter:
    """One configured sensor or (`CommandState`) output, and what was reported of it. `deadband` in the unit of
    its values, 0 = every change; `keep`: all but heartbeats shall survive a power cut; `row`: its row in the catalog,
    or None. What all outputs have alike is held by the class: an attribute takes 8 bytes of each object."""

    kind = "sensor"
    deadband = 0
    keep = False

    def __init__(self, outbox, deadband=0, heartbeat_s=300, keep=False):
        self.outbox = outbox
        if keep:
            self.keep = True
        if deadband:
            self.deadband = deadband
        self.heartbeat = Timer(0, heartbeat_s * 1000)
        self.row = None
        # The number of the latest event, 0 when the next value is to be reported whatever it is, -1 when only a change
        # is. Not the Report, which takes 112 bytes.
        self.last_reported = 0
        self.value = 0

    def bind_row(self, row):
        """The catalog was read. For a new row the value is reported again."""
        if row != self.row:
            self.row = row
            self.last_reported = 0

    def report(self, value):
        """Report `value` (None: nothing known) if it has changed enough. A heartbeat only shows that the connection
        works, so it never queues up in an outage, and is not kept."""
        if value is None or not self.row:
            return
        box = self.outbox
        change = abs(value - self.value)
        if not self.last_reported or (change and change >= self.deadband):
            self.report_now(value, keep=self.keep)
        elif not box.reports and self.last_reported > 0 and self.heartbeat.passed(box.now):
            self.report_now(value)

    def report_now(self, value, desired=None, status=None, keep=False):
        """Report `value` now; returns the Report. An answer to the cloud is always kept."""
        self.value = value
        self.heartbeat.start = self.outbox.now
        report = self.outbox.post(self.kind, self.row.id, value, desired, status, keep or bool(desired))
        self.last_reported = self.outbox.count
        return report
