"""A switch that goes off by itself: a door strike. What keeps it on as a safe state is no pulse."""

from firmware.core.output import Output

RULES = """

pulse
safe off|on
min_off_s 0..345600 =0
pulse_ms 50..60000

"""


def driver(cfg, board, on, now, log):
    # A pulse is not repeated by itself.
    cfg["after_lapse"] = "wait"
    return board.output(cfg["gpio"], cfg["active"] == "high", on), PulseOutput(cfg, on, now)


class PulseOutput(Output):
    """It goes off `pulse_ms` after it went on, with the next look at it."""

    def level(self, reading, now, blocked):
        if self.on and self.target and self.since.ms(now) >= self.cfg["pulse_ms"]:
            self.demand(0.0, self.manual_override)
        return super().level(reading, now, blocked)
