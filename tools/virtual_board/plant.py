"""The plant at the pins: a heated room behind an NTC divider, daylight on an LDR divider, relays and a button.

It has the physics, the faults and the noise. It is pure and deterministic: time comes in through `advance`, chance
through the seed. So a virtual board uses it in real time, and tests of the whole device in virtual time. The rules of
the chip (pin modes, ADC range, Wi-Fi) are in `chip.py`.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

from tools import kinds
from tools.sensors.divider import SUPPLY_UV

Wiring = Mapping[str, Mapping[str, Any]]

DEMO_WIRING: dict[str, Mapping[str, Any]] = {
    "pump": {"gpio": 16, "active": 1},
    "heater": {"gpio": 17, "active": 0},
    "led": {"gpio": 2, "active": 1},
    "button": {"gpio": 27, "active": 0},
    "ntc": {"gpio": 34, "kind": "thermistor", **kinds.sensor("thermistor").WIRE},
    "ldr": {"gpio": 35, "kind": "ldr_sensor", **kinds.sensor("ldr_sensor").WIRE},
}
"""Role -> how it is wired. `active` is the level at which a relay pulls, the LED shines or the button is held; a
sensor has its `kind` and what `tools/sensors` asks for; a relay that something moves behind has in `load` the kind of
the output, and what `tools/outputs` has to know. Roles may be left out."""
ROLES = {"thermistor": "ntc", "ldr_sensor": "ldr"}
"""What the first sensor of a kind is called; any other has the name of its item."""

_ADC_NOISE_UV = 1_500
_HEATER_LAG_S = 60
_ROOM_LAG_S = 3600
_SENSOR_LAG_S = 20
_HEATER_GAIN_C = 30
"""How far above outside the room ends up when the heater stays on."""
_STEP_S = 5
_NOON_LUX = 1_000
"""Behind a window. Ten times more would leave 50 mV on the demo's LDR divider: in the blind end of the ADC."""
_NIGHT_LUX = 1


class Plant:
    """The surroundings of one board.

    `time_scale`: how many seconds pass in the room and the sky per second given to `advance`; a finger on the button
    and a load are not scaled. `hour`: time of day at the start, 0..24. Temperatures in degrees Celsius, light in lux.
    """

    def __init__(
        self,
        seed: int = 0,
        wiring: Wiring | None = None,
        time_scale: float = 1.0,
        room_c: float = 17.0,
        outside_c: float = 8.0,
        hour: float = 9.0,
    ) -> None:
        self.wiring = DEMO_WIRING if wiring is None else wiring
        self.time_scale = time_scale
        self.room_c = room_c
        self.outside_c = outside_c
        self.sensor_c = room_c
        self.hour = hour
        self._rng = random.Random(seed)
        self._heat = 0.0  # share of full power that reaches the room, follows the relay slowly
        self._driven: dict[int, int] = {}  # gpio -> level the chip drives
        self._pressed_ms: dict[int, float] = {}  # gpio -> how long the finger stays
        self._fixed_lux: float | None = None
        self.humidity = 45.0  # percent
        self.pressure_hpa = 1013.25
        self.stuck: dict[int, int] = {}
        """gpio -> level that it has whatever the chip does (see `stick`)."""
        self.broken: dict[str, str | None] = {}
        """role -> "open" or "short" (see `break_sensor`), None: mended."""
        self.kept: dict[Any, Any] = {}
        """What the parts of `tools/sensors` have to remember."""
        self.watchers: list[Callable[[int], object]] = []
        """Who is called with each pin that the chip has driven or let go."""
        self.listeners: dict[int, Callable[[int], None]] = {}
        """gpio -> who is called with the number of pulses that come there."""
        self.duties: dict[int, float] = {}
        """gpio -> percent of the time that a pin with PWM is high; in virtual time, that its output is on."""
        self.dead: set[int] = set()
        """Pins that take no duty."""
        self.volts: dict[int, float] = {}
        """gpio -> what a sensor of kind `analog` puts out there."""
        self.aliases: dict[int, int] = {}
        """gpio -> the pin whose sensor is connected there, too."""
        self.loads: dict[str, Any] = {
            role: kinds.output(wire["load"]).Load(role, wire)
            for role, wire in self.wiring.items()
            if "load" in wire
        }
        """What moves behind relays, such as a cover, by the role of the first one."""

    # Time

    def advance(self, dt_ms: float) -> None:
        """Let `dt_ms` milliseconds (>= 0, before scaling) pass."""
        self.move(dt_ms)
        self.pass_time(dt_ms)

    def move(self, dt_ms: float) -> None:
        for load in self.loads.values():
            load.advance(dt_ms)

    def pass_time(self, dt_ms: float) -> None:
        """`advance` for everything but the loads, which need finer steps."""
        held = self._pressed_ms
        self._pressed_ms = {gpio: left - dt_ms for gpio, left in held.items() if left > dt_ms}
        left_s = dt_ms / 1000 * self.time_scale
        while left_s > 0:
            step_s = min(left_s, _STEP_S)
            self._step(step_s)
            left_s -= step_s

    def _step(self, dt_s: float) -> None:
        self._heat += (self.heater_on - self._heat) * _share(dt_s, _HEATER_LAG_S)
        target_c = self.outside_c + _HEATER_GAIN_C * self._heat
        self.room_c += (target_c - self.room_c) * _share(dt_s, _ROOM_LAG_S)
        self.sensor_c += (self.room_c - self.sensor_c) * _share(dt_s, _SENSOR_LAG_S)
        self.hour = (self.hour + dt_s / 3600) % 24

    # The chip's side of the pins

    def drive(self, gpio: int, level: int | None) -> None:
        """The chip drives a pin to 0 or 1, or lets it go (None)."""
        if level is None:
            self._driven.pop(gpio, None)
        else:
            self._driven[gpio] = int(bool(level))
        self._drive_loads()
        for watcher in self.watchers:
            watcher(gpio)

    def _drive_loads(self) -> None:
        for load in self.loads.values():
            load.drive(self.is_on)

    def level(self, gpio: int, pull: int | None = None) -> int:
        """The level a digital read finds, 0 or 1: what is stuck, held, driven, pulled by the chip, or at rest."""
        if gpio in self.stuck:
            return self.stuck[gpio]
        if gpio in self._pressed_ms:
            return self._active(gpio)
        if gpio in self._driven:
            return self._driven[gpio]
        return 1 - self._active(gpio) if pull is None else pull

    def microvolts(self, gpio: int) -> int:
        """The voltage on an analog pin, 0..3,300,000 microvolts, with noise. A pin without a divider floats."""
        gpio = self.aliases.get(gpio, gpio)
        for role, wire in self.wiring.items():
            if wire["gpio"] == gpio and "kind" in wire:
                return self._noisy(kinds.sensor(wire["kind"]).microvolts(wire, self, self.broken.get(role)))
        return self._noisy(self._rng.uniform(0, SUPPLY_UV / 3))

    def asked(self, verb: str, gpio: int, *arguments: Any) -> Any:
        """What the sensor at a pin answers on its bus: `one_wire` is for all that are there, any other for the first.
        None: nothing is there."""
        wires = [
            (wire, self.broken.get(role))
            for role, wire in self.wiring.items()
            if wire["gpio"] == gpio and "kind" in wire and hasattr(kinds.sensor(wire["kind"]), verb)
        ]
        if not wires:
            return None
        part = getattr(kinds.sensor(wires[0][0]["kind"]), verb)
        return part(wires, self, *arguments) if verb == "one_wire" else part(wires[0][0], self, wires[0][1])

    def i2c(self, sda: int, scl: int, address: int, asked: bytes | int, now_ms: float) -> bytes | int | None:
        """What the part with this address on the bus at these pins makes of bytes that are written, how many it
        acknowledges; or so many bytes of it. None: nobody acknowledges the address. A sensor with "short" holds the
        data line low, which acknowledges everything and reads as zeros."""
        there = [
            (role, wire)
            for role, wire in self.wiring.items()
            if (wire.get("sda"), wire.get("scl")) == (sda, scl)
        ]
        if any(self.broken.get(role) == "short" for role, _ in there):
            return len(asked) if isinstance(asked, bytes) else bytes(asked)
        for role, wire in there:
            if wire["i2c_address"] == address and not self.broken.get(role):
                return kinds.sensor(wire["kind"]).i2c(wire, self, asked, now_ms)
        return None

    def _noisy(self, microvolts: float) -> int:
        return round(min(max(microvolts + self._rng.gauss(0, _ADC_NOISE_UV), 0), SUPPLY_UV))

    def _active(self, gpio: int) -> int:
        """The level that means "on" for the part on this pin. At rest its own resistor holds the other one."""
        for wire in self.wiring.values():
            if wire["gpio"] == gpio:
                return wire.get("active", 1)
        return 1

    # What a person would see

    def is_on(self, role: str) -> bool:
        """Whether the relay or LED of that role is on, by the level on its pin."""
        wire = self.wiring.get(role)
        return wire is not None and self.level(wire["gpio"]) == wire["active"]

    @property
    def heater_on(self) -> bool:
        return self.is_on("heater")

    @property
    def held(self) -> bool:
        """Whether a finger is on any button."""
        return bool(self._pressed_ms)

    @property
    def lux(self) -> float:
        """Daylight from 6 to 18 o'clock, highest at noon; moonlight otherwise."""
        if self._fixed_lux is not None:
            return self._fixed_lux
        return max(_NOON_LUX * math.sin((self.hour - 6) / 12 * math.pi), _NIGHT_LUX)

    # What a person or a test can do to it

    def press(self, gpio: int, ms: float) -> None:
        """Hold the button on this pin for `ms` milliseconds from now."""
        self._pressed_ms[gpio] = ms

    def stick(self, gpio: int, level: int | None) -> None:
        """Weld the pin to 0 or 1 whatever the chip drives, or mend it (None)."""
        if level is None:
            self.stuck.pop(gpio, None)
        else:
            self.stuck[gpio] = int(bool(level))
        self._drive_loads()

    def pulse(self, gpio: int, count: int = 1) -> None:
        """Let pulses come to a pin, at once. Nobody counts them where the chip does not listen."""
        if gpio in self.listeners:
            self.listeners[gpio](count)

    def break_sensor(self, role: str, fault: str | None) -> None:
        """Cut ("open") or bridge ("short") a sensor, such as "ntc" or "ldr", or mend it (None)."""
        if "kind" not in self.wiring.get(role, ()) or fault not in ("open", "short", None):
            raise ValueError(f"no such fault: {role} {fault}")
        self.broken[role] = fault

    def set_light(self, lux: float | None) -> None:
        """Hold the light at `lux` (> 0), or give it back to the day (None)."""
        self._fixed_lux = lux

    def set_room(self, celsius: float) -> None:
        """Put room and sensor at this temperature at once."""
        self.room_c = self.sensor_c = celsius


def wires_of(output: Mapping[str, Any], role: str) -> dict[str, dict[str, Any]]:
    """What is connected for an output, by role: its relay, and what its kind has beside that."""
    wire = {"gpio": output["gpio"], "active": _ACTIVE[output.get("active", "high")]}
    kind = kinds.output(output.get("mode", "switch"))
    found: dict[str, dict[str, Any]] = (
        kind.wires(role, wire, output) if hasattr(kind, "wires") else {role: wire}
    )
    return found


def wiring_from(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The wiring a device's config describes: first relay that regulates = heater, first of each sensor, button."""
    wiring: dict[str, dict[str, Any]] = {}
    for output in config.get("outputs", ()):
        role = "heater" if "sensor" in output and "heater" not in wiring else output["name"]
        wiring |= wires_of(output, role)
    for sensor in config.get("sensors", ()):
        wire = {
            "gpio": sensor.get("gpio", sensor.get("sda")),
            "kind": sensor["kind"],
            **kinds.sensor(sensor["kind"]).WIRE,
        }
        role = ROLES.get(sensor["kind"]) or sensor["name"]
        if role in wiring:
            role = f"{role} at {wire['gpio']}"
        wiring[role] = {key: sensor.get(key, preset) for key, preset in wire.items()}
    for button in config.get("buttons", ())[:1]:
        wiring["button"] = {"gpio": button["gpio"], "active": _ACTIVE[button.get("active", "low")]}
    if config.get("led"):
        wiring["led"] = {
            "gpio": config["led"]["gpio"],
            "active": _ACTIVE[config["led"].get("active", "high")],
        }
    return wiring


_ACTIVE = {"low": 0, "high": 1}


def _share(dt_s: float, lag_s: float) -> float:
    """How much of the way a first-order lag goes in `dt_s`; exact for a constant input, stable for any step."""
    return 1 - math.exp(-dt_s / lag_s)
