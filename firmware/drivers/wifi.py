"""The Wi-Fi station: one attempt at a time, told in words.

Owns the WLAN interface and forbids the port to reconnect by itself: which network to try, how often and when, is
decided above. A connection that is up is left alone. Only DriverError leaves it, and no password is part of one.
"""

import network

from firmware.core.errors import DriverError

_WORDS = {
    # ESP32 port: its own three states, then reason codes of ESP-IDF (wifi_err_reason_t).
    1000: "idle",
    1001: "connecting",
    1010: "connected",
    15: "wrong password",
    200: "the access point went silent",
    201: "no such network",
    202: "wrong password",
    203: "the access point refuses",
    204: "wrong password",
    210: "no network with compatible security",
    211: "the network's security is too weak",
    212: "the network's signal is too weak",
}


class Wifi:
    def __init__(self, hostname):
        self._hostname = hostname
        self._wlan = None

    def __repr__(self):
        return "Wifi(%s)" % (self.status() if self._wlan else "off")

    def start(self):
        """Switch the radio on, without connecting."""
        self._try(network.hostname, self._hostname)
        self._wlan = self._try(network.WLAN, network.STA_IF)
        self._try(self._wlan.active, True)
        try:
            self._wlan.config(reconnects=0)
        except (OSError, RuntimeError, ValueError, TypeError):
            pass  # not on every port; two masters then, which is a nuisance and no fault

    def connect(self, ssid, password):
        """Begin to connect and return at once; watch `connected()`. `password` "": an open network."""
        if not self.connected():
            self._try(self._wlan.connect, ssid, password or None)

    def disconnect(self):
        self._try(self._wlan.disconnect)

    def restart(self):
        """Radio off and on again: the way out of "Wifi Internal Error", which no other call mends."""
        self._try(self._wlan.active, False)
        self.start()

    def connected(self):
        """Whether the station has an address."""
        return self._try(self._wlan.isconnected)

    def status(self):
        """What the last attempt has come to, in words."""
        code = self._try(self._wlan.status)
        return _WORDS.get(code) or "reason %s" % code

    def rssi(self):
        """Signal in dBm, 0..-127. DriverError when not connected."""
        return self._try(self._wlan.status, "rssi")

    def ip(self):
        return self._try(self._wlan.ifconfig)[0]

    def dns(self):
        """Addresses of name servers learned by DHCP, perhaps none."""
        server = self._try(self._wlan.ifconfig)[3]
        return [] if server == "0.0.0.0" else [server]

    def _try(self, call, *args):
        # RuntimeError is what the port raises for error codes it has no text for.
        try:
            return call(*args)
        except (OSError, RuntimeError, ValueError) as e:
            raise DriverError("Wi-Fi: %s" % e)
