"""The Wi-Fi station: one attempt at a time, told in words.

Owns the WLAN interface and forbids the port to reconnect by itself: which network to try, how often and when, is
decided above. A connection that is up is left alone. Only DriverError leaves it, and no password is part of one.
"""

import network

from firmware.drivers.board import attempt

_WORDS = (
    # ESP32 port: its own three states, then reason codes of ESP-IDF (wifi_err_reason_t).
    ((1000,), "idle"),
    ((1001,), "connecting"),
    ((1010,), "connected"),
    ((15, 202, 204), "wrong password"),
    ((200,), "access point silent"),
    ((201,), "no such network"),
    ((203,), "access point refuses"),
    ((210, 211), "security too weak"),
    ((212,), "signal too weak"),
)


class Wifi:
    def __init__(self, hostname):
        self.hostname = hostname
        self.wlan = None

    def start(self):
        """Switch the radio on, without connecting."""
        attempt("Wi-Fi", network.hostname, self.hostname)
        self.wlan = attempt("Wi-Fi", network.WLAN, network.STA_IF)
        attempt("Wi-Fi", self.wlan.active, True)
        attempt("Wi-Fi", self.wlan.config, reconnects=0)

    def connect(self, ssid, password):
        """Begin to connect and return at once; watch `connected()`. `password` "": an open network."""
        if not self.connected():
            attempt("Wi-Fi", self.wlan.connect, ssid, password or None)

    def disconnect(self):
        attempt("Wi-Fi", self.wlan.disconnect)

    def restart(self):
        """Radio off and on again: the way out of "Wifi Internal Error", which no other call mends."""
        attempt("Wi-Fi", self.wlan.active, False)
        self.start()

    def connected(self):
        """Whether the station has an address."""
        return attempt("Wi-Fi", self.wlan.isconnected)

    def status(self):
        """What the last attempt has come to, in words."""
        code = attempt("Wi-Fi", self.wlan.status)
        for codes, words in _WORDS:
            if code in codes:
                return words
        return "reason %s" % code

    def ip(self):
        return attempt("Wi-Fi", self.wlan.ifconfig)[0]

    def dns(self):
        """Addresses of name servers learned by DHCP, perhaps none."""
        server = attempt("Wi-Fi", self.wlan.ifconfig)[3]
        return [] if server == "0.0.0.0" else [server]
