"""The Ethernet of a simulated ESP32: what `network.LAN` of the port sees, with its statuses and error texts.

The PHY answers only where the arguments are those of the kit that the board is, as on the real one: any other PHY,
address, pin or clock leads to no answer. Source: MicroPython's `ports/esp32/network_lan.c`, alike from 1.24 to 1.29.
After a call that failed because no PHY answered the port has used up its network interface, and no further call
succeeds until a reset. The link takes a while to come up, and DHCP some more.
Pure: milliseconds come in with every call. `on_link` is called when there is a network and when there is none.
"""

from __future__ import annotations

from collections.abc import Callable

from tools.virtual_board.refused import Refused

INITIALIZED, STARTED, STOPPED, CONNECTED, DISCONNECTED, GOT_IP = range(6)
PHYS = {"LAN8710": 0, "LAN8720": 1, "IP101": 2, "RTL8201": 3, "DP83848": 4, "KSZ8041": 5, "KSZ8081": 6}
_CLOCK_MODES = {"in": 1, "out": 3}
"""`machine.Pin.IN` and `machine.Pin.OUT`."""
_LINK_MS, _DHCP_MS = 1500, 300


class Lan:
    """`wired`: the line of the kit, such as LAN8720:1:23:18:16:0:in; "": no PHY is there.

    `cable`: it is plugged in, at both ends. `dead`: nothing passes although all seems well; it ends when the interface
    was switched off and on ("interface"), or the chip is reset ("reset"). `mute`: the PHY does not answer. `starts`:
    how often it was switched on, over all resets.
    """

    def __init__(self, wired: str = "") -> None:
        self.wired = wired
        self.on_link: Callable[[bool], object] = lambda up: None
        self.cable = True
        self.dead = ""
        self.mute = False
        self.starts = 0
        self.off()

    def __repr__(self) -> str:
        return f"Lan({self.wired!r}, status={self._status}, cable={self.cable})"

    def off(self) -> None:
        """As after a reset."""
        self.active = self.there = self.lost = False
        self._spoilt = False
        self._status = INITIALIZED
        self._since: float = 0
        self.fixed = False
        self.dead = ""

    def construct(self, address: int, phy: int, mode: int, *pins: int) -> None:
        """`pins`: mdc, mdio, power, reset, clock; -1: not given."""
        if not 0 <= address <= 0x1F:
            raise Refused("V", "invalid phy address")
        if phy not in PHYS.values():
            raise Refused("V", "invalid phy type")
        if -1 in pins[:2]:
            raise Refused("V", "mdc and mdio must be specified")
        if self._spoilt:
            raise Refused("O", "esp_netif_attach failed")
        if self.mute or not self._fits(address, phy, mode, *pins):
            self._spoilt = True
            raise Refused("O", "esp_eth_driver_install failed")
        self.there = True

    def _fits(
        self, address: int, phy: int, mode: int, mdc: int, mdio: int, power: int, reset: int, clock: int
    ) -> bool:
        if not self.wired:
            return False
        name, *numbers, way = self.wired.split(":")
        clock, mode = 0 if clock == -1 else clock, _CLOCK_MODES["in"] if mode == -1 else mode
        wanted = [PHYS[name], *map(int, numbers), _CLOCK_MODES[way]]
        return wanted == [phy, address, mdc, mdio, power, clock, mode] and reset == -1

    def set_active(self, active: bool, now_ms: float) -> None:
        self._settle(now_ms)
        if active == self.active:
            return
        self.active = active
        self.starts += active
        if active and self.dead == "interface":
            self.dead = ""
        self._move(STARTED if active else STOPPED, now_ms)

    def plug(self, cable: bool, now_ms: float) -> None:
        """Plug the cable in, or pull it out."""
        self._settle(now_ms)
        self.cable = cable
        if self.active:
            self._move(STARTED if cable else DISCONNECTED, now_ms)

    def status(self, now_ms: float) -> int:
        self._settle(now_ms)
        return self._status

    def connected(self, now_ms: float) -> bool:
        return self.status(now_ms) == GOT_IP

    def _move(self, status: int, now_ms: float) -> None:
        was_up, self._status, self._since = self._status == GOT_IP, status, now_ms
        if was_up != (status == GOT_IP):
            self.lost = was_up
            self.on_link(status == GOT_IP)

    def _settle(self, now_ms: float) -> None:
        """Play what happened up to now."""
        if (
            self._status in (STARTED, DISCONNECTED)
            and self.active
            and self.cable
            and now_ms >= self._since + _LINK_MS
        ):
            self._move(CONNECTED, self._since + _LINK_MS)
        if self._status == CONNECTED and now_ms >= self._since + (0 if self.fixed else _DHCP_MS):
            self._move(GOT_IP, now_ms)
