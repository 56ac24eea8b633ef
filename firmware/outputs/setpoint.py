"""A relay that regulates a temperature by a sensor. `firmware.core.output` has the regulation; this is loaded for one
that is to notice that its sensor does not."""

from firmware.core.output import Output
from firmware.core.timing import Timer

RULES = """

setpoint
min_off_s 0..345600 =60
schedule list 1..28 object =none
sensor port 1..32
min -50.0..150
max -50.0..150
step 0.0..100 =0
hysteresis 0.05..20 =0.5
action heat|cool
stall_s 60..345600 =none
stall_delta 0.05..50 =none
stall_action warn|off =none

"""


def driver(cfg, board, on, now, log):
    return board.output(cfg["gpio"], cfg["active"] == "high", on), StallOutput(cfg, on, now, log)


class StallOutput(Output):
    """A regulator whose sensor may lie somewhere else, or whose heater may not heat: when the relay has been on for
    `stall_s` and the reading moved less than `stall_delta` meanwhile, it is `stalled`. By `stall_action` that is
    logged, and ends when the reading moves; or the relay goes off as well until the next demand, because a sensor
    that is not where it should be is no use. `log(level, text)`."""

    def __init__(self, cfg, on, now, log):
        super().__init__(cfg, on, now)
        self.log = log
        self.mark = None  # the reading from which it has to move
        self.still = Timer(now, cfg["stall_s"] * 1000)

    def demand(self, target, manual_override=False):
        super().demand(target, manual_override)
        if target is not None:
            self.stalled = self.mark = None

    def level(self, reading, now, blocked):
        on = super().level(reading, now, blocked)
        cfg = self.cfg
        off = cfg.get("stall_action") == "off"
        if not self.on or reading is None:
            self.mark = None
        elif self.mark is None:
            self.mark = reading
            self.still.start = now
        elif abs(reading - self.mark) >= cfg.get("stall_delta", 0.5):
            self.mark = reading
            self.still.start = now
            if self.stalled and not off:
                self.stalled = None
                self.log("info", "%s: its sensor notices it again" % self.name)
        elif not self.stalled and self.still.passed(now):
            self.stalled = "stalled"
            line = "%s: on for %d s, and its sensor hardly moved: is it where it should be, does the relay do anything?"
            self.log("error", line % (self.name, cfg["stall_s"]))
        if self.stalled and off:
            self.why = "stall_s"
            return False
        return on
