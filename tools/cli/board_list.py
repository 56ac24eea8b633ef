"""The boards of a fleet: which configuration in a folder is for which chip.

`realer config --boards` writes the folder: a configuration for each board, named after its device, and `boards.json`, a
list of {"device", "mac", "group"} in the order of the table. A board is known by its MAC. Where the table has none, the
next board that is plugged in can have the configuration (`realer deploy --assign`); from then on it is that board's.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tools import common
from tools.cloud.site import write_private

INDEX = "boards.json"
COLUMNS = ("mac", "group")
"""Columns of the table that are no part of a configuration."""
_SSID_BYTES = 27  # firmware/drivers/access_point.py


@dataclass
class Listed:
    """A board: `device` names its configuration, `mac` is 12 hex digits or "", `group` what the owner calls it."""

    device: str
    mac: str = ""
    group: str = ""

    def config(self, folder: Path) -> Path:
        return folder / f"{self.device}.json"


def mac_of(text: str) -> str:
    """A MAC as `esptool` and labels write it, as 12 hex digits. ValueError."""
    digits = re.sub(r"[\s:.-]", "", text).lower()
    if not re.fullmatch(r"[0-9a-f]{12}", digits):
        raise ValueError(f"{text!r} is not a MAC such as 24:0a:c4:00:00:01")
    return digits


def shown(mac: str) -> str:
    """12 hex digits as labels have them."""
    return ":".join(mac[i : i + 2] for i in range(0, 12, 2))


def write(folder: Path, boards: Iterable[Listed]) -> None:
    write_private(folder / INDEX, json.dumps([asdict(board) for board in boards], indent=1) + "\n")


def read(folder: Path) -> list[Listed]:
    """The boards of a folder, in the order of the table. Raises Failed."""
    try:
        found = json.loads((folder / INDEX).read_text())
        if isinstance(found, dict):
            raise ValueError  # of which the loop would see the keys
        return [Listed(str(row["device"]), str(row["mac"]), str(row["group"])) for row in found]
    except (OSError, ValueError, LookupError, TypeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "this is no list of boards, or part of one"
        raise common.Failed(
            f"{folder / INDEX}: {reason}",
            "Write the folder with: realer config --answers base.json --boards boards.csv --out boards",
        ) from None


def claim(folder: Path, mac: str, assign: bool) -> Listed:
    """The board with this MAC; with `assign` a new one becomes the first without. Raises Failed."""
    with _alone(folder):
        boards = read(folder)
        for board in boards:
            if board.mac == mac:
                return board
        free = [board for board in boards if not board.mac]
        if not (assign and free):
            raise common.Failed(
                f"no configuration in {folder} is for the board {shown(mac)}",
                "Add its MAC to the table; or give it the next free configuration: --assign."
                if free
                else f"All {len(boards)} configurations there belong to other boards.",
            )
        free[0].mac = mac
        write(folder, boards)
        return free[0]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """No two deploys give away the same configuration."""
    try:
        file = (folder / f"{INDEX}.lock").open("w")
    except OSError as error:
        raise common.Failed(f"{folder}: {error.strerror}") from None
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def portal_ssid(config: dict[str, Any], mac: str) -> str:
    """The name of the setup portal's Wi-Fi, as firmware/drivers/access_point.py makes it."""
    name = str(config.get("name") or "device")
    while len(name.encode()) > _SSID_BYTES:
        name = name[:-1]
    return f"{name}-{mac[-4:]}"
