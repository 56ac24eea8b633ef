"""What the kinds of sensors in a voltage divider have alike on the host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

SUPPLY_UV = 3_300_000
ABOUT = {
    "gpio": "Which GPIO is the middle of its divider wired to?",
    "side": "Where is the sensor in the divider?",
    "divider_ohm": "What is the resistance of the other resistor? Such as 10k or 4k7; measured is better than printed.",
}


def divider_uv(wire: Mapping[str, Any], fault: str | None, ohm: float) -> float:
    """The voltage at the pin, in microvolts; `fault`: "open" or "short"."""
    ohm = {"open": 1e12, "short": 0.0}.get(fault or "", ohm)
    below, above = (ohm, wire["divider_ohm"]) if wire["side"] == "low" else (wire["divider_ohm"], ohm)
    return SUPPLY_UV * below / (below + above)
