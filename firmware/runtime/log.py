"""The log: one line per event, which is printed and also kept in memory that survives a reset.

Only this module prints. Secrets should not get here, because they are `Secret` objects everywhere; if a line contains
one anyway, it is masked. Text from the network cannot forge lines, because control characters are replaced with `?`.
"""

from micropython import const

from firmware.core.models import iso

LEVELS = ("debug", "info", "warning", "error")
_LONGEST = const(240)


class Log:
    """`sink(text)` prints a line, `note(text)` keeps it over a reset. `level`: the lowest of LEVELS that is logged.
    `hidden`: Secrets, or other objects with `reveal`, whose texts are masked."""

    def __init__(self, clock, sink, note):
        self.clock = clock
        self.sink = sink
        self.note = note
        self.level = "info"
        self.hidden = []

    def log(self, level, text):
        """Log `text` at `level`, such as `2026-11-21T06:00:00Z W text`. While the clock is not set, the line begins
        with `+` and the seconds since the start. It is cut to 240 characters."""
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        utc = self.clock.utc()
        line = "%s %s %s" % (iso(utc) if utc else "+%d" % self.clock.uptime_s(), level[:1].upper(), text)
        for secret in self.hidden:
            line = line.replace(secret.reveal(), "***")
        line = line[:_LONGEST]
        # Not min(line): MicroPython interns every single character of a str, and keeps interned strings for ever.
        if min(line.encode("utf-8", "replace")) < 32:
            line = "".join([c if c >= " " else "?" for c in line])
        try:
            self.note(line)
        except MemoryError:  # noting needs a larger block than the line itself
            pass
        self.sink(line)
