"""The log: one line per event, printed, and noted where it survives a reset.

The only place that prints. Secrets do not get here (they are `Secret` objects all the way), and a line that contains
one all the same is masked before it is printed or noted. Text from the network cannot forge lines: control characters
become `?`.
"""

from micropython import const

from firmware.core.models import iso

LEVELS = ("debug", "info", "warning", "error")
_LONGEST = const(240)


class Log:
    """`sink(text)` gets each line, and so does `note`; `level`: the least of LEVELS that is logged; `hidden`: Secrets,
    or whatever has their `reveal`, masked wherever they appear."""

    def __init__(self, clock, sink, note):
        self.clock = clock
        self.sink = sink
        self.note = note
        self.level = "info"
        self.hidden = []

    def log(self, level, text):
        """Log `text` at `level`: `2026-11-21T06:00:00Z W text`, or `+seconds` since the start without a clock."""
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        utc = self.clock.utc()
        line = "%s %s %s" % (iso(utc) if utc else "+%d" % self.clock.uptime_s(), level[:1].upper(), text)
        for secret in self.hidden:
            line = line.replace(secret.reveal(), "***")
        line = line[:_LONGEST]
        # Not min(line): MicroPython keeps every single character it makes for ever, in its table of names.
        if min(line.encode("utf-8", "replace")) < 32:
            line = "".join([c if c >= " " else "?" for c in line])
        try:
            self.note(line)
        except MemoryError:  # a piece that large may be missing where the line itself found room
            pass
        self.sink(line)
