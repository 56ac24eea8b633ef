"""Makes the pictures of `docs/pictures` from the code and the profiles of the boards: `python -m tools.pictures`.

Each is an SVG of its own colours on white, so that it reads in a light and in a dark page.
"""

from __future__ import annotations

from tools.pictures import charts, flows, pin_rows, sequences, wiring, wokwi


def made() -> dict[str, str]:
    """Each picture by its path in the repository."""
    pictures = {f"wiring-{kit}": wiring.picture(kit) for kit in pin_rows.ROWS}
    pictures |= {"sensors": wiring.sensors(), "status-led": charts.led(), "memory": charts.memory_bars()}
    pictures |= {"safe-state": flows.safe_state(), "update": flows.update(), "context": flows.context()}
    pictures |= {"https": sequences.https(), "mqtt": sequences.mqtt()}
    found = {f"docs/pictures/{name}.svg": text for name, text in pictures.items()}
    return found | {"docs/pictures/diagram.json": wokwi.diagram()}
