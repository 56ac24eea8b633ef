"""One command of the cloud: which desired value counts, and how it is answered.

Order, window, range and step are judged here; a demand that passes is handed to the output, and the answer is given
when it has become physical fact, when its window closes, or when a newer one replaces it. Sources: Realer API, sections
6.6, 7 and 14 rows 8 to 11, 18, 27 to 29.
"""

from firmware.core.nouns import number
from firmware.core.timing import Deadline

APPLIED = "applied"
REJECTED = "rejected"
STALE = "stale"


class CommandState:
    """The newest desired value of one command.

    `answer(state, status, desired) -> Report` is called once for each desired value that is settled, `repeat(report)` when a
    duplicate asks for an answer that was given already.
    """

    def __init__(self, row, output, answer, repeat):
        self.row = row
        self.output = output
        self._answer = answer
        self._repeat = repeat
        self._last = None
        self._report = None
        self._pending = None
        self._window = None
        self._lapsed = False

    def __repr__(self):
        return "CommandState(%s %s)" % (self.row.pin_port, "pending" if self._pending else "settled")

    def lapse(self):
        """Safe state was entered: what was wanted before has to be confirmed."""
        self.supersede()
        self._lapsed = True

    def supersede(self):
        """What is pending will not be carried out any more."""
        if self._pending:
            self._settle(STALE, self._pending)

    def offer(self, desired, now):
        """Consider `desired`. Returns a note for the log when it is refused, else None."""
        if not self._is_new(desired):
            return None
        self.supersede()
        self._last = desired
        self._lapsed = False
        if desired.valid_s is not None and desired.valid_s <= 0:
            self._settle(STALE, desired)
            return "desired value came too late"
        target, wrong = self._check(desired.value)
        if wrong:
            self._settle(REJECTED, desired)
            return "desired value refused: " + wrong
        self._pending = desired
        self._window = None if desired.valid_s is None else Deadline(now, desired.valid_s * 1000)
        self.output.demand(target)
        return None

    def tick(self, now):
        """Settle a pending demand that became fact, or whose window has closed."""
        if not self._pending:
            return
        if self.output.reached():
            self._settle(APPLIED, self._pending)
        elif self._window and self._window.passed(now):
            # The limits kept it from happening in time, so it must not happen later.
            self.output.demand(self.output.physical())
            self._settle(STALE, self._pending)

    def _is_new(self, desired):
        last = self._last
        if desired.desired_id is None:
            return self._is_new_value(desired)
        if last is None:
            return True
        if desired.desired_id == last.desired_id:
            if self._report:
                self._repeat(self._report)
            return False
        return desired.sequence is None or last.sequence is None or desired.sequence > last.sequence

    def _is_new_value(self, desired):
        """Polled catalog values carry no identity: only a change is a new wish. After a lapse the same value is one
        again where the owner lets it come back and nobody switched by hand since."""
        again = self.output.cfg["after_lapse"] == "resume" and not self.output.by_hand
        if self._last is None:
            if not again:
                # After power-up nothing tells whether this value was meant before or after the lapse or the hand.
                self._last = desired
            return again
        if _key(desired.value) != _key(self._last.value):
            return True
        return self._lapsed and again

    def _check(self, raw):
        """(target, None), or (None, what is wrong with the value)."""
        value = number(raw)
        if value is None:
            return None, "not a number"
        if not self.output.setpoint_mode:
            return (value, None) if value in (0.0, 1.0) else (None, "a switch takes 0 or 1")
        cfg = self.output.cfg
        wrong = _outside(value, cfg["min"], cfg["max"], cfg["step"]) or _outside(
            value, self.row.low, self.row.high, self.row.step
        )
        return (None, wrong) if wrong else (value, None)

    def _settle(self, status, desired):
        self._pending = None
        self._report = self._answer(self, status, desired)


def _key(raw):
    value = number(raw)
    return raw if value is None else value


def _outside(value, low, high, step):
    if low is not None and value < low or high is not None and value > high:
        return "outside %s..%s" % (low, high)
    if step and low is not None:
        steps = (value - low) / step
        if abs(steps - round(steps)) > 0.001:
            return "no multiple of %s above %s" % (step, low)
    return None
