"""A shutter or blind driven by two relays, one that opens it and one that closes it. Position: 0 closed, 100 open.

The position is computed from the time of movement. Errors add up, so a movement to 0 or 100 continues for `overrun_s`,
until the limit switch of the motor has certainly stopped it: then the position is exact again. After a start or a fault
the position is unknown; then the cover moves to an end first.
"""

from micropython import const

from firmware.core.errors import DriverError
from firmware.core.output import Output
from firmware.core.timing import Timer

RULES = """

cover
boot off
safe off|hold|0.0..100
min_on_s 0 =0
max_on_s 0 =0
min_off_s 0..345600 =0
schedule list 1..28 object =none
interlock_wait_ms 100..60000 =none
step 0.0..100 =1
open_s 1.0..600
close_s 1.0..600 =none
overrun_s 0.0..60 =3
close object

close
gpio

"""

_OPENS = const(1)
_CLOSES = const(2)
_FAR = const(1000000)  # percent, beyond any overrun
_STARTS = const(5)  # attempts to reach a position between the ends
_LOOK_MS = const(150)  # time between two ticks, with a margin


def driver(cfg, board, on, now, log):
    active_high = cfg["active"] == "high"
    relays = Relays([board.output(gpio, active_high, False) for gpio in (cfg["gpio"], cfg["close"]["gpio"])])
    return relays, CoverOutput(cfg, now, log)


class Relays:
    """`pair`: drivers of the relay that opens and of the one that closes."""

    def __init__(self, pair):
        self.pair = pair

    def set(self, way):
        """Close the relay `way`, or none if it is 0, after the other one was opened. DriverError: a relay does not go
        off; then the other one stays off too."""
        stuck = None
        for number, relay in enumerate(self.pair, _OPENS):
            if way != number:
                try:
                    relay.set(False)
                except DriverError as e:
                    stuck = e
        if stuck:
            raise stuck
        if way:
            self.pair[way - _OPENS].set(True)


class CoverOutput(Output):
    """`on`: the direction of movement: 0 at rest, _OPENS, _CLOSES, or True if a relay does not go off. `way`: the
    direction that is needed; `last`: the direction of the last movement. `position`: percent, slightly below 0 or above
    100 during an overrun; None: unknown. `reported`: the last position at rest. `halted`: stopped by a button, or by
    the end of an execution window. `aim`: the goal that `starts` counts for. `near`: percent that count as reached."""

    def __init__(self, cfg, now, log):
        # So that `force_safe` of the controller stops the cover, which it would not do with "hold".
        self.keeps = cfg["safe"] == "hold"
        if self.keeps:
            cfg["safe"] = "off"
        cfg["min"], cfg["max"] = 0.0, 100.0
        super().__init__(cfg, 0, now)
        self.log = log
        self.travel_s = (0, cfg["open_s"], cfg.get("close_s", cfg["open_s"]))
        self.near = max(1.0, _LOOK_MS / 10 / min(self.travel_s[1:]))
        self.position = self.reported = None
        self.way = 0
        self.last = _CLOSES
        self.starts = 0
        self.aim = None
        self.halted = False
        self.looked = Timer(now)
        self.lost("info", "until it has opened or closed all the way")

    def lost(self, level, why):
        if not self.stalled:
            self.stalled = "position unknown"
            self.log(level, "%s: %s %s" % (self.name, self.stalled, why))
        self.position = None
        self.starts = 0

    def demand(self, target, manual_override=False):
        if target is None and self.keeps:
            self.fallback = self.goal()
        else:
            self.halted = False
        super().demand(target, manual_override)

    def pressed(self, on):
        """Handle a button: stop it, or move it the other way if it is at rest. A switch opens (`on`) or closes it."""
        if on is None:
            if self.way:
                return self.halt(True)
            on = self.last == _CLOSES
        self.demand(100.0 if on else 0.0, True)

    def expired(self):
        self.halt()

    def halt(self, manual_override=False):
        """Stop it where it is, and make that its target."""
        super().demand(float(self.shown() or 0), manual_override)
        self.halted = True

    def shown(self):
        """Return the position in percent, rounded to the configured step; None if it is unknown."""
        step = self.cfg["step"] or 1
        if self.position is None:
            return None
        return min(max(round(self.position / step) * step, 0.0), 100.0)

    def value(self):
        """Return the value to report: the target if it was reached, else the position of the last stop."""
        if self.position is None:
            return None
        if self.rests():
            goal = self.goal()
            there = goal is not None and abs(goal - self.position) <= self.near
            self.reported = goal if there else self.shown()
        return self.reported

    def rests(self):
        return not self.on and (not self.way or self.why)

    def reached(self):
        return self.rests() and super().reached()

    def should_be_on(self, reading):
        return self.way > 0

    def level(self, reading, now, blocked):
        """Return the relay to close now: 0, _OPENS or _CLOSES."""
        self.look(now)
        self.way = self.towards()
        way = self.way if super().level(reading, now, blocked) else 0
        if self.on:
            self.last = self.on
            return way if way == self.on else 0
        # The motor must have stopped before it turns the other way. After a start that is unknown.
        if not way or self.since.ms(now) < self.cfg.get("interlock_wait_ms", 500):
            return 0
        self.starts += 1
        return way

    def look(self, now):
        """Update the position by the time since the last call."""
        ms = self.looked.ms(now)
        self.looked.start = now
        if self.fault:
            self.lost("warning", "after a fault")
        elif not self.on:
            return
        elif self.position is not None:
            moved = ms / 10 / self.travel_s[self.on]
            self.position += moved if self.on == _OPENS else -moved
        elif self.since.ms(now) >= (self.travel_s[self.on] + self.cfg["overrun_s"]) * 1000:
            self.position = _FAR if self.on == _OPENS else -_FAR
            self.stalled = None
            self.log("info", "%s: position known again" % self.name)

    def towards(self):
        """Return the direction in which it must move now, 0 for none."""
        goal = self.goal()
        if goal != self.aim:
            self.aim, self.starts = goal, 0
        if self.position is None:
            if self.halted or goal is None or self.on is True:
                return 0
            return _OPENS if goal >= 50 else _CLOSES
        # After an interrupted overrun the position is not exact.
        if self.position > 100 > (goal or 0):
            self.position = 99.9
        elif self.position < 0 and goal != 0:
            self.position = 0.1
        if self.halted or goal is None or (not self.on and self.position == goal):
            return 0
        ahead = goal - self.position
        way = _OPENS if ahead > 0 else _CLOSES
        if 0 < goal < 100:
            # If ticks are late, it could otherwise move to and fro for ever.
            far = abs(ahead) > self.near and self.starts < _STARTS
            return way if self.on == way or far else 0
        end = _OPENS if goal else _CLOSES
        beyond = -ahead if end == _OPENS else ahead
        if beyond < self.cfg["overrun_s"] * 100 / self.travel_s[end]:
            return end
        self.position = goal
        return 0
