"""Switches the Wi-Fi station on, connects and disconnects it. In memory only while there is no connection.

The port's own reconnecting is switched off: `wifi_connect_policy` decides which network to try, how often and when.
"""

import network
from micropython import const

from firmware.drivers.board import attempt

_ROOM = const(14000)  # bytes of heap for a scan that finds a hundred access points
_STACK = const(6144)

_STATUSES = (
    # The three states of the ESP32 port, then reason codes of ESP-IDF (wifi_err_reason_t).
    ((1000,), "idle"),
    ((1001,), "connecting"),
    ((1010,), "connected"),
    ((15, 202, 204), "wrong password"),
    ((200,), "access point lost"),
    ((201,), "no such network"),
    ((203,), "access point refused"),
    ((210, 211), "security too weak"),
    ((212,), "signal too weak"),
)


class WifiControl:
    """`wifi`: the Interface. Its settings: hostname; power-save mode, 0 none, 1 minimum, 2 maximum (wifi_ps_type_t of
    ESP-IDF); country, two letters or None. `board`: for its `heap`. `found`: the result of the last `look` once that
    has ended: tuples of `WLAN.scan`, empty if the scan failed. Only DriverError is raised, and its text does not
    contain the password."""

    def __init__(self, wifi, board):
        self.wifi = wifi
        self.board = board
        self.found = None

    def start(self):
        """Switch the radio on, without connecting. Until that succeeds, the Interface is `broken`."""
        self.wifi.broken = True
        hostname, pm, country = self.wifi.settings
        attempt("Wi-Fi", network.hostname, hostname)
        if country:
            attempt("Wi-Fi", network.country, country)
        wlan = attempt("Wi-Fi", network.WLAN, network.STA_IF)
        attempt("Wi-Fi", wlan.active, True)
        attempt("Wi-Fi", wlan.config, reconnects=0, pm=pm)
        self.wifi.nic = wlan
        self.wifi.broken = False

    def look(self):
        """Start to scan for access points and return at once; see `found`.

        The scan runs in a thread, because it takes two seconds, during which buttons and limits of outputs must work;
        it releases the interpreter lock meanwhile. Without enough free heap there is no scan, because the number of
        access points is not bounded.
        """
        self.found = None
        try:
            if self.board.heap()[1] < _ROOM:
                raise MemoryError
            import _thread

            _thread.stack_size(_STACK)
            try:
                _thread.start_new_thread(self._look, ())
            finally:
                _thread.stack_size(0)
        except (ImportError, OSError, RuntimeError, MemoryError):
            self.found = ()

    def _look(self):
        try:
            self.found = self.wifi.nic.scan()
        except (OSError, RuntimeError, MemoryError):
            self.found = ()

    def set_address(self, fixed):
        """Set a fixed address: (address, netmask, gateway, name server). None: use DHCP."""
        wlan = self.wifi.nic
        if fixed:
            attempt("Wi-Fi", wlan.ifconfig, fixed)
            return
        try:
            wlan.ifconfig("dhcp")
        except (OSError, RuntimeError):
            pass  # DHCP runs already

    def connect(self, ssid, password, bssid=None):
        """Start to connect and return at once; then poll `connected` of the Interface. `password`: "" for an open
        network. `bssid`: connect only to that access point; None: to the first one of that name that the port finds,
        which may not be the strongest.
        """
        if not self.wifi.connected():
            attempt("Wi-Fi", self.wifi.nic.connect, ssid, password or None, bssid=bssid)

    def disconnect(self):
        attempt("Wi-Fi", self.wifi.nic.disconnect)

    def restart(self):
        """Switch the radio off and on again, the only remedy for "Wifi Internal Error"."""
        attempt("Wi-Fi", self.wifi.nic.active, False)
        self.start()

    def status(self):
        """Return the state, or how the last attempt ended, as text."""
        code = attempt("Wi-Fi", self.wifi.nic.status)
        for codes, text in _STATUSES:
            if code in codes:
                return text
        return "reason %s" % code
