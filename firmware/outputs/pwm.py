"""A dimmer: a duty cycle of 0 to 100 percent at a pin, for a lamp or a motor driver, optionally with a ramp.

The limits of a relay apply: any duty cycle above 0 is on. The ramp applies to demands; safe state, limits and interlock
take effect at once.
"""

from firmware.core.output import Output
from firmware.core.timing import Timer

RULES = """

pwm
min_off_s 0..345600 =0
schedule list 1..28 object =none
min 0.0..100 =0
max 0.0..100 =100
step 0.0..100 =0
ramp_s 0.0..600 =0
frequency 10..40000 =1000

"""


def driver(cfg, board, on, now, log):
    pin = board.bus("pwm_pin", cfg["gpio"], cfg["active"] == "high", cfg["frequency"], cfg["max"], on)
    return pin, PwmOutput(cfg, on, now)


class PwmOutput(Output):
    """`on`: the duty cycle in percent. `settled`: it is the required one. `reported`: the last settled one."""

    def __init__(self, cfg, on, now):
        super().__init__(cfg, cfg["max"] if on else 0.0, now)
        self.settled = False
        self.reported = self.on
        self.moved = Timer(now)

    def percent(self):
        """Return the required duty cycle in percent, before limits."""
        goal = self.goal()
        if goal is None:
            return self.cfg["max"] if self.cfg["safe"] == "on" else 0.0
        return goal

    def pressed(self, on):
        on = not self.on if on is None else on
        self.demand(self.cfg["max"] if on else 0.0, True)

    def holding(self):
        if self.cfg["safe"] != "hold":
            return None
        return 0.0 if self.why == "max_on_s" else self.percent()

    def hold(self, value):
        if self.cfg["safe"] == "hold" and value is not None and 0 <= value <= 100:
            self.fallback = float(value)

    def value(self):
        """Return the value to report: the last settled duty cycle, not the steps of a ramp."""
        if self.settled:
            self.reported = self.on
        return float(self.reported)

    def reached(self):
        return self.settled and super().reached()

    def should_be_on(self, reading):
        return self.percent() > 0

    def level(self, reading, now, blocked):
        """Return the duty cycle to drive now, in percent."""
        allowed = super().level(reading, now, blocked)
        goal = (self.percent() or self.on) if allowed else 0.0
        duty = goal
        ramp_s = self.cfg["ramp_s"]
        if ramp_s and self.target is not None and not self.why:
            most = self.moved.ms(now) / ramp_s / 10
            duty = min(max(goal, self.on - most), self.on + most)
        self.moved.start = now
        self.settled = duty == goal
        return duty

    def switched(self, on, now):
        if bool(on) != bool(self.on):
            self.since.start = now
        self.on = on
