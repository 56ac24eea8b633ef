"""Joins a Wi-Fi network. In memory only while there is no connection."""

from micropython import const

from firmware.core.timing import Timer
from firmware.core.wifi_connect_policy import WifiConnectPolicy

_AGAIN_MS = const(30000)


class WifiJoining:
    """`control`: see drivers.wifi_control. `network`: a NetworkLoop, with the configured networks and the index of the
    one that was joined before."""

    def __init__(self, control, network, now):
        self.control = control
        self.networks = network.networks
        self.log = network.log
        self.started = False
        self.start = Timer(now)  # until the next attempt to switch the radio on
        self.found = ()  # the result of the last scan, for the setup portal
        self.policy = WifiConnectPolicy(network.networks, now, network.joined)

    def joined(self):
        """Return the index of the network, once it is joined."""
        return self.policy.index

    def hold(self, now, ms):
        """Do not use the radio for `ms` milliseconds."""
        self.policy.hold(now, ms)

    def step(self, up, bits, now):
        """Take the next step, if one is due. `up`: Wi-Fi is connected; `bits`: 32 random bits. DriverError."""
        control = self.control
        policy = self.policy
        if not self.started:
            if not self.start.passed(now):
                return
            self.start = Timer(now, _AGAIN_MS)
            control.start()
            self.started = True
        found = control.found
        if found is not None:
            control.found = None
            self.found = found
            if not up:
                policy.seen(found, now)
        action, index = policy.step(up, bits, now) or (None, 0)
        if action == "look":
            control.look()
        elif action == "join":
            self.join(index)
        elif action:
            self.log("warning", "Wi-Fi: %s" % control.status())
            if action == "restart":
                control.restart()
            else:
                control.disconnect()

    def join(self, index):
        ssid, password, _, fixed = self.networks[index]
        bssid = self.policy.bssid(index)
        at = " at " + ":".join(["%02x" % byte for byte in bssid]) if bssid else ""
        self.log("info", "Wi-Fi: joining %s%s" % (ssid, at))
        if any([network[3] for network in self.networks]):
            self.control.set_address(fixed)
        self.control.connect(ssid, password.reveal(), bssid)
