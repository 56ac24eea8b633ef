"""One line per event: printed, and kept in a bounded ring for whoever asks later.

The only place that prints. Secrets do not get here (they are `Secret` objects all the way), and a line that contains
one all the same is masked before it is printed or kept. Text from the network cannot forge lines: control characters
become `?`.
"""

from micropython import const

from firmware.core.nouns import iso

LEVELS = ("debug", "info", "warning", "error")
_LINES = const(24)
_LONGEST = const(240)


class Log:
    """`sink(text)` gets each line; `level`: the least of LEVELS that is logged; `lines`: the latest, oldest first;
    `hidden`: Secrets, or whatever has their `reveal`, masked wherever they appear."""

    def __init__(self, clock, sink):
        self.clock = clock
        self.sink = sink
        self.level = "info"
        self.hidden = []
        self.lines = []

    def say(self, level, text):
        """Log `text` at `level`: `2026-11-21T06:00:00Z W text`, or `+seconds` since the start without a clock."""
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        utc = self.clock.utc()
        line = "%s %s %s" % (
            "+%d" % self.clock.uptime_s() if utc is None else iso(utc),
            level[0].upper(),
            text,
        )
        for secret in self.hidden:
            line = line.replace(secret.reveal(), "***")
        line = line[:_LONGEST]
        if min(line) < " ":
            line = "".join([c if c >= " " else "?" for c in line])
        if len(self.lines) >= _LINES:
            del self.lines[0]
        self.lines.append(line)
        self.sink(line)
