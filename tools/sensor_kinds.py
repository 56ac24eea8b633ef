"""What is known about the kinds of sensors on the host: `tools/sensors`, a file for each kind of `firmware/sensors`.

The words of `kind` in `firmware/core/config_rules.py` are all there are. A file has

    MEANING      what the word stands for, for `realer config`
    MEASURES     the unit of its value, as people say it
    ABOUT        key -> question of `realer config`, in the order of asking
    PARTS        the same of the objects in an item, such as `humidity`; may be left out
    WIRE         what the simulated plant has to know of an item of `sensors` beside its GPIO, with defaults
    KNOBS        what a person turns in the plant for it: words of `tools/virtual_board/knobs.py`
    microvolts, dht, one_wire, i2c    what the simulated plant shows at its pin, where it is not a plain level: see
                 `tools/virtual_board/plant.py`
    doctor(row, board)    runs on a real board, as it stands there: says what the sensor with this item measures, or
                 raises `board.Wrong(text, what to do)`; `board` is that of `tools/doctor/board_check.py`
"""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from types import ModuleType

from firmware.core.config import rules


def words(section: str = "sensors") -> list[str]:
    """All kinds of sensors, or of `outputs`, in the order of the rules."""
    line = next(line for line in rules(section) if line.startswith(("kind ", "mode ")))
    return line.split(" ")[1].split("|")


@cache
def kind(word: str) -> ModuleType:
    """What there is on the host for a kind."""
    return importlib.import_module(f"tools.sensors.{word}")


def parts() -> dict[str, dict[str, str]]:
    """The questions about objects in an item, by their keys."""
    found: dict[str, dict[str, str]] = {}
    for word in words():
        found |= getattr(kind(word), "PARTS", {})
    return found


def doctors() -> str:
    """The checks of all kinds as one text for a board: functions, and `DOCTORS` by kind."""
    parts = [f"{inspect.getsource(kind(word).doctor)}\nDOCTORS[{word!r}] = doctor\n" for word in words()]
    return "DOCTORS = {}\n" + "".join(parts)
