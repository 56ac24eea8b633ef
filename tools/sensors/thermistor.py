"""The host's side of `firmware/sensors/thermistor.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from tools.sensors import divider

MEANING = "a temperature, by an NTC"
MEASURES = "degrees Celsius"
ABOUT = divider.ABOUT | {
    "beta": "What is its beta? From its data sheet, often 3380, 3435 or 3950.",
    "r25_ohm": "What is its resistance at 25 °C? 10k for most.",
}
KNOBS = ("room",)
WIRE = {"side": "low", "divider_ohm": 10_000, "beta": 3950, "r25_ohm": 10_000}


def microvolts(wire: Mapping[str, Any], plant: Any, fault: str | None) -> float:
    exponent = wire["beta"] * (1 / (plant.sensor_c + 273.15) - 1 / (25 + 273.15))
    return divider.divider_uv(wire, fault, wire["r25_ohm"] * math.exp(exponent))


def doctor(row: Any, board: Any) -> Any:
    millivolts, ohm = board.divider(row)
    per_kelvin = 1 / 298.15 + board.log(ohm / row.get("r25_ohm", 10000)) / row.get("beta", 3950)
    return "%d mV, %d ohm, %.1f degrees (beta equation)" % (millivolts, ohm, 1 / per_kelvin - 273.15)
