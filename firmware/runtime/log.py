"""One line per event: printed, and kept in a bounded ring for whoever asks later.

The only place that prints. Secrets do not get here (they are `Secret` objects all the way), and a line that contains one
all the same is masked before it is printed or kept. Text from the network cannot forge lines: control characters become `?`.
"""

from micropython import const

from firmware.core.nouns import iso

LEVELS = ("debug", "info", "warning", "error")
_LINES = const(40)
_LONGEST = const(240)


class Log:
    """`sink(text)` gets each line; `level`: the least level of LEVELS that is logged."""

    def __init__(self, clock, sink, level="info"):
        self._clock = clock
        self._sink = sink
        self._hidden = []
        self._ring = []
        self.level = level
        self.errors = 0

    def hide(self, secret):
        """Mask the text of this Secret wherever it appears."""
        if len(secret.reveal()) >= 4:
            self._hidden.append(secret)

    def channel(self, area):
        """A function `say(level, text)` for one part of the firmware."""
        return lambda level, text: self.say(area, level, text)

    def say(self, area, level, text):
        if LEVELS.index(level) < LEVELS.index(self.level):
            return
        if level == "error":
            self.errors += 1
        utc = self._clock.utc()
        stamp = "+%d" % self._clock.uptime_s() if utc is None else iso(utc)
        line = self._clean("%s %s %s: %s" % (stamp, level[0].upper(), area, text))
        if len(self._ring) >= _LINES:
            del self._ring[0]
        self._ring.append(line)
        self._sink(line)

    def lines(self):
        """The latest lines, oldest first."""
        return tuple(self._ring)

    def _clean(self, line):
        for secret in self._hidden:
            line = line.replace(secret.reveal(), "***")
        if len(line) > _LONGEST:
            line = line[:_LONGEST] + "..."
        for char in line:
            if char < " ":
                return "".join([c if c >= " " else "?" for c in line])
        return line
