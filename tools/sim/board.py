"""The board seam of the firmware over a simulated world, without a chip in between.

Owns what `firmware/drivers` owns on the device: levels, readings, the watchdog, the clock that survives a reset. The
chip's own refusals (ADC2, input-only pins) belong to the virtual board of `tools/board`, which runs the real drivers.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware.core.errors import DriverError
from firmware.runtime.wifi_joining import WifiJoining
from tools.board.world import World


class SimBoard:
    """`wall()`: true unix seconds; `bits()`: 32 random bits; `radio`: the SimRadio that `wifi` hands out."""

    def __init__(
        self, world: World, radio: SimRadio, wall: Callable[[], float], bits: Callable[[], int]
    ) -> None:
        self.world, self.radio = world, radio
        self.random32 = bits
        self.fed: list[float] = []
        self.resets = 0
        self.free = 65536
        self.rtc_offset_s: float | None = None
        self._wall = wall

    def output(self, gpio: int, active_high: bool, on: bool) -> _Output:
        return _Output(self.world, gpio, active_high, on)

    def adc(self, gpio: int) -> _Adc:
        return _Adc(self.world, gpio)

    def button(self, gpio: int, active_low: bool, pull: str) -> _Button:
        return _Button(self.world, gpio, active_low, pull)

    def led(self, gpio: int, active_high: bool) -> _Output:
        return _Output(self.world, gpio, active_high, False)

    def watchdog(self, timeout_ms: int) -> SimBoard:
        return self

    def feed(self) -> None:
        self.fed.append(self._wall())

    def wifi(self, hostname: str) -> SimRadio:
        return self.radio

    def heap(self) -> tuple[int, int]:
        return 0, self.free

    def reset(self) -> None:
        self.resets += 1

    def reset_cause(self) -> str:
        return "power_on"

    def rtc_get(self) -> int:
        return 946684800 if self.rtc_offset_s is None else int(self._wall() + self.rtc_offset_s)

    def rtc_set(self, unix_s: int) -> None:
        self.rtc_offset_s = unix_s - self._wall()


class _Output:
    def __init__(self, world: World, gpio: int, active_high: bool, on: bool) -> None:
        self._world, self._gpio, self._active_high = world, gpio, active_high
        world.drive(gpio, on == active_high)

    def set(self, on: bool) -> None:
        self._world.drive(self._gpio, on == self._active_high)
        if self.get() != on:
            raise DriverError(f"GPIO {self._gpio} does not follow")

    def get(self) -> bool:
        return bool(self._world.level(self._gpio)) == self._active_high


class _Adc:
    def __init__(self, world: World, gpio: int) -> None:
        self._world, self._gpio = world, gpio

    def read_uv(self) -> int:
        return self._world.microvolts(self._gpio)


class _Button:
    def __init__(self, world: World, gpio: int, active_low: bool, pull: str) -> None:
        self._world, self._gpio, self._active_low = world, gpio, active_low
        self._pull = {"up": 1, "down": 0}.get(pull)

    def active(self) -> bool:
        return bool(self._world.level(self._gpio, self._pull)) != self._active_low


class SimAccessPoint:
    """The access point as the portal gets it. `handle`: what answers a connection, while it is on."""

    def __init__(self, name: str) -> None:
        self.ssid = f"{name}-0001"
        self.on = False
        self.guests = 0
        self.handle: Callable | None = None

    def around(self) -> tuple:
        return ()

    def start(self, password: str) -> None:
        self.on = True

    async def listen(self, handle: Callable) -> None:
        self.handle = handle

    def step(self, answer: Callable) -> None:
        pass

    def used(self) -> bool:
        return self.guests > 0

    def stop(self) -> None:
        self.on = False


class _Joining:
    """The unit of `wifi.joining`: this radio is its own driver."""

    def load(self) -> tuple[Callable, Callable]:
        return WifiJoining, lambda radio: radio

    def drop(self) -> None:
        pass


class SimRadio:
    """Wi-Fi with access points that come and go. Joining takes `JOIN_S` of virtual time."""

    JOIN_S = 2.0
    wlan = None

    def __init__(self, now_s: Callable[[], float]) -> None:
        self.joining = _Joining()
        self.air: dict[str, str] = {}  # ssid: password of the access points in reach
        self.restarts = 0
        self.joins: list[str] = []
        self._now_s = now_s
        self._ssid: str | None = None
        self._ready_at = 0.0

    def start(self) -> None:
        pass

    def restart(self) -> None:
        self.restarts += 1
        self._ssid = None

    def connect(self, ssid: str, password: str) -> None:
        self.joins.append(ssid)
        self._ssid = ssid if self.air.get(ssid) == password else None
        self._ready_at = self._now_s() + self.JOIN_S

    def disconnect(self) -> None:
        self._ssid = None

    def connected(self) -> bool:
        return self._ssid in self.air and self._now_s() >= self._ready_at

    def status(self) -> str:
        return "connected" if self.connected() else "no such network"

    def ip(self) -> str:
        return "192.0.2.10"

    def dns(self) -> list[str]:
        return ["192.0.2.1"]
