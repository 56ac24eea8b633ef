"""One command of the cloud: which desired value counts, and how it is answered.

Sequence, window, range and step are checked here. A value that passes is handed to the output. It is acknowledged when
the output has reached it, when its window closes, or when a newer one replaces it. Source:
docs/protocol.md, "Identity and order of events", and its assumptions 8 to 11, 18, 27 to 29.
"""

from micropython import const

from firmware.core.models import NOTHING_NEW, SUPERSEDED, Desired, number
from firmware.core.outbox import Reporter
from firmware.core.timing import Timer

_ROOM = const(16)  # events waiting, up to which answers to what is superseded may join them


class CommandState(Reporter):
    """The desired state of one output. `last`: the newest Desired that counted, after a start the last one that was
    acknowledged before it, with NOTHING_NEW for a value; `pending`: the same until it is acknowledged; `answered`: the
    Report that acknowledged the latest one. `was_safe`: there was a safe state since the latest desired value came."""

    kind = "command"
    keep = True

    def __init__(self, outbox, output):
        super().__init__(outbox)
        self.output = output
        self.last = self.pending = self.answered = self.window = None
        self.was_safe = False

    def bind_row(self, row):
        """Bind a row of the catalog. A command that is gone leaves its output in the safe state; when it comes back,
        what is known of it still counts. Another command on the same port begins without history."""
        if self.row and self.row.kind and not row:
            self.enter_safe_state()
        if row and self.last and row.id != self.last.command_id:
            self.last = self.pending = self.answered = None
        super().bind_row(row)

    def enter_safe_state(self):
        """The desired value from before has to be confirmed by the cloud."""
        self.output.demand(None)
        self.supersede()
        self.was_safe = True

    def supersede(self):
        """What is pending will not be carried out any more."""
        if self.pending:
            self.acknowledge("stale")

    def receive_desired(self, desired, now, late):
        """Take a desired state; `late`: it comes in safe state, so it is too late in any case. Returns a note for the
        log when it is refused, else None."""
        if desired.value == NOTHING_NEW:
            return self.resume()
        last = self.last
        if desired.valid_s == SUPERSEDED:
            # Acknowledged as far as there is room: the cloud sends it again until then.
            known = [r.desired_id for r in self.outbox.reports] + [last and last.desired_id]
            if len(known) < _ROOM and desired.desired_id not in known:
                self.outbox.post("command", desired.command_id, self.present(), desired, "stale", True)
            return None
        if desired.desired_id is None and last and last.command_id == desired.command_id:
            # A polled value has no number: what is older than the one before it stays older.
            desired = Desired(*desired[:3], last[3], None)
        if not self.is_new(desired):
            return None
        self.supersede()
        self.last = self.pending = desired
        self.was_safe = late  # read again afterwards, it counts as unchanged
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
        """After safe state the last desired value that was applied is in force again, with `after_lapse` `resume` and
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
        """Acknowledge a pending value that was reached, or whose window has closed; report what changed."""
        output = self.output
        if self.pending:
            if output.reached():
                self.acknowledge("applied")
            elif self.window and self.window.passed(now):
                # The limits kept it from happening in time.
                output.expired()
                self.acknowledge("stale")
        self.report(output.value())

    def is_new(self, desired):
        """A polled value has no identity: only a change is a new desired value. After safe state the same value counts
        as new with `after_lapse` `resume` and without a manual override since."""
        last = self.last
        if desired.desired_id is None:
            again = self.output.cfg["after_lapse"] == "resume" and not self.output.manual_override
            if last is None or last.value == NOTHING_NEW:
                if not again:
                    # After power-up nothing shows whether this value is from before or after the safe state or the
                    # manual override.
                    self.last = desired
                return again
            value = number(desired.value)
            same = number(last.value) == value if value is not None else last.value == desired.value
            return not same or (self.was_safe and again)
        for report in self.outbox.reports:
            if report.desired_id == desired.desired_id and report.id == desired.command_id:
                return False  # its answer is on its way
        if last is None or last.command_id != desired.command_id:
            return True
        if desired.desired_id == last.desired_id:
            # An earlier version wrote down no message_id.
            if not self.pending and self.answered and self.answered.message_id:
                self.outbox.append(self.answered)
            return False
        return None in (desired.sequence, last.sequence) or desired.sequence > last.sequence

    def value_error(self, value):
        """What is wrong with a desired `value`, None when nothing is: the owner's range, then the cloud's."""
        cfg = self.output.cfg
        row = self.row
        # A switch has none of these.
        own = range_error(value, cfg.get("min", 0), cfg.get("max", 1), cfg.get("step", 1))
        return own or range_error(value, row.low, row.high, row.step)

    def acknowledge(self, status):
        """Acknowledge what is pending. Without an id there is nothing to acknowledge, but a refusal is still followed
        by the present value, so that the cloud sees that nothing changed (docs/protocol.md, assumption 18)."""
        desired, self.pending = self.pending, None
        if desired.desired_id is not None:
            self.answered = self.report_now(self.present(), desired, status)
        elif status == "rejected" and self.output.value() is not None:
            self.report_now(self.output.value())

    def present(self):
        """The value of an acknowledgement. Where no setpoint is in force, the relay is what there is."""
        value = self.output.value()
        return float(self.output.on) if value is None else value


def range_error(value, low, high, step):
    """What is wrong with `value` (None: it is no number), None when nothing is. `low` None: there is no range; `step`
    0: any value in it."""
    if value is None:
        return "not a number"
    if low is None:
        return None
    if not low <= value <= high:
        return "outside %s..%s" % (low, high)
    steps = (value - low) / step if step else 0
    if abs(steps - round(steps)) > 0.001:
        return "no multiple of %s above %s" % (step, low)
    return None
