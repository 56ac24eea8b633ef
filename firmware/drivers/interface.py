"""The part of a network interface (Wi-Fi station or LAN) that is needed while it is connected.

The code that switches it on and connects it, `wifi_control` or `lan_control`, is in memory only while it is not
connected. Only DriverError is raised.
"""

from firmware.drivers.board import attempt


class Interface:
    """`what`: "Wi-Fi" or "LAN". `settings`: for `wifi_control` or `lan_control`. `joining`: see runtime.network_loop.
    `nic`: the port's object once it is switched on, else None. `broken`: only a reset of the chip can help."""

    def __init__(self, what, *settings):
        self.what = what
        self.settings = settings
        self.joining = self.nic = None
        self.broken = False

    def connected(self):
        """Return whether the interface is connected and has an address."""
        return self.nic is not None and attempt(self.what, self.nic.isconnected)

    def address(self, i):
        """Return an address as str, "0.0.0.0" if there is none. `i`: 0 its own, 1 netmask, 2 gateway, 3 name server."""
        return attempt(self.what, self.nic.ifconfig)[i]

    def dns(self):
        """Return the addresses of name servers from DHCP, perhaps none."""
        server = self.address(3)
        return [] if server == "0.0.0.0" else [server]
