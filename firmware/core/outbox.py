"""Events on their way to the cloud: when a value is worth one, its identity, and the box in which it waits.

An event gets its `message_id` once and leaves only when the cloud has answered for it (Realer API, section 7). When the
box is full the oldest reading goes first; a command report goes only when nothing else is left. What was lost is
counted. Nothing here knows how events travel.
"""

from micropython import const

from firmware.core.nouns import Report
from firmware.core.timing import Stopwatch, diff


class Reporting:
    """Remembers what was last told of one source. `deadband` in the source's unit, 0 = every change."""

    def __init__(self, deadband, heartbeat_s):
        self._deadband = deadband
        self._heartbeat_ms = heartbeat_s * 1000
        self._told = None
        self._since = None

    def due(self, value, now, idle):
        """Whether `value` (None: nothing known, never due) shall be reported now. `idle`: nothing else waits to be
        sent; a heartbeat tells only that the way is open, so it never queues up in an outage."""
        if value is None:
            return False
        if self._told is None or idle and self._since.ms(now) >= self._heartbeat_ms:
            return True
        change = abs(value - self._told)
        return change >= self._deadband if self._deadband else change > 0

    def told(self, value, now):
        self._told = value
        self._since = Stopwatch(now)

    def forget(self):
        """The next value is reported whatever it is."""
        self._told = None


CAPACITY = const(48)


class MessageIds:
    """Identities that never repeat: the boot counter sets reboots apart, `bits` (32 random) a lost boot counter
    (Realer API, section 14 row 24: ASCII, at most 64 characters)."""

    def __init__(self, boot, bits):
        self._prefix = "%x-%08x-" % (boot, bits)
        self._count = 0

    def next(self):
        self._count += 1
        return self._prefix + "%x" % self._count


class Outbox:
    """Reports in the order they happened."""

    def __init__(self, ids, capacity=CAPACITY):
        self._ids = ids
        self._capacity = capacity
        self._reports = []
        self.dropped = 0

    def __len__(self):
        return len(self._reports)

    def __repr__(self):
        return "Outbox(%d waiting, %d dropped)" % (len(self._reports), self.dropped)

    def post(self, source, source_id, value, at, ticks, desired=None, status=None):
        """Accept an event; returns its Report. `desired`: the Desired it answers, if that has an id."""
        answered = desired is not None and desired.desired_id is not None
        report = Report(
            self._ids.next(),
            source,
            source_id,
            value,
            at,
            ticks,
            desired.desired_id if answered else None,
            status if answered else None,
            desired.sequence if answered else None,
        )
        self._make_room()
        self._reports.append(report)
        return report

    def repeat(self, report):
        """Send `report` again under its own identity, unless it is still waiting."""
        for waiting in self._reports:
            if waiting.message_id == report.message_id:
                return
        self._make_room()
        self._reports.append(report)

    def stamp(self, utc, now):
        """The clock is set: give every event that waited for it the time at which it happened."""
        for i, report in enumerate(self._reports):
            if report.at is None:
                at = utc - max(diff(now, report.ticks), 0) // 1000
                self._reports[i] = Report(*(report[:4] + (at,) + report[5:]))

    def batch(self, most):
        """Up to `most` events that have a time, command reports first, each kind in the order it happened."""
        ready = [r for r in self._reports if r.at is not None and r.source == "command"]
        ready += [r for r in self._reports if r.at is not None and r.source != "command"]
        return ready[:most]

    def settle(self, message_id):
        """The cloud has answered for this event, one way or the other."""
        self._reports = [r for r in self._reports if r.message_id != message_id]

    def _make_room(self):
        if len(self._reports) < self._capacity:
            return
        self.dropped += 1
        for i, report in enumerate(self._reports):
            if report.source != "command":
                del self._reports[i]
                return
        del self._reports[0]
