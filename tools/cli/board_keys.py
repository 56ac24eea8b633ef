"""Where the keys of many devices come from: the export of a dashboard, or a command that asks for them.

An export is CSV, whose first line names its columns, or JSON, a list of objects. A board is found in it by the value of
a column that it has in common with the table: `device_id` or `name`. A command is run once for each board and prints
one JSON object. What either says of a key fills the cell `cloud.<key>` of a board that has none. No key is shown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools import common

NAMES = ("device_id", "client_id", "client_secret", "user", "credential")
_PLACES = {"device_id": "cloud.device_id", "name": "name"}
"""What boards are found by -> its column in the table."""


def cells(entry: Mapping[str, Any]) -> dict[str, str]:
    """The cells of a table that an entry of an export stands for: its keys by their paths, and its name."""
    found = {
        name.removeprefix("cloud."): str(value) for name, value in entry.items() if value not in (None, "")
    }
    row = {f"cloud.{name}": found[name] for name in NAMES if name in found}
    return row | ({"name": found["name"]} if "name" in found else {})


def listed(path: Path, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The entries of an export, as cells. `rows`: those of a CSV, whoever has read them. Raises Failed."""
    entries = [cells(row) for row in rows] if path.suffix.lower() != ".json" else _of_json(path)
    if not any(place in entry for entry in entries for place in _PLACES.values()):
        raise common.Failed(
            f"{path}: no entry has a {' or a '.join(_PLACES)}",
            f"What counts in it: name, {', '.join(NAMES)}.",
        )
    return entries


def _of_json(path: Path) -> list[dict[str, str]]:
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"))
        if isinstance(found, dict):  # an envelope around the list
            found = next(value for value in found.values() if isinstance(value, list))
        return [cells(entry) for entry in found]
    except OSError as error:
        raise common.Failed(f"{path}: {error.strerror}") from None
    except (ValueError, StopIteration, AttributeError, TypeError):
        raise common.Failed(f"{path}: not a JSON list of objects") from None


def of(board: Mapping[str, str], export: list[dict[str, str]], where: str) -> dict[str, str]:
    """What an export says of a board, by its cells. Raises Failed, also for two entries that fit."""
    looked_for = {name: value for name, path in _PLACES.items() if (value := board.get(path, "").strip())}
    if not looked_for:
        raise common.Failed(
            f"{where}: neither {' nor '.join(_PLACES.values())} to find the board in the export by",
            "The table needs one of these columns.",
        )
    for name, value in looked_for.items():
        fitting = [entry for entry in export if entry.get(_PLACES[name]) == value]
        if len(fitting) > 1:
            raise common.Failed(f"{where}: {len(fitting)} entries of the export have {name} {value}")
        if fitting:
            return fitting[0]
    what = " or ".join(f"{name} {value!r}" for name, value in looked_for.items())
    raise common.Failed(f"{where}: no entry of the export has {what}")


def asked(command: list[str], board: Mapping[str, str], where: str) -> dict[str, str]:
    """What the command prints for a board. `{device}` in it is its device_id or else its name. Raises Failed, without
    what the command printed: there may be a key in it."""
    device = board.get("cloud.device_id", "").strip() or board.get("name", "").strip()
    if not device:
        raise common.Failed(f"{where}: neither a device_id nor a name to ask for keys with")
    argv = [word.replace("{device}", device) for word in command]
    try:
        return cells(json.loads(common.output_of(argv, argv[0])))
    except common.Failed as failed:
        raise common.Failed(f"{where}: {failed.what}") from None
    except (ValueError, AttributeError):
        raise common.Failed(
            f"{where}: {argv[0]} printed no JSON object for {device}",
            f"Such as one with {', '.join(NAMES[:3])}.",
        ) from None
