"""The example's wiring as a project of wokwi.com, where it can be opened and changed.

Names of parts and pins are those of Wokwi's documentation ("Reference": board ESP32, relay module, NTC temperature
sensor, photoresistor sensor, pushbutton, LED, resistor). Its sensor modules hold the dividers.
"""

from __future__ import annotations

import json
from typing import Any

from tools.pictures import wiring

KIT = "esp32-devkitc"
_SENSORS = {
    "thermistor": ("wokwi-ntc-temperature-sensor", "OUT"),
    "ldr_sensor": ("wokwi-photoresistor-sensor", "AO"),
}
_WIRE: list[str] = []


def diagram() -> str:
    """The text of `diagram.json`."""
    config, _ = wiring.example(KIT)
    parts: list[dict[str, Any]] = [
        {"type": "board-esp32-devkit-c-v4", "id": "esp", "top": 0, "left": 0, "attrs": {}}
    ]
    lines: list[list[Any]] = []

    def part(
        kind: str, name: str, top: int, left: int, attrs: dict[str, str], *pins: tuple[str, str, str]
    ) -> None:
        parts.append({"type": kind, "id": name, "top": top, "left": left, "attrs": attrs})
        lines.extend([f"esp:{board}", f"{name}:{pin}", colour, _WIRE] for board, pin, colour in pins)

    for i, output in enumerate(config["outputs"]):
        # A PNP input is the one that closes at low.
        attrs = {"transistor": "npn" if output["active"] == "high" else "pnp"}
        pins = (str(output["gpio"]), "IN", "green"), ("5V", "VCC", "red"), ("GND.1", "GND", "black")
        part("wokwi-relay-module", output["name"], 120 * i, 240, attrs, *pins)
    for i, sensor in enumerate(config["sensors"]):
        kind, pin = _SENSORS[sensor["kind"]]
        pins = (str(sensor["gpio"]), pin, "blue"), ("3V3", "VCC", "red"), ("GND.1", "GND", "black")
        part(kind, sensor["name"], 120 * i, -300, {}, *pins)
    for item in config["buttons"]:
        signal = str(item["gpio"]), "1.l", "purple"
        part("wokwi-pushbutton", "button", 260, -240, {"color": "blue"}, signal, ("GND.1", "2.l", "black"))
    part("wokwi-resistor", "r1", 260, 200, {"value": "330"}, (str(config["led"]["gpio"]), "1", "orange"))
    part("wokwi-led", "led", 240, 290, {"color": "green"}, ("GND.2", "C", "black"))
    lines.append(["r1:2", "led:A", "orange", _WIRE])
    found = {
        "version": 1,
        "author": "",
        "editor": "wokwi",
        "parts": parts,
        "connections": lines,
        "dependencies": {},
    }
    return json.dumps(found, indent=2) + "\n"
