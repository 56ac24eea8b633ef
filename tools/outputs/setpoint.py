"""The host's side of `firmware/outputs/setpoint.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MEANING = "the cloud says a temperature, and the device regulates"
ABOUT = {
    "sensor": "Which sensor does it regulate by?",
    "min": "What is the lowest setpoint it accepts, in degrees Celsius?",
    "max": "What is the highest one?",
    "step": "In which steps is it set? Setpoints are multiples of this from the lowest on; 0: any.",
    "hysteresis": "How far may it deviate before the relay switches?",
    "action": "Does the relay heat or cool?",
}
_REST_S = 30
_REST = (
    f"{_REST_S} or more (the default is 60; a compressor needs 180): a sensor with a loose contact would switch the "
    "relay until it is worn out"
)


def doubts(output: Mapping[str, Any], sensor: Mapping[str, Any], unit: str) -> Iterator[tuple[str, str]]:
    low, high = output["min"], output["max"]
    if output["step"] > high - low:
        yield "step", "at most max - min: no setpoint but min could be reached"
    if output["min_off_s"] < _REST_S:
        yield "min_off_s", _REST
    for key in ("stall_delta", "stall_action"):
        if key in output and "stall_s" not in output:
            yield key, "together with stall_s"
    if "degrees" not in unit:
        yield "sensor", f"one that measures degrees, such as a thermistor: this one measures {unit}"
        return
    room = 40 <= low <= 75 and 68 <= high <= 110
    if room or (output["action"] == "cool" and low >= 32):
        yield "max", "degrees Celsius; these look like Fahrenheit: 68 °F are 20 °C"
        return
    if high > sensor["max"]:
        yield "max", f"at most {sensor['max']:g}, above which the sensor's reading is a fault"
    if low < sensor["min"]:
        yield "min", f"at least {sensor['min']:g}, below which the sensor's reading is a fault"
