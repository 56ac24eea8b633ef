"""`network` of the ESP32 port: a Wi-Fi station, an access point, a LAN. The rules live on the host, in `radio.py` and
`ethernet.py`.

Part of the virtual board, never of a device.
"""

import _link

_ask = _link.ask

STA_IF = 0


def __getattr__(name):
    return int(_ask("constant", "network", name))


def hostname(name=None):
    if name is None:
        return _ask("config", "hostname")
    _ask("config", "hostname", _link.packed(name))


def country(code=None):
    if code is None:
        return _ask("country")
    if len(code) != 2:
        raise ValueError
    _ask("country", _link.packed(code))


class WLAN:
    IF_STA = 0
    IF_AP = 1
    PM_NONE = 0
    PM_PERFORMANCE = 1
    PM_POWERSAVE = 2

    def __init__(self, interface=0):
        if interface not in (0, 1):
            raise ValueError("invalid WLAN interface identifier")
        self._ap = "ap_" if interface else ""

    def active(self, on=None):
        if self._ap and on:
            import _net

            _net.air[0] = True
        return _ask(self._ap + "active", *(() if on is None else (int(on),))) == "1"

    def connect(self, ssid="", key="", bssid=None):
        if bssid is not None and len(bssid) != 6:
            raise ValueError
        _ask("connect", _link.packed(ssid), _link.packed(key or ""), _link.packed(bssid or b""))

    def scan(self):
        words = _ask("scan").split()
        found = []
        while words:
            ssid, bssid, channel, dbm, security = words[:5]
            words = words[5:]
            found.append((_bytes(ssid), _bytes(bssid), int(channel), int(dbm), int(security), False))
        return found

    def disconnect(self):
        _ask("disconnect")

    def isconnected(self):
        return _ask(self._ap + "connected") == "1"

    def status(self, what=None):
        if what is None:
            return int(_ask("status"))
        if what != "rssi":
            raise ValueError("unknown status param")
        return int(_ask("rssi"))

    def ifconfig(self, value=None):
        if value is not None:
            _ask("ifconfig", *((value,) if isinstance(value, str) else value))
            return None
        return tuple(_ask(self._ap + "ifconfig").split())

    def ipconfig(self, what):
        address, mask, gateway, _ = self.ifconfig()
        return {"addr4": (address, mask), "gw4": gateway, "dhcp4": True}[what]

    def config(self, what=None, **settings):
        if what == "mac":
            return b"\x24\x0a\xc4\x00\x00\x01"
        if what:
            value = _ask((self._ap if what != "hostname" else "") + "config", what)
            return value if what in ("hostname", "ssid") else int(value)
        if self._ap:
            words = []
            for name, value in settings.items():
                words += [name, _link.packed(value) if isinstance(value, (str, bytes)) else int(value)]
            return _ask("ap_config", *words)
        for name, value in settings.items():
            _ask("config", name, _link.packed(value) if name == "hostname" else int(value))


class _Lan:
    """The only one there is, as in the port."""

    def active(self, on=None):
        return _ask("lan_active", *(() if on is None else (int(bool(on)),))) == "1"

    def isconnected(self):
        return _ask("lan_connected") == "1"

    def status(self):
        return int(_ask("lan_status"))

    def ifconfig(self, value=None):
        if value is not None:
            _ask("lan_ifconfig", *((value,) if isinstance(value, str) else value))
            return None
        return tuple(_ask("lan_ifconfig").split())

    def config(self, what):
        if what != "mac":
            raise ValueError("unknown config param")
        return b"\x24\x0a\xc4\x00\x00\x04"


_lan = _Lan()


def LAN(id=None, *, phy_addr, phy_type, mdc=None, mdio=None, reset=None, power=None, spi=None, cs=None, int=None,
        ref_clk_mode=-1, ref_clk=None):  # fmt: skip
    if _ask("lan") != "1":
        if id:
            raise ValueError("invalid LAN interface identifier")
        pins = [-1 if pin is None else _gpio(pin) for pin in (mdc, mdio, power, reset, ref_clk)]
        _ask("lan", phy_addr, phy_type, ref_clk_mode, *pins)
    return _lan


def _gpio(pin):
    import machine

    if not isinstance(pin, machine.Pin):
        raise ValueError("expecting a pin")
    return pin._gpio


def _bytes(packed):
    import binascii

    return binascii.unhexlify(packed[1:])
