"""A switch that goes off by itself, for instance for a door strike. A safe state of `on` is not limited in time."""

from firmware.core.output import Output

RULES = """

pulse
safe off|on
min_off_s 0..345600 =0
pulse_ms 50..60000

"""


def driver(cfg, board, on, now, log):
    # `resume` would repeat the pulse.
    cfg["after_lapse"] = "wait"
    return board.output(cfg["gpio"], cfg["active"] == "high", on), PulseOutput(cfg, on, now)


class PulseOutput(Output):
    """Goes off with the first tick `pulse_ms` after it went on."""

    def level(self, reading, now, blocked):
        if self.on and self.target and self.since.ms(now) >= self.cfg["pulse_ms"]:
            self.demand(0.0, self.manual_override)
        return super().level(reading, now, blocked)
