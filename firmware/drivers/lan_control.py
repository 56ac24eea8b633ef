"""Switches on the chip's Ethernet (`network.LAN`, with a PHY on RMII). In memory only while it is not connected.

Source: MicroPython's `ports/esp32/network_lan.c`, the same from 1.24 to 1.29. `network.LAN` is a singleton that keeps
the arguments of its first successful call. After a failed call, none can succeed until the chip is reset.
"""

import machine
import network

from firmware.core.errors import DriverError
from firmware.drivers.board import attempt

_WHAT = "LAN"
# Indexed by the port's status: initialized, started, stopped, connected, disconnected, got an address.
_NO_CABLE = "no cable, or nothing at its other end"
_STATUSES = (
    _NO_CABLE,
    _NO_CABLE,
    "stopped",
    "the cable is in, but DHCP gave no address",
    _NO_CABLE,
    "connected",
)


class LanControl:
    """`lan`: the Interface. Its settings: hostname; PHY and pins as in the line of a kit (`firmware/boards`); fixed
    address (address, netmask, gateway, name server) or None. Only DriverError is raised.
    """

    def __init__(self, lan, board):
        self.lan = lan

    def start(self):
        """Switch the interface on. It requests an address as soon as a cable is plugged in."""
        hostname, phy, fixed = self.lan.settings
        attempt(_WHAT, network.hostname, hostname)
        if not self.lan.nic:
            self.lan.nic = self.constructed(phy)
        if fixed:
            # Set before it starts, so that DHCP is not used.
            attempt(_WHAT, self.lan.nic.ifconfig, fixed)
        attempt(_WHAT, self.lan.nic.active, True)

    def constructed(self, phy):
        self.lan.broken = True
        lan = getattr(network, "LAN", None)
        if not lan:
            raise DriverError("LAN: this MicroPython has no network.LAN; use an image of ESP32_GENERIC")
        phy, address, mdc, mdio, power, clock, mode = phy.split(":")
        mdc, mdio, power, clock = [machine.Pin(int(gpio)) for gpio in (mdc, mdio, power, clock)]
        mode = machine.Pin.IN if mode == "in" else machine.Pin.OUT
        options = {"mdc": mdc, "mdio": mdio, "power": power, "ref_clk": clock, "ref_clk_mode": mode}
        nic = attempt(_WHAT, lan, phy_type=getattr(network, "PHY_" + phy), phy_addr=int(address), **options)
        self.lan.broken = False
        return nic

    def restart(self):
        """Switch the interface off and on again."""
        attempt(_WHAT, self.lan.nic.active, False)
        self.start()

    def status(self):
        """Return why there is no connection, as text."""
        return _STATUSES[self.lan.nic.status()] if self.lan.nic else "its chip does not answer"
