"""What a board gets: the compiled firmware as a slot holds it, and the few files beside the slots.

Owns which files these are, and how much heap they want. A slot is a folder with everything that an update replaces; in
the root are what starts a slot (`boot.py`, `main.py`) and what is the owner's (`config.json` and certificates).
"""

from __future__ import annotations

import json
from pathlib import Path

from tools import linker
from tools.linkcache import linked

STARTERS = ("boot.py", "main.py")
CONFIG = "config.json"
_OPTIONAL = {
    "firmware/portal.mpy": "portal",
    "firmware/portal_site.mpy": "portal",
    "firmware/updater.mpy": "update",
    "firmware/update.mpy": "update",
    "firmware/update_rom.mpy": "update",
}
_MQTT_HEAP = 140 << 10
"""What MQTT needs where the code is in the heap too: docs/decisions/0018."""


def slot_files(tree: Path) -> dict[str, bytes]:
    """Content by path within a slot: the firmware, linked and compiled. Raises tools.mpy.CompileError."""
    return linked(tree)


def conditions(tree: Path) -> dict[str, str]:
    """By unit what a configuration has to have for it to be needed, traits of `firmware.core.romslot` with commas
    between them; units that every configuration needs are missing."""
    found = dict(_OPTIONAL)
    for row, module in linker.Program(tree).rows.items():
        path = f"{module.replace('.', '/')}.mpy"
        found[path] = f"{found[path]},{row}" if path in found else row
    return found


def starters(tree: Path) -> dict[str, bytes]:
    """What the chip runs by name, as source: the port looks for no other form."""
    return {name: (tree / name).read_bytes() for name in STARTERS}


def owners_files(config: Path, ca_files: list[str]) -> dict[str, bytes]:
    """The configuration as it is, and the certificates it names, from beside it. Raises OSError."""
    return {CONFIG: config.read_bytes()} | {name: (config.parent / name).read_bytes() for name in ca_files}


def too_small(config: bytes, heap: int) -> str:
    """A warning, where code that runs from that many bytes of heap leaves no room for what is configured."""
    transport = json.loads(config).get("cloud", {}).get("transport", "https")
    if transport == "https" or heap >= _MQTT_HEAP:
        return ""
    return (
        f"warning: cloud.transport is {transport}, which takes about {_MQTT_HEAP >> 10} KB of heap; this board has "
        f"{heap >> 10} KB. Use https, an image of your own (make image), or a board with PSRAM."
    )
