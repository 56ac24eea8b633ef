"""Events for the cloud: when a value becomes an event, its identity, and the queue in which it waits.

An event gets its `message_id` once and is removed only when the cloud has answered it (docs/protocol.md). If the queue
is full, the oldest reading without `keep` is dropped first, then the oldest one with it, then command reports, and
answers to the cloud last. Dropped events are counted. This module does not depend on how events are sent.
`runtime.persistence` writes down those that must survive a power cut.
"""

from micropython import const

from firmware.core.models import EPOCH, Report, decimal
from firmware.core.timing import Timer

_CAPACITY = const(48)
_WRAP = const(0x3FFFFFFF)
_LARGE = const(1000000)  # below this, a value in thousandths is a small integer


class Outbox:
    """Reports in the order of their events, at most 48.

    Identities never repeat: the boot counter `boot` distinguishes starts, and 32 random `bits` those after the counter
    was lost. They are ASCII, at most 64 characters (docs/protocol.md, assumption 24).

    To save memory, an event of this start has its number as `message_id` and its `value` in thousandths: small
    integers, which take no heap. `complete` converts them before they are sent.

    `keep()` writes events to flash. It is set if the device does that, and called on every tick and before sending.
    """

    def __init__(self, boot, bits, now):
        self.prefix = "%x-%08x-" % (boot, bits)
        self.count = self.dropped = 0
        self.reports = []
        self.changed = False  # there may be something to write to flash
        self.kept = {}  # key: False until the event is written to flash, then the `at` that was written
        self.keep = lambda: None
        self.now = now
        self.at = None  # seconds since EPOCH, once the clock is set

    def __len__(self):
        return len(self.reports)

    def identity(self, key):
        """Return the `message_id` for the cloud of a `key` in this outbox."""
        return key if isinstance(key, str) else "%s%x" % (self.prefix, key)

    def key(self, message_id):
        """Return the key in this outbox of a `message_id` from the cloud. The inverse of `identity`."""
        prefix = self.prefix
        return int(message_id[len(prefix) :], 16) if message_id.startswith(prefix) else message_id

    def complete(self, report):
        """Return the Report with its `message_id` and `value` as text."""
        value = report.value
        if not isinstance(value, str):
            value = decimal(value / 1000 if isinstance(value, int) else value)
        return Report(self.identity(report.message_id), report.source, report.id, value, *report[4:])

    def update(self, now, utc):
        """Set the time of the events that follow. Once the clock is set (`utc`: Unix seconds, not None), earlier events
        get their time too."""
        self.now = now
        self.at = present = None if utc is None else utc - EPOCH
        if present is None:
            return
        for i in range(len(self.reports)):  # enumerate would allocate a tuple for each, ten times a second
            report = self.reports[i]
            if report.at is None:
                at = present - (now - report.ticks & _WRAP) // 1000
                self.reports[i] = Report(*(report[:4] + (at,) + report[5:]))
                self.changed = True

    def post(self, source, source_id, value, desired=None, status=None, keep=False):
        """Add an event and return its Report. `desired`: the Desired that it answers, which has an identity. `keep`:
        the event must survive a power cut."""
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
                self.changed = True  # a reading is written only after it has waited for a while
        self.append(report)
        return report

    def append(self, report):
        """Queue `report` under its own identity, even if it was sent before. No effect if it is still queued."""
        reports = self.reports
        if report.message_id in [r.message_id for r in reports]:
            return
        if len(reports) >= _CAPACITY:
            self.dropped += 1
            self.drop(min(reports, key=self.importance).message_id)
        self.reports.append(report)

    def restore(self, report):
        """Queue `report`, which was written to flash before the start. It replaces an earlier version without a
        time."""
        self.drop(report.message_id)
        self.append(report)
        self.kept[report.message_id] = report.at

    def importance(self, report):
        """Return 0 to 3; reports with the lowest number are dropped first, among equals the oldest."""
        if report.source == "command":
            return 3 if report.desired_id else 2
        return int(report.message_id in self.kept)

    def answers(self):
        """Return the number of queued reports that answer a desired state."""
        return len([1 for report in self.reports if report.desired_id is not None])

    def batch(self, most):
        """Return up to `most` complete Reports that have a time: command reports, then readings, oldest first."""
        self.keep()
        ready = [r for r in self.reports if r.at is not None]
        commands = [r for r in ready if r.source == "command"]
        ready = (commands + [r for r in ready if r.source != "command"])[:most]
        return [self.complete(report) for report in ready]

    def acknowledge(self, message_id):
        """Remove an event that the cloud has acknowledged or refused for good."""
        self.drop(self.key(message_id))

    def drop(self, key):
        if self.kept.get(key) is False:
            del self.kept[key]
        self.reports = [r for r in self.reports if r.message_id != key]


class Reporter:
    """One configured sensor or (as CommandState) output, and what was reported of it. `deadband`: in the unit of its
    values, 0: report every change. `keep`: all events but heartbeats must survive a power cut. `row`: its row in the
    catalog, or None. Defaults are class attributes, because an attribute takes 8 bytes of each object."""

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
        # The number of the last event; 0: report the next value in any case, -1: only if it has changed. Not the
        # Report, which takes 112 bytes.
        self.last_reported = 0
        self.value = 0

    def bind_row(self, row):
        """Set the catalog row. If it is new, the value is reported again."""
        if row != self.row:
            self.row = row
            self.last_reported = 0

    def report(self, value):
        """Report `value` (None: unknown) if it has changed by at least `deadband`, or as a heartbeat. A heartbeat only
        shows that the connection works, so it is not queued during an outage, and not kept."""
        if value is None or not self.row:
            return
        box = self.outbox
        change = abs(value - self.value)
        if not self.last_reported or (change and change >= self.deadband):
            self.report_now(value, keep=self.keep)
        elif self.heartbeat.passed(box.now) and not box.reports and self.last_reported > 0:
            self.report_now(value)

    def report_now(self, value, desired=None, status=None, keep=False):
        """Report `value` now and return the Report. The answer to a desired state is always kept."""
        self.value = value
        self.heartbeat.start = self.outbox.now
        report = self.outbox.post(self.kind, self.row.id, value, desired, status, keep or bool(desired))
        self.last_reported = self.outbox.count
        return report
