"""The host's side of `firmware/sensors/digital.py`; `tools/kinds.py` says what is looked for here.

The simulated plant leaves the contact open, so the level is that of the resistor; `plant.stick` holds it.
"""

from __future__ import annotations

from typing import Any

MEANING = "whether a contact is closed: a door, a float, a limit switch"
MEASURES = "0 and 1"
ABOUT = {
    "gpio": "Which GPIO is the contact wired to?",
    "active": "At which level is its value 1? Low for a contact to ground that is closed then.",
    "pull": "Which resistor inside the chip holds it? up for a contact to ground; input-only pins have none.",
}
KNOBS = ("contact",)
WIRE: dict[str, Any] = {}


def doctor(row: Any, board: Any) -> Any:
    pull = {"up": board.Pin.PULL_UP, "down": board.Pin.PULL_DOWN}.get(row.get("pull", "up"))
    high = board.Pin(row["gpio"], board.Pin.IN, pull).value()
    return "its pin is %s, which is %d" % (
        "high" if high else "low",
        high == (row.get("active", "low") == "high"),
    )
