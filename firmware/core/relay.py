"""The limits of one relay: least on and off times, longest on time, interlock. They hold whoever asks.

Pure: it is told what is wanted and what time it is, and answers what level to drive. It knows no cloud, no safe state
and no pin. The time before it was created counts as switched just now, because a power cut may have ended an on time
a second ago: a compressor keeps its rest over a reboot.
"""

from firmware.core.ticks import Stopwatch


class Relay:
    """`on` is what the relay physically is, as last read back; `why` names the limit that overrules the demand.

    After `max_on_s` a latched relay stays off until somebody asks anew; without `latch` (a regulator, which asks anew
    all the time) it rests for `min_off_s`.
    """

    def __init__(self, min_on_s, min_off_s, max_on_s, on, now, latch=True):
        self._min_on = min_on_s * 1000
        self._min_off = min_off_s * 1000
        self._max_on = max_on_s * 1000
        self._latch = latch
        self._held = Stopwatch(now)
        self._tripped = False
        self.on = on
        self.why = None

    def __repr__(self):
        return "Relay(%s%s)" % ("on" if self.on else "off", ", " + self.why if self.why else "")

    def fresh_demand(self):
        """Somebody asked anew: a relay that ran into `max_on_s` may be switched on again."""
        self._tripped = False

    def decide(self, want, now, blocked=False):
        """The level to drive now. `blocked`: another relay of the same interlock group is on."""
        held = self._held.ms(now)
        self.why = None
        if not want:
            self._tripped = False
        if self.on:
            if self._max_on and held >= self._max_on:
                self._tripped = True
            if self._tripped:
                self.why = "max_on_s"
                return False
            if not want and held < self._min_on:
                self.why = "min_on_s"
                return True
            return want
        if want:
            if self._tripped and not self._latch and held >= self._min_off:
                self._tripped = False
            if self._tripped:
                self.why = "max_on_s"
            elif blocked:
                self.why = "interlock"
            elif held < self._min_off:
                self.why = "min_off_s"
        return want and self.why is None

    def switched(self, on, now):
        """The pin was read back as `on`."""
        if on != self.on:
            self.on = on
            self._held.restart(now)
