"""Which Wi-Fi network to try next, at which access point, and how long to rest in between.

Pure: whether the radio is connected, what a scan found and the time come in; what to do next comes out. A round begins
with a scan. Known networks that were seen are tried in their order, each for 20 s at its strongest access point; one
that was not seen may be hidden, and is tried after them where the scan found a hidden access point, or failed. After a
round without success it waits with growing jitter. It never gives up and never asks for a reboot: an access point that
is away for a week must find the device waiting.
"""

from micropython import const

from firmware.core.timing import Backoff, Timer

_LOOK_MS = const(8000)
_JOIN_MS = const(20000)
_GRACE_MS = const(3000)  # a dropout this short is left to the radio
_ROUNDS_PER_RESTART = const(3)
_BASE_MS = const(5000)
_CAP_MS = const(20000)
_TRIED_DB = const(200)  # weaker than anything that was not tried yet


class WifiConnectPolicy:
    """`networks`: (ssid, password, access point or None, address or None) each. `step` answers one of None, ("look",
    0), which `seen` is to answer within 8 s, ("join", index) at `bssid(index)`, ("restart", 0) or ("leave", 0).
    `index`: the network whose connection has just been lost, -1 where there was none."""

    def __init__(self, networks, now, index=-1):
        self.networks = networks
        self.backoff = Backoff(_BASE_MS, _CAP_MS)
        self.index = index
        self.joined = index >= 0
        self.until = Timer(now, _GRACE_MS if self.joined else 0)
        self.order = None  # of the networks that are left in this round, None before its look
        self.bssids = {}  # {index: access point to join, 6 bytes}
        self.tried = []  # access points that were tried without success

    def step(self, connected, bits, now):
        if connected:
            self.joined = True
            self.backoff.reset()
            self.until = Timer(now, _GRACE_MS)
            self.tried.clear()
            return None
        if not self.until.passed(now):
            return None
        if self.joined:
            self.joined = False
            self.order = None
            return ("leave", 0)
        if self.order is None:
            self.seen((), now)
            self.until = Timer(now, _LOOK_MS)
            return ("look", 0)
        if self.order:
            self.index = self.order.pop(0)
            if self.index in self.bssids:
                self.tried.append(self.bssids[self.index])
            self.until = Timer(now, _JOIN_MS)
            return ("join", self.index)
        self.order = None
        self.index = -1
        self.until = Timer(now, self.backoff.next_ms(bits))
        return ("leave" if self.backoff.failures % _ROUNDS_PER_RESTART else "restart", 0)

    def hold(self, now, ms):
        """Do nothing for so long."""
        self.until = Timer(now, ms)

    def bssid(self, index):
        """The access point of a network to join, 6 bytes, or None: whichever the radio finds first."""
        return self.bssids.get(index) or self.networks[index][2]

    def seen(self, found, now):
        """What is on the air: (ssid, bssid, channel, dBm, ...) each, bytes; nothing where a scan was not possible."""
        self.until = Timer(now)
        self.bssids = bssids = {}
        strengths = {}
        hidden = not found
        for point in found:
            ssid, bssid, dbm = point[0], point[1], point[3]
            hidden = hidden or not ssid
            if bssid in self.tried:
                dbm -= _TRIED_DB
            for i, network in enumerate(self.networks):
                own = network[2]
                if (own == bssid if own else network[0].encode() == ssid) and dbm > strengths.get(i, -999):
                    strengths[i], bssids[i] = dbm, bssid
        if min(strengths.values(), default=0) < -_TRIED_DB:  # each was tried: begin again with the strongest
            self.tried.clear()
        every = list(range(len(self.networks)))
        # Lost: begin with the network that worked.
        every = every[self.index :] + every[: self.index] if self.index > 0 else every
        self.order = [i for i in every if i in bssids]
        if hidden:
            self.order += [i for i in every if i not in bssids]
