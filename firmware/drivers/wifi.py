"""The part of the Wi-Fi station that an established connection needs.

The port may not reconnect by itself: `wifi_connect_policy` decides which network to try, how often and when, and
`wifi_control` switches the radio on and connects. Only DriverError leaves it.
"""

from firmware.drivers.board import attempt


class Wifi:
    """`pm`: how much power it saves, 0 none, 1 some, 2 most (wifi_ps_type_t of ESP-IDF); `country`: two letters or
    None. `wlan`: the station's WLAN object once it is switched on, else None."""

    def __init__(self, hostname, pm=0, country=None):
        self.hostname = hostname
        self.pm = pm
        self.country = country
        self.wlan = None

    def connected(self):
        """Whether the station has an address."""
        return self.wlan is not None and attempt("Wi-Fi", self.wlan.isconnected)

    def dns(self):
        """Addresses of name servers learned by DHCP, perhaps none."""
        server = attempt("Wi-Fi", self.wlan.ifconfig)[3]
        return [] if server == "0.0.0.0" else [server]
