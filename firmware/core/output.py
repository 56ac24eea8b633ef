"""One configured output: its demand, the limits of its relay, and the resulting level.

A demand comes from the cloud or from a button. Without a demand the output is in its safe state; the loss of
authorization ends a demand. A button overrides the safe state. The limits of the relay (minimum on and off times,
maximum on time, interlock) apply to every demand. Pure.
"""

from firmware.core.timing import Timer


class Output:
    """`cfg`: one normalized item of `outputs`; outputs with equal settings may share it, except `name` and `pin_port`.
    `on`: the state of the relay as last read back.

    `target`: 0.0 or 1.0 for a switch, the setpoint for a regulator, None without a demand. `manual_override`: the last
    demand came from a button. `why`: the limit that overrules the demand, else None. `fault`: what is wrong with the
    pin, else None.
    """

    stalled = None  # see outputs.setpoint

    def __init__(self, cfg, on, now):
        self.cfg = cfg
        self.name = cfg["name"]
        self.pin_port = cfg["pin_port"]
        self.on = on
        self.regulates = cfg["mode"] == "setpoint"
        self.fallback = None if cfg["safe"] in ("off", "on", "hold") else cfg["safe"]
        self.target = self.why = self.fault = None
        self.held = on  # the state of a switch with safe `hold`, without a demand
        self.manual_override = False
        self.since = Timer(now)

    def demand(self, target, manual_override=False):
        """Set the demand. None: no demand, so the output is in its safe state until the next one."""
        if target is not None:
            self.why = None  # ends a stop by `max_on_s`
        else:
            self.hold(self.holding())
        self.target = target
        self.manual_override = manual_override

    def pressed(self, on):
        """Handle a button: toggle the output (`on` is None), or turn it on or off."""
        self.demand(float(not self.on if on is None else on), True)

    def expired(self):
        """End the execution window of the last demand: keep the present state, or end the demand if the pin is
        faulty."""
        self.demand(None if self.fault else self.value())

    def holding(self):
        """Return what safe `hold` would keep if the demand ended now: 1.0, 0.0 or the setpoint; None without `hold`."""
        if self.cfg["safe"] != "hold":
            return None
        if self.regulates:
            return self.goal()
        if self.why == "max_on_s":
            return 0.0
        return float(self.held if self.target is None else self.on and self.target > 0)

    def hold(self, value):
        """Make `value` the safe state. It was returned by `holding`, perhaps before a power cut. Invalid values are
        ignored."""
        if self.cfg["safe"] != "hold" or value is None:
            return
        if not self.regulates:
            self.held = value > 0
        elif self.cfg.get("min", value) <= value <= self.cfg.get("max", value):
            self.fallback = value

    def goal(self):
        """Return the setpoint in force, that of the demand or the fallback; None if the safe state is on, off or
        hold."""
        return self.fallback if self.target is None else self.target

    def value(self):
        """Return the value to report: the relay's state, or the setpoint in force (None: nothing to report)."""
        return self.goal() if self.regulates else float(self.on)

    def reached(self):
        """Return whether the demand was carried out."""
        return self.value() == self.target

    def should_be_on(self, reading):
        """Return whether the relay should be on. `reading`: the value of the paired sensor, None if it has a fault."""
        goal = self.goal()
        safe = self.cfg["safe"]
        if goal is None:
            return safe == "on" or (safe == "hold" and self.held and not self.regulates)
        if not self.regulates:
            return goal > 0
        if reading is None:
            # A heater must never regulate without a reading: it is off unless the owner chose safe "on".
            return safe == "on"
        # Two-point control: inside a band of width `hysteresis` around the setpoint the relay stays as it is.
        above = reading - goal
        if abs(above) < self.cfg["hysteresis"] / 2:
            return self.on
        return (above > 0) == (self.cfg["action"] == "cool")

    def level(self, reading, now, blocked):
        """Return the level to drive now. `blocked`: another relay of the same interlock group is on, perhaps stuck:
        then this one is switched off, too.

        After `max_on_s` a switch stays off until the next demand, a regulator for `min_off_s`.
        """
        cfg = self.cfg
        desired_on = self.should_be_on(reading)
        held_s = self.since.ms(now) // 1000
        if self.on and 0 < cfg["max_on_s"] <= held_s:
            self.why = "max_on_s"
        elif self.why != "max_on_s" or self.regulates or not desired_on:
            self.why = None
        if self.why:
            return False
        if desired_on and blocked:
            self.why = "interlock"
        elif self.on:
            if not desired_on and held_s < cfg["min_on_s"] and not self.fault:
                self.why = "min_on_s"
                return True
        elif desired_on and held_s < cfg["min_off_s"]:
            self.why = "min_off_s"
        return desired_on and not self.why

    def switched(self, on, now):
        """Store the state of the pin that was read back."""
        if on != self.on:
            self.on = on
            self.since.start = now
