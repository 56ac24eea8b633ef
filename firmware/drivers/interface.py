"""The part of a network interface that an established connection needs, Wi-Fi station or LAN.

What switches it on and connects it is in memory only while there is no connection: `wifi_control` or `lan_control`.
Only DriverError leaves it.
"""

from firmware.drivers.board import attempt


class Interface:
    """`what`: "Wi-Fi" or "LAN"; `settings`: what its control needs. `joining`: see runtime.network_loop. `nic`: the
    port's object once it is switched on, else None. `broken`: only a reset of the chip can help."""

    def __init__(self, what, *settings):
        self.what = what
        self.settings = settings
        self.joining = self.nic = None
        self.broken = False

    def connected(self):
        """Whether it has an address."""
        return self.nic is not None and attempt(self.what, self.nic.isconnected)

    def address(self, i):
        """0: its own, 1: the netmask, 2: the gateway, 3: the name server; "0.0.0.0" where there is none."""
        return attempt(self.what, self.nic.ifconfig)[i]

    def dns(self):
        """Addresses of name servers learned by DHCP, perhaps none."""
        server = self.address(3)
        return [] if server == "0.0.0.0" else [server]
