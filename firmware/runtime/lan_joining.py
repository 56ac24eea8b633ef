"""Waits for the LAN to connect. In memory only while it is not connected."""

from micropython import const

from firmware.core.timing import Timer

_FIRST_LOG_MS = const(10000)
_AGAIN_MS = const(300000)


class LanJoining:
    """`control`: see drivers.lan_control. `network`: a NetworkLoop. It has the interface of WifiJoining, but little to
    do: the ESP32 port requests an address by itself whenever a cable is plugged in."""

    found = ()  # networks that a setup portal could list

    def __init__(self, control, network, now):
        self.control = control
        self.log = network.log
        self.next_log = Timer(now, _FIRST_LOG_MS)

    def joined(self):
        return -1

    def hold(self, now, ms):
        pass

    def step(self, up, bits, now):
        """Take the next step, if one is due. DriverError, which is raised only once if the chip does not answer."""
        lan = self.control.lan
        if not lan.nic and not lan.broken:
            self.log("info", "LAN: starting")
            self.control.start()
        if self.next_log.passed(now):
            self.next_log = Timer(now, _AGAIN_MS)
            self.log("warning", "LAN: %s" % self.control.status())
