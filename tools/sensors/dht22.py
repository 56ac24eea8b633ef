"""The host's side of `firmware/sensors/dht22.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tools.sensors import humidity

MEANING = "temperature and humidity, by a DHT22 or AM2302"
MEASURES = "degrees Celsius"
ABOUT = {
    "gpio": "Which GPIO is its data line wired to? It needs a resistor of 10 kΩ to 3.3 V; most modules have one.",
    **humidity.ABOUT,
}
PARTS = humidity.PARTS
KNOBS = ("room", "humidity")
WIRE: dict[str, Any] = {}


def dht(wire: Mapping[str, Any], plant: Any, fault: str | None) -> bytes | None:
    """The frame that it sends, None: nothing."""
    if fault == "open":
        return None
    tenths = round(abs(plant.sensor_c) * 10) | (0x8000 if plant.sensor_c < 0 else 0)
    data = round(plant.humidity * 10).to_bytes(2, "big") + tenths.to_bytes(2, "big")
    return data + bytes(((sum(data) + (fault == "short")) & 0xFF,))


def doctor(row: Any, board: Any) -> Any:
    data = board.dht(row)
    tenths = (data[2] & 0x7F) << 8 | data[3]
    return "%.1f degrees, %.1f %%" % (
        -tenths / 10 if data[2] & 0x80 else tenths / 10,
        (data[0] << 8 | data[1]) / 10,
    )
