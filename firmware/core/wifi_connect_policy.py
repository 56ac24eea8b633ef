"""Which Wi-Fi network to try next, at which access point, and how long to wait in between.

Pure: the connection state, scan results and the time are arguments, and the next action is returned. A round begins
with a scan. Configured networks that were found are tried in their order, each for 20 s at its strongest access point.
A network that was not found may be hidden: it is tried after these if the scan found a hidden access point, or failed.
A round without success is followed by a wait that grows, with jitter. Rounds never end, and no reboot is requested: the
device must reconnect even to an access point that was off for a week.
"""

from micropython import const

from firmware.core.timing import Backoff, Timer

_LOOK_MS = const(8000)
_JOIN_MS = const(20000)
_GRACE_MS = const(3000)  # the radio itself reconnects after a dropout this short
_ROUNDS_PER_RESTART = const(3)
_BASE_MS = const(5000)
_CAP_MS = const(20000)
_TRIED_DB = const(200)  # subtracted from a tried access point, so that it ranks below all untried ones


class WifiConnectPolicy:
    """`networks`: (ssid, password, BSSID or None, address or None) each. `step` returns None, ("look", 0): scan, and
    call `seen` within 8 s; ("join", index) at `bssid(index)`; ("restart", 0) the radio; or ("leave", 0). `index`: the
    network whose connection was just lost, -1 if there was none."""

    def __init__(self, networks, now, index=-1):
        self.networks = networks
        self.backoff = Backoff(_BASE_MS, _CAP_MS)
        self.index = index
        self.joined = index >= 0
        self.until = Timer(now, _GRACE_MS if self.joined else 0)
        self.order = None  # indexes of the networks left in this round, None before its scan
        self.bssids = {}  # {index: BSSID to join, 6 bytes}
        self.tried = []  # BSSIDs that were tried without success

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
        """Do nothing for `ms` milliseconds."""
        self.until = Timer(now, ms)

    def bssid(self, index):
        """Return the BSSID (6 bytes) to join for a network; None: whichever the radio finds first."""
        return self.bssids.get(index) or self.networks[index][2]

    def seen(self, found, now):
        """Handle a scan result. `found`: (ssid, bssid, channel, dBm, ...) each, the first two as bytes; empty if the
        scan failed."""
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
        if min(strengths.values(), default=0) < -_TRIED_DB:  # all of a network were tried: start over
            self.tried.clear()
        every = list(range(len(self.networks)))
        # After a lost connection, begin with the network that worked.
        every = every[self.index :] + every[: self.index] if self.index > 0 else every
        self.order = [i for i in every if i in bssids]
        if hidden:
            self.order += [i for i in every if i not in bssids]
