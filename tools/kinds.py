"""What the host knows of the kinds of sensors and outputs: a file for each in `tools/sensors` and `tools/outputs`.

All there are are the words of `kind` and `mode` in `firmware/core/config_rules.py`. Each file has

    MEANING      what the word stands for, for `realer config`
    ABOUT        key -> question of `realer config`, in the order of asking
    PARTS        the same of the objects in an item, such as `humidity` or `close`; may be left out

That of a sensor also has

    MEASURES     the unit of its value, as people say it
    WIRE         what the simulated plant has to know of an item of `sensors` beside its GPIO, with defaults
    KNOBS        what a person turns in the plant for it: words of `tools/virtual_board/knobs.py`
    microvolts, dht, one_wire, i2c    what the simulated plant shows at its pin, where it is not a plain level: see
                 `tools/virtual_board/plant.py`
    doctor(row, board)    runs on a real board, as it stands there: says what the sensor with this item measures, or
                 raises `board.Wrong(text, what to do)`; `board` is that of `tools/doctor/board_check.py`

That of an output may have

    doubts(output, sensor, unit)    what makes no sense in an item that the device accepts: (key, what would), each.
                 `sensor`: the one it regulates by, which measures `unit`
    wires(role, wire, output)       what is connected for it in the simulated plant, by role, where it is not `wire`, a
                 relay, alone
    Load(role, wire)                what moves behind a wire whose `load` is this kind: `tools/virtual_board/plant.py`

Its range, which the rules say, and the GPIOs of its relays are looked up here.
"""

from __future__ import annotations

import importlib
import inspect
import json
from collections.abc import Mapping
from functools import cache
from types import ModuleType
from typing import Any

from firmware.core.config import rules

Item = Mapping[str, Any]


def words(section: str = "sensors") -> list[str]:
    """All kinds of sensors, or of `outputs`, in the order of the rules."""
    line = next(line for line in rules(section) if line.startswith(("kind ", "mode ")))
    return line.split(" ")[1].split("|")


@cache
def sensor(word: str) -> ModuleType:
    """What there is on the host for a kind of sensors."""
    return importlib.import_module(f"tools.sensors.{word}")


@cache
def output(word: str) -> ModuleType:
    """The same for a kind of outputs."""
    return importlib.import_module(f"tools.outputs.{word}")


def every() -> dict[str, ModuleType]:
    """All of them by their words."""
    return {word: sensor(word) for word in words()} | {word: output(word) for word in words("outputs")}


def parts() -> dict[str, dict[str, str]]:
    """The questions about objects in an item, by their keys."""
    found: dict[str, dict[str, str]] = {}
    for kind in every().values():
        found |= getattr(kind, "PARTS", {})
    return found


def doctors() -> str:
    """The checks of all kinds as one text for a board: functions, and `DOCTORS` by kind."""
    parts = [f"{inspect.getsource(sensor(word).doctor)}\nDOCTORS[{word!r}] = doctor\n" for word in words()]
    return "DOCTORS = {}\n" + "".join(parts)


def span(item: Item) -> tuple[float, float, float] | None:
    """(least, most, step) of the values that an output takes, a step of 0 for any; None where they are 0 and 1."""
    presets = dict(line.split(" ", 1) for line in rules(item.get("mode", "switch")))
    if "step" not in presets:
        return None

    def value(key: str, other: float) -> float:
        preset = presets.get(key, "").partition(" =")[2]
        return item.get(key, json.loads(preset) if preset else other)

    return value("min", 0), value("max", 100), value("step", 0)


def relays(item: Item) -> dict[str, Item]:
    """The relays of an output, each with its GPIO: its own by "", others by what follows the path of the item."""
    more = {f".{key}": part for key, part in item.items() if isinstance(part, dict) and "gpio" in part}
    return {"": item} | {key: {"active": item.get("active"), **part} for key, part in more.items()}
