"""The part of a network interface (Wi-Fi station or LAN) that is needed while it is connected.

`wifi_control` or `lan_control`, which switches it on and connects it, is in memory only while there is no connection.
Only DriverError is raised.
"""

from firmware.drivers.board import attempt


class Interface:
    """`what`: "Wi-Fi" or "LAN". `settings`: for `wifi_control` or `lan_control`. `joining`: see
    `firmware/runtime/network_loop.py`. `nic`: the object of `network` once the interface is switched on, else None.
    `broken`: it could not be switched on; a reset of the chip may help."""

    def __init__(self, what, *settings):
        self.what = what
        self.settings = settings
        self.joining = self.nic = None
        self.broken = False

    def connected(self):
        """Return whether the interface is connected and has an address."""
        return self.nic is not None and attempt(self.what, self.nic.isconnected)

    def address(self, i):
        """Return an address as str, "0.0.0.0" if there is none. `i`: 0 own address, 1 netmask, 2 gateway, 3 name
        server."""
        return attempt(self.what, self.nic.ifconfig)[i]

    def dns(self):
        """Return the name server that DHCP or the fixed address gave, as a list of one str, or an empty list."""
        server = self.address(3)
        return [] if server == "0.0.0.0" else [server]
