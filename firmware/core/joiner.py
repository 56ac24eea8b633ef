"""Which Wi-Fi network to try next, and how long to rest in between.

Pure: told whether the radio is connected and what time it is, it answers what to do. Known networks are tried in their
order, each for 20 s; after a round without success it waits with growing jitter. It never gives up and never asks for
a reboot: an access point that is away for a week must find the device waiting.
"""

from micropython import const

from firmware.core.timing import Backoff, Timer

_JOIN_MS = const(20000)
_GRACE_MS = const(3000)  # a dropout this short is left to the radio
_ROUNDS_PER_RESTART = const(3)
_BASE_MS = const(5000)
_CAP_MS = const(60000)


class Joiner:
    """`networks`: how many there are. `step` answers one of None, ("join", index), ("restart", 0) or ("leave", 0).
    `index`: the network whose connection has just been lost, -1 where there was none."""

    def __init__(self, networks, now, index=-1):
        self.networks = networks
        self.backoff = Backoff(_BASE_MS, _CAP_MS)
        self.index = index
        self.joined = index >= 0
        self.until = Timer(now, _GRACE_MS if self.joined else 0)

    def step(self, connected, bits, now):
        if connected:
            self.joined = True
            self.backoff.reset()
            self.until = Timer(now, _GRACE_MS)
            return None
        if not self.until.passed(now):
            return None
        if self.joined:
            # Lost: begin with the network that worked.
            self.joined = False
            self.index = max(self.index - 1, -1)
            return ("leave", 0)
        self.index += 1
        if self.index < self.networks:
            self.until = Timer(now, _JOIN_MS)
            return ("join", self.index)
        self.index = -1
        self.until = Timer(now, self.backoff.next_ms(bits))
        return ("leave" if self.backoff.failures % _ROUNDS_PER_RESTART else "restart", 0)
