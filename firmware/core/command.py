"""One command of the cloud: which desired value applies, and how it is acknowledged.

Sequence number, execution window, range and step are checked here. A valid value is passed to the output. It is
acknowledged when the output has reached it, when its window ends, or when a newer one replaces it. Source:
docs/protocol.md, "Identity and order of events", and its assumptions 8 to 11, 18, 27 to 29. Pure.
"""

from micropython import const

from firmware.core.models import NOTHING_NEW, SUPERSEDED, Desired, number
from firmware.core.outbox import Reporter
from firmware.core.timing import Timer

_ROOM = const(16)  # queued events up to which superseded desired states are acknowledged


class CommandState(Reporter):
    """The desired state of one output. `last`: the latest valid Desired; after a start, the one acknowledged last
    before it, with the value NOTHING_NEW. `pending`: `last` until it is acknowledged. `answered`: the Report that
    acknowledged the latest one. `window`: Timer of its execution window or None. `was_safe`: safe state was entered
    since then, or was in force when it arrived."""

    kind = "command"
    keep = True

    def __init__(self, outbox, output):
        super().__init__(outbox)
        self.output = output
        self.last = self.pending = self.answered = self.window = None
        self.was_safe = False

    def bind_row(self, row):
        """Set the catalog's row, None if the command is no longer in the catalog: then its output goes to its safe
        state, but the history is kept in case it comes back. Another command on the same port begins without it."""
        if self.row and self.row.kind and not row:
            self.enter_safe_state()
        if row and self.last and row.id != self.last.command_id:
            self.last = self.pending = self.answered = None
        super().bind_row(row)

    def enter_safe_state(self):
        """End the demand. From now on the cloud must confirm the desired value."""
        self.output.demand(None)
        self.supersede()
        self.was_safe = True

    def supersede(self):
        """Acknowledge the pending value as stale: it will not be carried out."""
        if self.pending:
            self.acknowledge("stale")

    def receive_desired(self, desired, now, late):
        """Handle the Desired. `late`: the device is in safe state, so it is too late. Return a text for the log if it
        is refused, else None."""
        if desired.value == NOTHING_NEW:
            return self.resume()
        last = self.last
        if desired.valid_s == SUPERSEDED:
            # Acknowledged only while there is room in the outbox: until then the cloud sends it again.
            known = [r.desired_id for r in self.outbox.reports] + [last and last.desired_id]
            if len(known) < _ROOM and desired.desired_id not in known:
                self.outbox.post("command", desired.command_id, self.present(), desired, "stale", True)
            return None
        if desired.desired_id is None and last and last.command_id == desired.command_id:
            # A polled value has no sequence number. Keep the last one, so that older values remain older.
            desired = Desired(*desired[:3], last[3], None)
        if not self.is_new(desired):
            return None
        self.supersede()
        self.last = self.pending = desired
        self.was_safe = late  # read again after the safe state, it applies if `after_lapse` is `resume`
        self.window = None if desired.valid_s is None else Timer(now, desired.valid_s * 1000)
        if late or (self.window and self.window.passed(now)):
            self.acknowledge("stale")
            return "desired value came too late"
        value = number(desired.value)
        error = self.value_error(value)
        if error:
            self.acknowledge("rejected")
            return "desired value refused: " + error
        self.output.demand(value)
        return None

    def resume(self):
        """After safe state, apply the last desired value again if it had been applied, with `after_lapse` `resume` and
        without a manual override since."""
        output = self.output
        if (
            self.was_safe
            and self.answered
            and self.answered.status == "applied"
            and self.answered.desired_id == self.last.desired_id
            and output.cfg["after_lapse"] == "resume"
            and not output.manual_override
        ):
            self.was_safe = False
            output.demand(number(self.last.value))

    def tick(self, now):
        """Acknowledge a pending value that was reached, or whose window has ended. Report a change."""
        output = self.output
        if self.pending:
            if output.reached():
                self.acknowledge("applied")
            elif self.window and self.window.passed(now):
                # A limit of the output prevented it in time.
                output.expired()
                self.acknowledge("stale")
        self.report(output.value())

    def is_new(self, desired):
        """Return whether a Desired is new. A polled value has no identity, so only a change is new; after safe state
        also the same value, with `after_lapse` `resume` and without a manual override since."""
        last = self.last
        if desired.desired_id is None:
            again = self.output.cfg["after_lapse"] == "resume" and not self.output.manual_override
            if last is None or last.value == NOTHING_NEW:
                if not again:
                    # After power-up it is unknown whether this value is older than the safe state or the manual
                    # override.
                    self.last = desired
                return again
            value = number(desired.value)
            same = number(last.value) == value if value is not None else last.value == desired.value
            return not same or (self.was_safe and again)
        for report in self.outbox.reports:
            if report.desired_id == desired.desired_id and report.id == desired.command_id:
                return False  # its acknowledgement is queued
        if last is None or last.command_id != desired.command_id:
            return True
        if desired.desired_id == last.desired_id:
            # Records of an earlier version have no message_id.
            if not self.pending and self.answered and self.answered.message_id:
                self.outbox.append(self.answered)
            return False
        return None in (desired.sequence, last.sequence) or desired.sequence > last.sequence

    def value_error(self, value):
        """Return why `value` is refused, None if it is valid: by the owner's range, then by the cloud's."""
        cfg = self.output.cfg
        row = self.row
        # A switch has none of these.
        own = range_error(value, cfg.get("min", 0), cfg.get("max", 1), cfg.get("step", 1))
        return own or range_error(value, row.low, row.high, row.step)

    def acknowledge(self, status):
        """Acknowledge the pending value with `status`: "applied", "rejected" or "stale". A value without an identity
        cannot be acknowledged, but after "rejected" the present value is reported, so that the cloud sees that nothing
        changed (docs/protocol.md, assumption 18)."""
        desired, self.pending = self.pending, None
        if desired.desired_id is not None:
            self.answered = self.report_now(self.present(), desired, status)
        elif status == "rejected" and self.output.value() is not None:
            self.report_now(self.output.value())

    def present(self):
        """Return the value of an acknowledgement: the output's, or the relay's state if no setpoint is in force."""
        value = self.output.value()
        return float(self.output.on) if value is None else value


def range_error(value, low, high, step):
    """Return why `value` (None: not a number) is refused, None if it is valid. `low`: None for no range. `step`: 0 for
    any value in the range."""
    if value is None:
        return "not a number"
    if low is None:
        return None
    if not low <= value <= high:
        return "outside %s..%s" % (low, high)
    steps = (value - low) / step if step else 0
    if abs(steps - round(steps)) > 0.001:
        return "not a multiple of %s above %s" % (step, low)
    return None
