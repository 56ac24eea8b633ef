"""The Wi-Fi of a simulated ESP32, station and access point: what `network.WLAN` sees, with the port's statuses and
error texts.

It joins, loses and rejoins a network over time. As in the port, the reason of the last loss stays in `status` during
the next attempt, until that one has ended. Pure: milliseconds come in with every call. `on_link` is called when
there is a network and when there is none. As in the port, the access point is named after the chip and open until it is
configured, which may be done before it is switched on. The board's sockets are the host's, and `shims/_net.py` cuts
them; nothing answers a new one while the association is a `zombie`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from tools.virtual_board.refused import Refused

STAT_IDLE = 1000
STAT_CONNECTING = 1001
STAT_GOT_IP = 1010
BEACON_TIMEOUT = 200
NO_AP_FOUND = 201
WRONG_PASSWORD = 202
_LEFT = 8  # the station itself hung up

_JOIN_MS = 300
_FAIL_MS = 1500


@dataclass
class Point:
    """One access point on the air."""

    ssid: str
    password: str
    bssid: bytes = b"\x02\0\0\0\0\1"
    dbm: int = -57
    channel: int = 6
    hidden: bool = False


class Radio:
    """Station interface.

    `networks`: ssid -> password of what is on the air, or None when every network and password is good; `points`: more
    access points, of which several may have one name. `joined`: the one that the station is at, None without. `zombie`:
    the association is dead from now on, and the station does not notice; it ends when the station joins again ("join"),
    was switched off and on ("interface"), or the chip is reset ("reset"). `joins`, `restarts`: how often it has joined
    a network, and was switched off while it was on, over all resets.
    `on_link(up)`: it has joined a network, or has lost or left it; `lost`: the latter was the last.
    """

    def __init__(self, networks: dict[str, str] | None = None) -> None:
        self.networks = networks
        self.on_link: Callable[[bool], object] = lambda up: None
        self.points: list[Point] = []
        self.air = True
        self.joins = self.restarts = 0
        self.off()

    def off(self) -> None:
        """As after a reset: nothing active, nothing asked for."""
        self.active = False
        self.reconnects = -1  # -1 = for ever, the port's default
        self.ssid = ""
        self.bssid: bytes | None = None
        self.joined: Point | None = None
        self._password = ""
        self._phase = "idle"  # idle, joining, up
        self._reason = 0
        self._until: float = 0
        self._wanted = False
        self._losses = 0
        self.lost = False
        self.zombie = ""

    def _link(self, up: bool) -> None:
        self.lost = not up
        self.on_link(up)

    def _leave(self) -> None:
        was_up = self._phase == "up"
        if self._phase != "idle":
            self._phase, self._reason = "idle", _LEFT
        self._wanted = False
        if was_up:
            self._link(False)

    def set_active(self, active: bool, now_ms: float) -> None:
        self._settle(now_ms)
        if not active:
            self._leave()
            self.restarts += self.active
            self._revive("interface")
        self.active = active

    def scan(self, now_ms: float) -> list[tuple[str, bytes, int, int, int, bool]]:
        """(ssid, bssid, channel, dBm, security, hidden) of each access point; of a hidden one no name."""
        self._settle(now_ms)
        if not self.active:
            raise Refused("O", "STA must be active")
        if self._phase == "joining":
            return []  # the driver refuses, and the port says nothing of it
        return [
            ("" if p.hidden else p.ssid, p.bssid, p.channel, p.dbm, 3 if p.password else 0, False)
            for p in self._points()
        ]

    def _points(self) -> list[Point]:
        named = [Point(ssid, password) for ssid, password in (self.networks or {}).items()]
        return named + self.points if self.air else []

    def connect(self, ssid: str, password: str, now_ms: float, bssid: bytes | None = None) -> None:
        """Start to join. Refused while joining and while joined, as the ESP-IDF driver refuses it."""
        self._settle(now_ms)
        if not self.active:
            raise Refused("O", "Wifi Not Started")
        if self._phase == "joining":
            raise Refused("O", "Wifi Internal State Error")
        if self._phase == "up":
            raise Refused("O", "Wifi Internal Error")
        if ssid:
            self.ssid, self._password, self.bssid = ssid, password, bssid
        self._wanted = True
        self._losses = 0
        self._join(now_ms)

    def disconnect(self, now_ms: float) -> None:
        self._settle(now_ms)
        if not self.active:
            raise Refused("O", "Wifi Not Started")
        self._leave()

    def connected(self, now_ms: float) -> bool:
        self._settle(now_ms)
        return self._phase == "up"

    def status(self, now_ms: float) -> int:
        """As the port ranks it: joined, then a reason that tells something, then still trying."""
        self._settle(now_ms)
        if self._phase == "up":
            return STAT_GOT_IP
        if self._reason in (NO_AP_FOUND, WRONG_PASSWORD):
            return self._reason
        if self._reason == _LEFT:
            return STAT_IDLE
        if self._wanted and self._may_retry():
            return STAT_CONNECTING
        return self._reason or STAT_IDLE

    def set_air(self, on: bool, now_ms: float) -> None:
        """The access point disappears or comes back."""
        self._settle(now_ms)
        self.air = on
        if not on and self._phase == "up":
            self._lose(BEACON_TIMEOUT, now_ms)

    def _join(self, now_ms: float) -> None:
        self._phase = "joining"
        self._until = now_ms + (_JOIN_MS if self._refusal() is None else _FAIL_MS)

    def _settle(self, now_ms: float) -> None:
        """Play what happened up to now."""
        while self._phase == "joining" and now_ms >= self._until:
            refusal = self._refusal()
            if refusal is None:
                self._phase, self._reason = "up", 0
                self.joins += 1
                self._revive("join")
                self._link(True)
            else:
                self._lose(refusal, self._until)

    def _revive(self, by: str) -> None:
        if self.zombie == by:
            self.zombie = ""

    def _refusal(self) -> int | None:
        """Why the station may not join, None if it may: the first access point of the name that it finds, as the port
        leaves it to the driver's fast scan, or the one that was asked for."""
        self.joined = None
        if self.networks is None and not self.points:
            return None if self.air else NO_AP_FOUND
        for point in self._points():
            if point.ssid == self.ssid and self.bssid in (None, point.bssid):
                if point.password != self._password:
                    return WRONG_PASSWORD
                self.joined = point
                return None
        return NO_AP_FOUND

    def _lose(self, reason: int, now_ms: float) -> None:
        was_up = self._phase == "up"
        self._phase, self._reason = "idle", reason
        if was_up:
            self._link(False)
        self._losses += 1
        if self._wanted and self._may_retry():
            self._join(now_ms)

    def _may_retry(self) -> bool:
        return self.reconnects < 0 or self._losses <= self.reconnects


WPA2 = 3
_SECURITY_MODES = range(8)


class AccessPoint:
    """The second interface. `stations`: how many have joined it. `seen`: what was on the air since power-up, in order:
    (ssid, security)."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, int]] = []
        self.off()

    def off(self) -> None:
        """As after a reset."""
        self.active = False
        self.stations = 0
        self.settings: dict[str, Any] = {"ssid": "ESP_000001", "security": 0, "key": "", "max_clients": 4}

    def set_active(self, active: bool) -> None:
        if active and not self.active:
            self._show(self.settings)
        self.active = active

    def configure(self, settings: Mapping[str, Any]) -> None:
        """All of `settings` or none of them."""
        new = {**self.settings, **settings}
        if new["security"] not in _SECURITY_MODES:
            raise Refused("O", "Wifi Invalid Argument")
        if new["security"] and not 8 <= len(new["key"].encode()) < 64:
            raise Refused("O", "Wifi Invalid Password")
        new["ssid"] = new["ssid"].encode()[:32].decode(errors="replace")
        if self.active:
            self._show(new)
        self.settings = new

    def _show(self, settings: Mapping[str, Any]) -> None:
        self.seen.append((settings["ssid"], settings["security"]))
