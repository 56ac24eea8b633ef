"""The host's side of `firmware/sensors/dht11.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.sensors import dht22

MEANING = "temperature and humidity, by a DHT11"
MEASURES = "degrees Celsius"
ABOUT = dht22.ABOUT
PARTS = dht22.PARTS
KNOBS = dht22.KNOBS
WIRE: dict[str, Any] = {}


def dht(wire: Mapping[str, Any], plant: Any, fault: str | None) -> bytes | None:
    """The frame that it sends, None: nothing."""
    if fault == "open":
        return None
    tenths = round(abs(plant.sensor_c) * 10)
    data = bytes((round(plant.humidity), 0, tenths // 10, tenths % 10 | (0x80 if plant.sensor_c < 0 else 0)))
    return data + bytes(((sum(data) + (fault == "short")) & 0xFF,))


def doctor(row: Any, board: Any) -> Any:
    data = board.dht(row)
    degrees = data[2] + (data[3] & 0x7F) / 10
    return "%.1f degrees, %.1f %%" % (-degrees if data[3] & 0x80 else degrees, data[0] + data[1] / 10)
