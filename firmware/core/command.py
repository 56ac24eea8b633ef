"""One command of the cloud: which desired value counts, and how it is answered.

Order, window, range and step are judged here; a demand that passes is handed to the output, and the answer is given
when it has become physical fact, when its window closes, or when a newer one replaces it. Sources: Realer API, sections
6.6, 7 and 14 rows 8 to 11, 18, 27 to 29.
"""

from micropython import const

from firmware.core.models import NOTHING_NEW, SUPERSEDED, Desired, number
from firmware.core.outbox import Source
from firmware.core.timing import Timer

_ROOM = const(16)  # events waiting, up to which answers to what is superseded may join them


class CommandState(Source):
    """What the cloud wants of one output. `last`: the newest Desired that counted, after a start the last one answered
    before it, with NOTHING_NEW for a value; `pending`: the same until it is answered; `answered`: the Report that
    answered the latest one that was."""

    kind = "command"
    keep = True

    def __init__(self, outbox, output):
        super().__init__(outbox)
        self.output = output
        self.last = self.pending = self.answered = self.window = None
        self.lapsed = False

    def adopt(self, row):
        """A command that is gone leaves its output in the safe state, as a lapse does: when it comes back, what is
        known of it still counts. Another one in its place begins anew."""
        if self.row and self.row.kind and not row:
            self.lapse()
        if row and self.last and row.id != self.last.command_id:
            self.last = self.pending = self.answered = None
        super().adopt(row)

    def lapse(self):
        """Safe state was entered: what was wanted before has to be confirmed."""
        self.output.demand(None)
        self.supersede()
        self.lapsed = True

    def supersede(self):
        """What is pending will not be carried out any more."""
        if self.pending:
            self.settle("stale")

    def offer(self, desired, now, late):
        """Consider `desired`, which is too `late` in any case in safe state. Returns a note for the log when it is
        refused, else None."""
        if desired.value == NOTHING_NEW:
            return self.resume()
        last = self.last
        if desired.valid_s == SUPERSEDED:
            # Answered as far as there is room: the cloud sends it again until then.
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
        self.lapsed = False
        self.window = None if desired.valid_s is None else Timer(now, desired.valid_s * 1000)
        if late or (self.window and self.window.passed(now)):
            self.settle("stale")
            return "wish came too late"
        value = number(desired.value)
        wrong = self.flaw(value)
        if wrong:
            self.settle("rejected")
            return "wish refused: " + wrong
        self.output.demand(value)
        return None

    def resume(self):
        """After a lapse what was wanted last, and done, is wanted again where the owner lets it come back and nobody
        switched by hand since."""
        output = self.output
        if (
            self.lapsed
            and self.answered
            and self.answered.status == "applied"
            and self.answered.desired_id == self.last.desired_id
            and output.cfg["after_lapse"] == "resume"
            and not output.manual_override
        ):
            self.lapsed = False
            output.demand(number(self.last.value))

    def tick(self, now):
        """Settle a pending demand that became fact, or whose window has closed; report what changed."""
        output = self.output
        if self.pending:
            if output.value() == output.target:
                self.settle("applied")
            elif self.window and self.window.passed(now):
                # The limits kept it from happening in time, so it must not happen later. What a stuck relay
                # does is nobody's wish.
                output.demand(None if output.fault else output.value())
                self.settle("stale")
        self.report(output.value())

    def is_new(self, desired):
        """Polled catalog values carry no identity: only a change is a new wish. After a lapse the same value is one
        again where the owner lets it come back and nobody switched by hand since."""
        last = self.last
        if desired.desired_id is None:
            again = self.output.cfg["after_lapse"] == "resume" and not self.output.manual_override
            if last is None or last.value == NOTHING_NEW:
                if not again:
                    # After power-up nothing shows whether this value was meant before or after the lapse or the hand.
                    self.last = desired
                return again
            value = number(desired.value)
            same = number(last.value) == value if value is not None else last.value == desired.value
            return not same or (self.lapsed and again)
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

    def flaw(self, value):
        """What is wrong with a desired `value`, None when nothing is: the owner's range, then the cloud's."""
        cfg = self.output.cfg
        row = self.row
        # A switch has none of these.
        own = misfit(value, cfg.get("min", 0), cfg.get("max", 1), cfg.get("step", 1))
        return own or misfit(value, row.low, row.high, row.step)

    def settle(self, status):
        """Answer what is pending. Without an id there is nothing to answer to, but a refusal is still followed by the
        present value, so that the cloud sees that nothing changed (Realer API, section 14 row 18)."""
        desired, self.pending = self.pending, None
        if desired.desired_id is not None:
            self.answered = self.report_now(self.present(), desired, status)
        elif status == "rejected" and self.output.value() is not None:
            self.report_now(self.output.value())

    def present(self):
        """The value of an answer. Where no setpoint is in force, the relay is what there is."""
        value = self.output.value()
        return float(self.output.on) if value is None else value


def misfit(value, low, high, step):
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
