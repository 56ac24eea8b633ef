"""The host's side of `firmware/sensors/ldr_sensor.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.sensors import divider

MEANING = "a brightness, by a photoresistor"
MEASURES = "lux"
ABOUT = divider.ABOUT
KNOBS = ("light",)
WIRE = {"side": "low", "divider_ohm": 10_000, "scale": 12_518_931, "exponent": -1.405}


def microvolts(wire: Mapping[str, Any], plant: Any, fault: str | None) -> float:
    ohm = (plant.lux / wire["scale"]) ** (1 / wire["exponent"])
    return divider.divider_uv(wire, fault, ohm)


def doctor(row: Any, board: Any) -> Any:
    millivolts, ohm = board.divider(row)
    lux = row.get("scale", 12518931) * ohm ** row.get("exponent", -1.405)
    return "%d mV, %d ohm, %.0f lx" % (millivolts, ohm, lux)
