"""One configured output: who wants what of it, and what follows for its relay.

A demand comes from the cloud or from a button. Without one, and from the moment authorization lapses until the next one, the
output is in its safe state. A person at the button outranks the safe state once it has been entered. Limits are
not decided here but in `relay`; what the cloud's words mean is decided in `command`.
"""

_LEVELS = {"off": False, "on": True}


def regulate(cooling, setpoint, reading, hysteresis, on):
    """Two-point control: whether the relay shall be on. The band of width `hysteresis` lies around the setpoint, and
    inside it the relay stays as it is."""
    above = reading - setpoint
    if cooling:
        above = -above
    if above >= hysteresis / 2:
        return False
    if above <= -hysteresis / 2:
        return True
    return on


class Output:
    """`cfg`: one normalized item of `outputs`. `target`: 0.0/1.0 for a switch, the setpoint for a regulator, or None."""

    def __init__(self, cfg, relay):
        self.cfg = cfg
        self.relay = relay
        self.setpoint_mode = cfg["mode"] == "setpoint"
        self.target = None
        self.by_hand = False  # whether the latest demand was a person's
        self.fault = None
        self._held_target = None

    def __repr__(self):
        return "Output(%s target=%s %r)" % (self.cfg["name"], self.target, self.relay)

    def demand(self, target, by_hand=False):
        """The cloud or a person asks for `target`."""
        self.target = target
        self.by_hand = by_hand
        self.relay.fresh_demand()

    def withdraw(self):
        """The demand ends: the safe state holds until the next one. `hold` keeps what was in force."""
        if self.target is not None:
            self._held_target = self.target
        self.target = None
        self.by_hand = False

    def wants(self, reading):
        """Whether the relay shall be on. `reading`: the paired sensor's value, None when it is a fault."""
        if self.setpoint_mode:
            setpoint = self.setpoint()
            if setpoint is not None:
                return self._regulate(setpoint, reading)
        elif self.target is not None:
            return self.target >= 0.5
        return _LEVELS.get(self.cfg["safe"], self.relay.on and not self.setpoint_mode)

    def setpoint(self):
        """The setpoint in force, or None when the safe state is a plain level."""
        if self.target is not None:
            return self.target
        safe = self.cfg["safe"]
        return self._held_target if safe == "hold" else None if safe in _LEVELS else safe

    def _regulate(self, setpoint, reading):
        if reading is None:
            # Blind regulation is the one thing a heater must never do: only an owner's explicit "on" survives it.
            return self.cfg["safe"] == "on"
        return regulate(
            self.cfg["action"] == "cool", setpoint, reading, self.cfg["hysteresis"], self.relay.on
        )

    def physical(self):
        """The value to report: the relay's state, or the setpoint in force (None: nothing to tell)."""
        if not self.setpoint_mode:
            return 1.0 if self.relay.on else 0.0
        return self.setpoint()

    def reached(self):
        """Whether the demand has become physical fact."""
        return self.target is not None and self.physical() == self.target
