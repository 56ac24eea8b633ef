"""What the kinds of sensors that measure humidity as well have in common on the host."""

from __future__ import annotations

ABOUT = {"humidity": "Does the cloud have a port for its humidity, too?"}
PARTS = {
    "humidity": {
        "pin_port": "Which port has its humidity in the cloud? Its name there, not a GPIO number.",
        "name": "What do you call its humidity? It is used in the log.",
    }
}
