"""One configured output: its desired value, the limits of its relay, and the level that follows.

A demand comes from the cloud or from a button. Without one, and from the loss of authorization until the next one, the
output is in its safe state. A press of the button in safe state overrides it. The limits of the relay (least on and off
times, longest on time, interlock) hold for every demand. Pure: knows no cloud and no pin.
"""

from firmware.core.timing import Timer


class Output:
    """`cfg`: one normalized item of `outputs`, of which all but `name` and `pin_port` may later be shared with outputs
    that are configured alike; `on`: what the relay physically is, as last read back.

    `target`: 0.0/1.0 for a switch, the setpoint for a regulator, None without a demand. `manual_override`: the latest
    demand was a person's. `why`: the limit that overrules the demand; `fault`: what is wrong with the pin; else None.
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
        self.held = on  # what `hold` of a switch means without a demand
        self.manual_override = False
        self.since = Timer(now)

    def demand(self, target, manual_override=False):
        """The cloud or a person asks for `target`. None: no demand, the safe state holds until the next demand."""
        if target is not None:
            self.why = None  # and `max_on_s` begins again
        else:
            self.hold(self.holding())
        self.target = target
        self.manual_override = manual_override

    def pressed(self, on):
        """A person toggles it (None), or turns it on or off."""
        self.demand(float(not self.on if on is None else on), True)

    def expired(self):
        """What was demanded last must not happen any more. What a stuck relay does was not desired."""
        self.demand(None if self.fault else self.value())

    def holding(self):
        """What `hold` would keep if the demand ended now: 1.0 or 0.0, or the setpoint; None without `hold`."""
        if self.cfg["safe"] != "hold":
            return None
        if self.regulates:
            return self.goal()
        return float(self.held if self.target is None else self.on and self.target > 0)

    def hold(self, value):
        """Let `value`, what `holding` returned, now or before a power cut, be the safe state. Invalid values are
        ignored."""
        if self.cfg["safe"] != "hold" or value is None:
            return
        if not self.regulates:
            self.held = value > 0
        elif self.cfg.get("min", value) <= value <= self.cfg.get("max", value):
            self.fallback = value

    def goal(self):
        """The target or fallback setpoint in force, None when the safe state is a plain level."""
        return self.fallback if self.target is None else self.target

    def value(self):
        """What to report: the relay's state, or the setpoint in force (None: nothing to report)."""
        return self.goal() if self.regulates else float(self.on)

    def reached(self):
        """Whether the demand was carried out."""
        return self.value() == self.target

    def should_be_on(self, reading):
        """Whether the relay should be on. `reading`: the paired sensor's value, None when it is a fault."""
        goal = self.goal()
        safe = self.cfg["safe"]
        if goal is None:
            return safe == "on" or (safe == "hold" and self.held and not self.regulates)
        if not self.regulates:
            return goal > 0
        if reading is None:
            # Blind regulation is the one thing a heater must never do: only an owner's explicit "on" survives it.
            return safe == "on"
        # Two-point control: inside a band of width `hysteresis` around the setpoint the relay stays as it is.
        above = reading - goal
        if abs(above) < self.cfg["hysteresis"] / 2:
            return self.on
        return (above > 0) == (self.cfg["action"] == "cool")

    def level(self, reading, now, blocked):
        """The level to drive now. `blocked`: another relay of the same interlock group is on; where that one cannot be
        helped, being stuck, this one goes off.

        After `max_on_s` a switch stays off until the next demand; a regulator, which demands all the time, is off
        for `min_off_s`.
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
        """The pin was read back as `on`."""
        if on != self.on:
            self.on = on
            self.since.start = now
