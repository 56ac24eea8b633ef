"""The board seam of the firmware over a simulated plant, without a chip in between.

It does what `firmware/drivers` does on the device: levels, readings, the watchdog, the clock that survives a reset. The
chip's own refusals (ADC2, input-only pins) belong to `tools/virtual_board`, which runs the real drivers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from firmware.core.errors import DriverError
from firmware.runtime.lan_joining import LanJoining
from firmware.runtime.wifi_joining import WifiJoining
from tools.virtual_board.plant import Plant
from tools.virtual_board.radio import Point as OnAir


class SimBoard:
    """`wall()`: true unix seconds; `bits()`: 32 random bits. `on_use(part)`: called before the firmware reads a button
    ("button") or sets the LED ("led"); an exception that it raises reaches the firmware."""

    def __init__(self, plant: Plant, wall: Callable[[], float], bits: Callable[[], int]) -> None:
        self.plant = plant
        self.random32 = bits
        self.fed: list[float] = []
        self.resets = 0
        self.on_reset: Callable[[], object] = lambda: None
        self.on_use: Callable[[str], object] = lambda part: None
        self.free = 65536
        self.rtc_offset_s: float | None = None
        self._wall = wall
        self._buses: dict[int, _OneWire] = {}

    def output(self, gpio: int, active_high: bool, on: bool) -> _Output:
        return _Output(self.plant, gpio, active_high, on)

    def adc(self, gpio: int) -> _Adc:
        return _Adc(self.plant, gpio)

    def bus(self, name: str, *args: Any) -> Any:
        return getattr(self, f"_{name}")(*args)

    def _one_wire(self, gpio: int) -> _OneWire:
        return self._buses.setdefault(gpio, _OneWire(self.plant, gpio, lambda: self._wall() * 1000))

    def _pulses(self, gpio: int, pull: str, rising: bool, debounce_ms: int, ms: Callable[[], int]) -> _Pulses:
        found = _Pulses(ms)
        self.plant.listeners[gpio] = found.come
        return found

    def _pwm_pin(self, gpio: int, active_high: bool, frequency: int, most: float, on: bool) -> _Pwm:
        return _Pwm(self.plant, gpio, most, on)

    def _i2c(self, sda: int, scl: int) -> _I2c:
        return _I2c(self.plant, sda, scl, lambda: self._wall() * 1000)

    def _dht(self, gpio: int) -> _Dht:
        return _Dht(self.plant, gpio)

    def button(self, gpio: int, active_low: bool, pull: str) -> _Button:
        return _Button(self, gpio, active_low, pull)

    def led(self, gpio: int, active_high: bool) -> _Led:
        return _Led(self, gpio, active_high)

    def watchdog(self, timeout_ms: int) -> SimBoard:
        return self

    def feed(self) -> None:
        self.fed.append(self._wall())

    def heap(self) -> tuple[int, int]:
        return 0, self.free

    def reset(self) -> None:
        self.on_reset()
        self.resets += 1

    def reset_cause(self) -> str:
        return "power_on"

    def rtc_get(self) -> int:
        return 946684800 if self.rtc_offset_s is None else int(self._wall() + self.rtc_offset_s)

    def rtc_set(self, unix_s: int) -> None:
        self.rtc_offset_s = unix_s - self._wall()


class _Output:
    def __init__(self, plant: Plant, gpio: int, active_high: bool, on: bool) -> None:
        self._plant, self._gpio, self._active_high = plant, gpio, active_high
        plant.drive(gpio, on == active_high)

    def set(self, on: bool) -> None:
        self._plant.drive(self._gpio, on == self._active_high)
        if self.get() != on:
            raise DriverError(f"GPIO {self._gpio} does not follow")

    def get(self) -> bool:
        return bool(self._plant.level(self._gpio)) == self._active_high


class _Led(_Output):
    def __init__(self, board: SimBoard, gpio: int, active_high: bool) -> None:
        super().__init__(board.plant, gpio, active_high, False)
        self._board = board

    def set(self, on: bool) -> None:
        self._board.on_use("led")
        super().set(on)


class _Adc:
    def __init__(self, plant: Plant, gpio: int) -> None:
        self._plant, self._gpio = plant, gpio

    def read_uv(self) -> int:
        return self._plant.microvolts(self._gpio)


class _OneWire:
    def __init__(self, plant: Plant, gpio: int, ms: Callable[[], float]) -> None:
        self.gpio, self.converted = gpio, None
        self._plant, self._ms = plant, ms

    def send(self, data: bytes) -> None:
        if not self._asked("reset"):
            raise DriverError(f"GPIO {self.gpio}: nothing answers on the bus")
        for byte in data:
            self._asked("write", byte)

    def receive(self, count: int) -> bytearray:
        return bytearray(self._asked("read") for _ in range(count))

    def _asked(self, op: str, value: int = 0) -> int:
        found = self._plant.asked("one_wire", self.gpio, op, value, self._ms())
        return 0 if found is None else int(found)


class _I2c:
    def __init__(self, plant: Plant, sda: int, scl: int, ms: Callable[[], float]) -> None:
        self._plant, self._pins, self._ms = plant, (sda, scl), ms

    def write(self, address: int, data: bytes) -> None:
        if self._plant.i2c(*self._pins, address, bytes(data), self._ms()) != len(data):
            raise DriverError(f"I2C {address:#x}: nothing answers")

    def read(self, address: int, count: int) -> bytes:
        found = self._plant.i2c(*self._pins, address, count, self._ms())
        if not isinstance(found, bytes):
            raise DriverError(f"I2C {address:#x}: nothing answers")
        return found


class _Pwm:
    def __init__(self, plant: Plant, gpio: int, most: float, on: bool) -> None:
        self._plant, self._gpio, self._most = plant, gpio, most
        self.set(on)

    def set(self, percent: float) -> None:
        if self._gpio in self._plant.dead:
            raise DriverError(f"GPIO {self._gpio} has a wrong duty cycle")
        self._plant.duties[self._gpio] = (
            self._most if isinstance(percent, bool) and percent else float(percent)
        )


class _Pulses:
    def __init__(self, ms: Callable[[], int]) -> None:
        self.count = 0
        self.last: int | None = None
        self._ms = ms

    def come(self, count: int) -> None:
        self.count += count
        self.last = self._ms()


class _Dht:
    def __init__(self, plant: Plant, gpio: int) -> None:
        self._plant, self._gpio = plant, gpio

    async def measured(self, clock: object, rest_ms: int) -> bytes:
        data = self._plant.asked("dht", self._gpio)
        if data is None or sum(data[:4]) & 255 != data[4]:
            raise DriverError(f"GPIO {self._gpio}: no answer")
        return bytes(data)


class _Button:
    def __init__(self, board: SimBoard, gpio: int, active_low: bool, pull: str) -> None:
        self._board, self._gpio, self._active_low = board, gpio, active_low
        self._pull = {"up": 1, "down": 0}.get(pull)

    def active(self) -> bool:
        self._board.on_use("button")
        return bool(self._board.plant.level(self._gpio, self._pull)) != self._active_low


class SimAccessPoint:
    """The access point as the portal gets it. `handle`: what answers a connection, while it is on."""

    def __init__(self, name: str) -> None:
        self.ssid = f"{name}-0001"
        self.on = False
        self.guests = 0
        self.handle: Callable[..., Any] | None = None

    def around(self) -> tuple[()]:
        return ()

    def start(self, password: str) -> None:
        self.on = True

    async def listen(self, handle: Callable[..., Any]) -> None:
        self.handle = handle

    def step(self, answer: Callable[..., Any]) -> None:
        pass

    def has_clients(self) -> bool:
        return self.guests > 0

    def stop(self) -> None:
        self.on = False


class _Joining:
    """The units of an interface, which is its own driver here."""

    def __init__(self, joining: type):
        self._joining = joining

    def load(self) -> tuple[type, Callable[..., Any]]:
        return self._joining, lambda interface, board: interface

    def drop(self) -> None:
        pass


@dataclass
class Point(OnAir):
    """`full`: it lets nobody in."""

    full: bool = False


class SimLan:
    """Ethernet. `cable`: it is in; `zombie`: nothing passes until the interface was restarted ("interface") or the chip
    was reset ("reset"); `mute`: its PHY does not answer from the next reset on."""

    LINK_S = 2.0
    what = "LAN"

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.joining = _Joining(LanJoining)
        self.lan = self
        self.cable, self.mute = True, False
        self.starts = self.restarts = 0
        self._now_s = now_s
        self.reset()

    def reset(self) -> None:
        """As the chip leaves it after a reset."""
        self.nic: object | None = None
        self.broken, self.zombie, self._ready_at = False, "", 0.0

    def start(self) -> None:
        self.starts += 1
        if self.mute:
            self.broken = True
            raise DriverError("LAN: esp_eth_driver_install failed")
        self.nic, self._ready_at = self, self._now_s() + self.LINK_S

    def restart(self) -> None:
        self.restarts += 1
        if self.zombie != "reset":
            self.zombie = ""
        self.start()

    def connected(self) -> bool:
        return self.nic is not None and self.cable and self._now_s() >= self._ready_at

    def carries(self) -> bool:
        """Whether packets pass."""
        return self.connected() and not self.zombie

    def status(self) -> str:
        return "no cable"

    def address(self, i: int) -> str:
        return ("192.0.2.10", "255.255.255.0", "192.0.2.1", "192.0.2.1")[i]

    def dns(self) -> list[str]:
        return [self.address(3)]


class SimRadio:
    """Wi-Fi with access points that come and go. Joining takes `JOIN_S` of virtual time, a scan `SCAN_S`.

    `air`: ssid: password of networks with one access point each; `points`: others, of which several may have one name.
    `zombie`: the association is dead from now on: the radio says that it is connected, and no packet passes until it
    has joined again ("join"), was switched off and on ("interface") or the chip was reset ("reset"), or for good
    ("defect"). `mute`: it cannot be switched on from the next reset on; `starts`: how often that was tried.
    `on_remedy(step)`: it is about to leave its network ("join") or to be switched off ("interface").
    """

    JOIN_S = 2.0
    SCAN_S = 2.0
    what = "Wi-Fi"

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.joining = _Joining(WifiJoining)
        self.air: dict[str, str] = {}
        self.points: list[Point] = []
        self.mute, self.starts, self.broken = False, 0, False
        self.restarts = 0
        self.joins: list[str] = []
        self.on_remedy: Callable[[str], object] = lambda step: None
        self.joined: Point | None = None
        self.fixed: tuple[str, ...] | None = None
        self.zombie = ""
        self._now_s = now_s
        self._ready_at = self._seen_at = 0.0
        self._found: Sequence[tuple[Any, ...]] | None = None

    def reset(self) -> None:
        """As the chip leaves it after a reset."""
        self.broken, self.joined, self.fixed = False, None, None
        if self.zombie != "defect":
            self.zombie = ""
        self._found = None

    def on_air(self) -> list[Point]:
        return [Point(ssid, password) for ssid, password in self.air.items()] + self.points

    def start(self) -> None:
        self.starts += 1
        self.broken = self.mute
        if self.mute:
            raise DriverError("Wi-Fi: WiFi Out of Memory")

    def restart(self) -> None:
        self.on_remedy("interface")
        self.restarts += 1
        self.joined = None
        if self.zombie not in ("reset", "defect"):
            self.zombie = ""

    def look(self) -> None:
        self._seen_at = self._now_s() + self.SCAN_S
        self._found = [("" if p.hidden else p.ssid, p.bssid, p.channel, p.dbm) for p in self.on_air()]

    @property
    def found(self) -> Sequence[tuple[Any, ...]] | None:
        if self._found is None or self._now_s() < self._seen_at:
            return None
        return [(ssid.encode(), *rest) for ssid, *rest in self._found]

    @found.setter
    def found(self, found: None) -> None:
        if self._now_s() >= self._seen_at:
            self._found = None

    def set_address(self, fixed: tuple[str, ...] | None) -> None:
        self.fixed = fixed

    def connect(self, ssid: str, password: str, bssid: bytes | None = None) -> None:
        self.joins.append(ssid)
        fits = [p for p in self.on_air() if p.ssid == ssid and bssid in (None, p.bssid)]
        self.joined = next((p for p in fits if p.password == password and not p.full), None)
        self._ready_at = self._now_s() + self.JOIN_S
        if self.zombie == "join":
            self.zombie = ""

    def disconnect(self) -> None:
        self.on_remedy("join")
        self.joined = None

    def connected(self) -> bool:
        return self.joined is not None and self.joined in self.on_air() and self._now_s() >= self._ready_at

    def carries(self) -> bool:
        """Whether packets pass."""
        return self.connected() and not self.zombie

    def status(self) -> str:
        return "connected" if self.connected() else "no such network"

    def address(self, i: int) -> str:
        return (self.fixed or ("192.0.2.10", "255.255.255.0", "192.0.2.1", "192.0.2.1"))[i]

    def dns(self) -> list[str]:
        return ["192.0.2.1"]
