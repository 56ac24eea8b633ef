"""A shutter or blind behind two relays, one to open it and one to close it: 0 is closed, 100 open.

Where it stands follows from how long it has moved. Time drifts, so each travel to an end goes on for `overrun_s` beyond
it, against the limit switch of the motor: from there on the position is sure again. It is unknown after a start and
after a fault. Then the way to any position leads over an end.
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
_FAR = const(1000000)  # percent: beyond any overrun
_STARTS = const(5)
_LOOK_MS = const(150)  # a look at it comes every 100 ms, mostly


def driver(cfg, board, on, now, log):
    active_high = cfg["active"] == "high"
    relays = Relays([board.output(gpio, active_high, False) for gpio in (cfg["gpio"], cfg["close"]["gpio"])])
    return relays, CoverOutput(cfg, now, log)


class Relays:
    """`pair`: drivers of the relay that opens and of the one that closes."""

    def __init__(self, pair):
        self.pair = pair

    def set(self, way):
        """0, _OPENS or _CLOSES. The other relay goes off before, and a relay that does not go off, which is a
        DriverError, keeps the other one off."""
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
    """`on`: 0 at rest, _OPENS, _CLOSES, or True where a relay does not go off; `way`: where it has to go; `last`: where
    it went last. `position`: percent, a little beyond 0 or 100 in an overrun; None: unknown. `reported`: the latest
    position at rest. `halted`: somebody stopped it, or time did."""

    def __init__(self, cfg, now, log):
        # The last resort stops a cover, whatever it is to do in the safe state.
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
        self.starts = 0  # for the same goal
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
        """A press stops it; the next one sends it the other way. A switch opens it (`on`) or closes it."""
        if on is None:
            if self.way:
                return self.halt(True)
            on = self.last == _CLOSES
        self.demand(100.0 if on else 0.0, True)

    def expired(self):
        self.halt()

    def halt(self, manual_override=False):
        """Let it stay where it is, whatever the target says."""
        super().demand(float(self.shown() or 0), manual_override)
        self.halted = True

    def shown(self):
        """The position in steps of the configuration, None when it is unknown."""
        step = self.cfg["step"] or 1
        if self.position is None:
            return None
        return min(max(round(self.position / step) * step, 0.0), 100.0)

    def value(self):
        """What to report: the target where it has arrived, the position where anything else stopped it."""
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
        """Which relay to close now: 0, _OPENS or _CLOSES."""
        self.look(now)
        self.way = self.towards()
        way = self.way if super().level(reading, now, blocked) else 0
        if self.on:
            self.last = self.on
            return way if way == self.on else 0
        # The motor has to stand before it turns the other way; after a start it is not known that it did.
        if not way or self.since.ms(now) < self.cfg.get("interlock_wait_ms", 500):
            return 0
        self.starts += 1
        return way

    def look(self, now):
        """Move the position by what has passed since the last look."""
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
        """Where it has to go."""
        goal = self.goal()
        if goal != self.aim:
            self.aim, self.starts = goal, 0
        if self.position is None:
            if self.halted or goal is None or self.on is True:
                return 0
            return _OPENS if goal >= 50 else _CLOSES
        # An overrun that was cut short made nothing sure.
        if self.position > 100 > (goal or 0):
            self.position = 99.9
        elif self.position < 0 and goal != 0:
            self.position = 0.1
        if self.halted or goal is None or (not self.on and self.position == goal):
            return 0
        ahead = goal - self.position
        way = _OPENS if ahead > 0 else _CLOSES
        if 0 < goal < 100:
            # Where every look comes late, it would go to and fro for ever.
            far = abs(ahead) > self.near and self.starts < _STARTS
            return way if self.on == way or far else 0
        end = _OPENS if goal else _CLOSES
        beyond = -ahead if end == _OPENS else ahead
        if beyond < self.cfg["overrun_s"] * 100 / self.travel_s[end]:
            return end
        self.position = goal
        return 0
