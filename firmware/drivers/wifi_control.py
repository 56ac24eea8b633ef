"""How the Wi-Fi station is switched on, connects and leaves: in memory only while there is no connection.

The port may not reconnect by itself: `wifi_connect_policy` decides which network to try, how often and when.
"""

import network
from micropython import const

from firmware.drivers.board import attempt

_ROOM = const(14000)  # bytes of heap that a hundred access points take
_STACK = const(6144)

_STATUSES = (
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
    """`wifi`: the Interface that stays. Its settings: hostname, how much power it saves, 0 none, 1 some, 2 most
    (wifi_ps_type_t of ESP-IDF), country, two letters or None. `board`: has the free heap. `found`: the result of the
    latest `look`, once it is over: tuples as `WLAN.scan` has them, none where a scan was not possible. Only DriverError
    leaves this, and no password is part of one."""

    def __init__(self, wifi, board):
        self.wifi = wifi
        self.board = board
        self.found = None

    def start(self):
        """Switch the radio on, without connecting."""
        hostname, pm, country = self.wifi.settings
        attempt("Wi-Fi", network.hostname, hostname)
        if country:
            attempt("Wi-Fi", network.country, country)
        wlan = attempt("Wi-Fi", network.WLAN, network.STA_IF)
        attempt("Wi-Fi", wlan.active, True)
        attempt("Wi-Fi", wlan.config, reconnects=0, pm=pm)
        self.wifi.nic = wlan

    def look(self):
        """Begin to look for access points and return at once; see `found`.

        In a thread: a scan takes two seconds, in which buttons and limits of outputs have to work, and it lets go of
        the interpreter meanwhile. Not where the heap has little room, for nothing bounds how many there are.
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
        """Take this address (address, netmask, gateway, name server), or None: ask for one as usual."""
        wlan = self.wifi.nic
        if fixed:
            attempt("Wi-Fi", wlan.ifconfig, fixed)
            return
        try:
            wlan.ifconfig("dhcp")
        except (OSError, RuntimeError):
            pass  # it is asked for already

    def connect(self, ssid, password, bssid=None):
        """Begin to connect and return at once; watch `connected()`. `password` "": an open network; `bssid`: only
        there.

        The port joins the first access point of that name that it finds, not the strongest.
        """
        if not self.wifi.connected():
            attempt("Wi-Fi", self.wifi.nic.connect, ssid, password or None, bssid=bssid)

    def disconnect(self):
        attempt("Wi-Fi", self.wifi.nic.disconnect)

    def restart(self):
        """Radio off and on again: the way out of "Wifi Internal Error", which no other call mends."""
        attempt("Wi-Fi", self.wifi.nic.active, False)
        self.start()

    def status(self):
        """How the last attempt ended, as a text."""
        code = attempt("Wi-Fi", self.wifi.nic.status)
        for codes, text in _STATUSES:
            if code in codes:
                return text
        return "reason %s" % code
