"""What a board gets: the compiled firmware as a slot holds it, and the few files beside the slots.

A slot is a folder with everything that an update replaces; in the root are what starts a slot (`boot.py`, `main.py`)
and what is the owner's (`config.json` and certificates).
"""

from __future__ import annotations

from pathlib import Path

from tools.linkcache import linked

STARTERS = ("boot.py", "main.py")
CONFIG = "config.json"


def slot_files(tree: Path) -> dict[str, bytes]:
    """Content by path within a slot: the firmware, linked and compiled. Raises tools.mpy.CompileError."""
    return linked(tree)


def starters(tree: Path) -> dict[str, bytes]:
    """What the chip runs by name, as source: the port looks for no other form."""
    return {name: (tree / name).read_bytes() for name in STARTERS}


def owners_files(config: Path, ca_files: list[str]) -> dict[str, bytes]:
    """The configuration as it is, and the certificates it names, from beside it. Raises OSError."""
    return {CONFIG: config.read_bytes()} | {name: (config.parent / name).read_bytes() for name in ca_files}
