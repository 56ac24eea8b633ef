"""What a person can turn in a plant while it runs: temperature, light, and what each sensor is there for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tools import kinds
from tools.sensors import analog
from tools.virtual_board.plant import Plant

Wire = Mapping[str, Any]


class Knob(NamedTuple):
    """`least`, `most`, `step`: of its value; a step of 0 is a push-button. `value` and `turn` get the plant and the
    wire of the sensor."""

    label: str
    unit: str
    least: float
    most: float
    step: float
    value: Callable[[Plant, Wire], float]
    turn: Callable[[Plant, Wire, float], None]


def _contact(plant: Plant, wire: Wire, value: float) -> None:
    plant.stick(wire["gpio"], 0 if value else None)


def _humidity(plant: Plant, _: Wire, value: float) -> None:
    plant.humidity = value


def _pressure(plant: Plant, _: Wire, value: float) -> None:
    plant.pressure_hpa = value


KNOBS = {
    "room": Knob("room temperature", "°C", -20, 60, 0.5, lambda p, _: p.room_c, lambda p, _, v: p.set_room(v)),
    "light": Knob("light", "lx", 1, 1000, 1, lambda p, _: p.lux, lambda p, _, v: p.set_light(v)),
    "humidity": Knob("humidity", "%", 0, 100, 1, lambda p, _: p.humidity, _humidity),
    "pressure": Knob("air pressure", "hPa", 300, 1100, 1, lambda p, _: p.pressure_hpa, _pressure),
    "volts": Knob("voltage", "V", 0, 3.3, 0.05, lambda p, wire: analog.microvolts(wire, p, None) / 1e6,
                  lambda p, wire, v: p.volts.update({wire["gpio"]: v})),
    "contact": Knob("contact to ground", "", 0, 1, 1, lambda p, wire: p.stuck.get(wire["gpio"]) == 0, _contact),
    "pulses": Knob("pulses", "", 1, 1000, 0, lambda p, _: 10, lambda p, wire, v: p.pulse(wire["gpio"], int(v))),
}  # fmt: skip
SHARED = ("room", "light", "humidity", "pressure")
"""There is one of each, however many sensors it reaches."""


def knobs(plant: Plant) -> dict[str, tuple[Wire, Knob]]:
    """By name, such as "room" or "volts 34": the sensor it is there for, the first of several, and the knob."""
    found: dict[str, tuple[Wire, Knob]] = {}
    for wire in plant.wiring.values():
        for word in kinds.sensor(wire["kind"]).KNOBS if "kind" in wire else ():
            found.setdefault(word if word in SHARED else f"{word} {wire['gpio']}", (wire, KNOBS[word]))
    return found


def views(plant: Plant) -> list[dict[str, Any]]:
    """All of them with the values they have now, as plain data; a value is rounded to its step."""
    return [
        {
            "name": name,
            **{key: getattr(knob, key) for key in ("label", "unit", "least", "most", "step")},
            "value": _rounded(float(knob.value(plant, wire)), knob.step),
        }
        for name, (wire, knob) in knobs(plant).items()
    ]


def _rounded(value: float, step: float) -> float:
    return round(round(value / step) * step, 4) if step else value
