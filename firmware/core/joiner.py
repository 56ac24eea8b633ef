"""Which Wi-Fi network to try next, and how long to rest in between.

Pure: told whether the radio is connected and what time it is, it answers what to do. Known networks are tried in their
order, each for `JOIN_MS`; after a round without success it waits with growing jitter. It never gives up and never asks for
a reboot: an access point that is away for a week must find the device waiting.
"""

from micropython import const

from firmware.core.timing import Backoff, Deadline

JOIN_MS = const(20000)
_GRACE_MS = const(3000)  # a dropout this short is left to the radio
_ROUNDS_PER_RESTART = const(3)
_BASE_MS = const(5000)
_CAP_MS = const(60000)


class Joiner:
    """`step` answers one of None, ("join", index), ("restart", 0) or ("leave", 0)."""

    def __init__(self, networks, now):
        self._networks = networks
        self._backoff = Backoff(_BASE_MS, _CAP_MS)
        self._index = -1
        self._joined = False
        self._until = Deadline(now, 0)

    def __repr__(self):
        return "Joiner(%s)" % ("joined" if self._joined else "network %d" % self._index)

    def step(self, connected, bits, now):
        if connected:
            self._joined = True
            self._backoff.reset()
            self._until = Deadline(now, _GRACE_MS)
            return None
        if not self._until.passed(now):
            return None
        if self._joined:
            # Lost: begin with the network that worked.
            self._joined = False
            self._index = max(self._index - 1, -1)
            return ("leave", 0)
        return self._next(bits, now)

    def _next(self, bits, now):
        self._index += 1
        if self._index < self._networks:
            self._until = Deadline(now, JOIN_MS)
            return ("join", self._index)
        self._index = -1
        self._until = Deadline(now, self._backoff.next_ms(bits))
        return ("restart", 0) if self._backoff.failures % _ROUNDS_PER_RESTART == 0 else ("leave", 0)
