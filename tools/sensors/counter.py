"""The host's side of `firmware/sensors/counter.py`; `tools/kinds.py` says what is looked for here.

Nothing pulses in the simulated plant by itself: `plant.pulse` does.
"""

from __future__ import annotations

from typing import Any

MEANING = "pulses of a meter or a flow sensor: total and rate"
MEASURES = "units of its pulses"
ABOUT = {
    "gpio": "Which GPIO receives the pulses?",
    "pull": "Which resistor inside the chip holds it? up for a contact to ground; input-only pins have none.",
    "per_unit": "How many pulses make one unit? Such as 1000 for a kilowatt-hour or 450 for a litre.",
    "rate": "Does the cloud have a port for the rate, too?",
}
PARTS = {
    "rate": {
        "pin_port": "Which port has its rate in the cloud? Its name there, not a GPIO number.",
        "name": "What do you call its rate? It is used in the log.",
        "per": "In units per second, per minute, or per hour?",
    }
}
KNOBS = ("pulses",)
WIRE: dict[str, Any] = {}


def doctor(row: Any, board: Any) -> Any:
    pull = {"up": board.Pin.PULL_UP, "down": board.Pin.PULL_DOWN}.get(row.get("pull", "up"))
    return "its pin is %s" % ("high" if board.Pin(row["gpio"], board.Pin.IN, pull).value() else "low")
