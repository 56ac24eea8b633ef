"""A regulator that detects that its sensor does not react. `firmware.core.output` has the regulation itself; this is
loaded only with `stall_s`."""

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
    """It is `stalled` if the relay has been on for `stall_s` and the reading has changed by less than `stall_delta`:
    the sensor may be in the wrong place, or the heater may not heat. With `stall_action` `warn` that is logged, and
    ends when the reading changes; with `off` the relay also goes off until the next demand. `log(level, text)`."""

    def __init__(self, cfg, on, now, log):
        super().__init__(cfg, on, now)
        self.log = log
        self.mark = None  # the reading that changes are compared with
        self.still = Timer(now, cfg["stall_s"] * 1000)  # with the relay on, since `mark`
        self.still_ms = 0

    def demand(self, target, manual_override=False):
        super().demand(target, manual_override)
        if target is not None and self.stalled:
            self.stalled = self.mark = None

    def level(self, reading, now, blocked):
        on = super().level(reading, now, blocked)
        cfg = self.cfg
        off = cfg.get("stall_action") == "off"
        if reading is None or not (self.on or on or self.why == "min_off_s"):
            self.mark = None
        elif not self.on:  # a pause after `max_on_s` does not count
            self.still.start = now - self.still_ms
        elif self.mark is None:
            self.mark = reading
            self.still.start = now
        elif abs(reading - self.mark) >= cfg.get("stall_delta", 0.5):
            self.mark = reading
            self.still.start = now
            if self.stalled and not off:
                self.stalled = None
                self.log("info", "%s: the reading changes again" % self.name)
        elif not self.stalled and self.still.passed(now):
            self.stalled = "stalled"
            line = "%s: on for %d s, but the reading hardly changed; check sensor and relay"
            self.log("error", line % (self.name, cfg["stall_s"]))
        if self.on:
            self.still_ms = self.still.ms(now)
        if self.stalled and off:
            self.why = "stall_s"
            return False
        return on
