"""How the station is switched on, connects and leaves: in memory only while there is no connection."""

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


class WifiControl:
    """`wifi`: the driver that stays. Only DriverError leaves this, and no password is part of one."""

    def __init__(self, wifi):
        self.wifi = wifi

    def start(self):
        """Switch the radio on, without connecting."""
        wifi = self.wifi
        attempt("Wi-Fi", network.hostname, wifi.hostname)
        wlan = attempt("Wi-Fi", network.WLAN, network.STA_IF)
        attempt("Wi-Fi", wlan.active, True)
        attempt("Wi-Fi", wlan.config, reconnects=0)
        wifi.wlan = wlan

    def connect(self, ssid, password):
        """Begin to connect and return at once; watch `connected()`. `password` "": an open network."""
        if not self.wifi.connected():
            attempt("Wi-Fi", self.wifi.wlan.connect, ssid, password or None)

    def disconnect(self):
        attempt("Wi-Fi", self.wifi.wlan.disconnect)

    def restart(self):
        """Radio off and on again: the way out of "Wifi Internal Error", which no other call mends."""
        attempt("Wi-Fi", self.wifi.wlan.active, False)
        self.start()

    def status(self):
        """What the last attempt has come to, in words."""
        code = attempt("Wi-Fi", self.wifi.wlan.status)
        for codes, words in _WORDS:
            if code in codes:
                return words
        return "reason %s" % code
