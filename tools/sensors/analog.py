"""The host's side of `firmware/sensors/analog.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MEANING = "volts, by a table: pressure, level, 4 to 20 mA across a resistor"
MEASURES = "what its points say"
ABOUT = {
    "gpio": "Which GPIO is it wired to?",
    "points": "Which voltage stands for which value? Two points or more, such as [[0.5, 0], [2.5, 10]].",
    "deadband": "Which change of its value is reported?",
}
KNOBS = ("volts",)
WIRE = {"points": ((0.5, 0.0), (2.5, 100.0))}


def microvolts(wire: Mapping[str, Any], plant: Any, fault: str | None) -> float:
    """In the middle of its table, unless somebody says otherwise (`plant.volts`)."""
    middle = (wire["points"][0][0] + wire["points"][-1][0]) / 2
    return {"open": 0.0, "short": 3.3e6}.get(fault or "", plant.volts.get(wire["gpio"], middle) * 1e6)


def doctor(row: Any, board: Any) -> Any:
    millivolts = board.millivolts(row)
    points = row["points"]
    below = millivolts <= 150 and points[0][0] > 0.15
    if below or (millivolts >= board.most_mv and points[-1][0] * 1000 < board.most_mv):
        raise board.Wrong("%d mV, which is one end of the ADC's range" % millivolts, "check its wires")
    return "%d mV" % millivolts
