"""One configured output: who wants what of it, what its relay may do, and what follows.

A demand comes from the cloud or from a button. Without one, and from the moment authorization lapses until the next one, the
output is in its safe state. A person at the button outranks the safe state once it has been entered. The limits of the relay
(least on and off times, longest on time, interlock) hold whoever asks. Pure: knows no cloud and no pin.
"""

from firmware.core.timing import Stopwatch


class Relay:
    """`on` is what the relay physically is, as last read back; `why` names the limit that overrules the demand.

    After `max_on_s` a latched relay stays off until somebody asks anew; without `latch` (a regulator, which asks anew
    all the time) it rests for `min_off_s`.
    """

    def __init__(self, min_on_s, min_off_s, max_on_s, on, now, latch=True):
        self._min_on = min_on_s * 1000
        self._min_off = min_off_s * 1000
        self._max_on = max_on_s * 1000
        self._latch = latch
        self._held = Stopwatch(now)
        self._tripped = False
        self.on = on
        self.why = None

    def __repr__(self):
        return "Relay(%s%s)" % ("on" if self.on else "off", ", " + self.why if self.why else "")

    def fresh_demand(self):
        """Somebody asked anew: a relay that ran into `max_on_s` may be switched on again."""
        self._tripped = False

    def decide(self, want, now, blocked=False):
        """The level to drive now. `blocked`: another relay of the same interlock group is on."""
        held = self._held.ms(now)
        self.why = None
        if not want:
            self._tripped = False
        if self.on:
            if self._max_on and held >= self._max_on:
                self._tripped = True
            if self._tripped:
                self.why = "max_on_s"
                return False
            if not want and held < self._min_on:
                self.why = "min_on_s"
                return True
            return want
        if want:
            if self._tripped and not self._latch and held >= self._min_off:
                self._tripped = False
            if self._tripped:
                self.why = "max_on_s"
            elif blocked:
                self.why = "interlock"
            elif held < self._min_off:
                self.why = "min_off_s"
        return want and self.why is None

    def switched(self, on, now):
        """The pin was read back as `on`."""
        if on != self.on:
            self.on = on
            self._held.restart(now)


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
