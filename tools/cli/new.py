"""`realer new KIND`: a complete configuration for a heater, a pump, a lock or a greenhouse, and why each value is so.

What only the owner knows, Wi-Fi and the keys of the cloud, has the placeholder REPLACE-ME: `realer config` asks for it
and keeps the rest.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from rich.table import Table

from tools import boards, common
from tools.cli.starting_points import STARTING_POINTS, Item, StartingPoint
from tools.cloud.site import write_private
from tools.repository import ROOT


def main(argv: list[str] | None = None) -> int:
    kinds = "\n".join(f"{kind:<12}{point.what}" for kind, point in STARTING_POINTS.items())
    parser = common.parser(
        "new",
        "Write a complete config.json to begin with, and explain it.",
        epilog=kinds,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("kind", choices=STARTING_POINTS, help="what is connected")
    parser.add_argument("--board", default="esp32", help="chip or kit, see docs/wiring.md (default esp32)")
    parser.add_argument("--out", type=Path, default=Path("config.json"), help="default: config.json")
    options = parser.parse_args(argv)
    board = boards.find(options.board)
    if not board:
        raise common.Failed(f"unknown board {options.board}", f"One of {', '.join(boards.every_name())}.")
    if options.out.exists():
        raise common.Failed(f"{options.out} already exists", "Move it away, or write another one with --out.")
    point = STARTING_POINTS[options.kind]
    config = configuration(point, board, options.kind)
    write_private(options.out, json.dumps(config, indent=2) + "\n")
    say = common.console()
    say.print(_table(point, config))
    say.print(f"It also needs {point.protect}.", style="yellow")
    say.print(
        f"{options.out} is written. Next: realer config --out {options.out} asks for Wi-Fi and the keys."
    )
    return 0


def configuration(point: StartingPoint, board: boards.Board, name: str) -> dict[str, Any]:
    """The whole file, with pins of that board."""
    config = json.loads((ROOT / "config.example.json").read_text(encoding="utf-8"))
    pins = board.example
    roles = {item["gpio"][0] for items in point.sections.values() for item in items}
    taken = {pins["led"][0]} | {pins[role] for role in roles if role}
    # A relay needs a pin that the chip leaves alone from reset on; to read, any other one does.
    driven = sorted(board.free - taken)
    strapping = board.gpios("strapping") | board.gpios("psram")
    read = sorted(board.offered("outputs") - board.free - strapping - taken)

    def pin(pool: list[int]) -> int:
        if not (pool or driven):
            raise common.Failed(
                f"the board has too few free pins for a {name}", "Take another board, see --board."
            )
        return (pool or driven).pop(0)

    def values(section: str, item: Item) -> dict[str, Any]:
        found = {key: value for key, (value, _) in item.items()}
        role = found["gpio"]
        found["gpio"] = pins[role] if role else pin(driven if section == "outputs" else read)
        if "close" in found:
            found["close"] = {"gpio": pin(driven)}
        return found

    config["name"] = name
    config["board"] = board.kit.name if board.kit else board.chip
    config["led"] = dict(zip(("gpio", "active"), pins["led"], strict=True))
    config["safety"] = {"silence_s": point.silence_s[0]}
    return config | {
        section: [values(section, item) for item in items] for section, items in point.sections.items()
    }


def reasons(point: StartingPoint) -> list[tuple[str, str, str]]:
    """(section and number, key, why) of each value that has a reason."""
    found = [
        (f"{section}[{i}]", key, why)
        for section, items in point.sections.items()
        for i, item in enumerate(items)
        for key, (_, why) in item.items()
        if why
    ]
    return [*found, ("safety", "silence_s", point.silence_s[1])]


def _table(point: StartingPoint, config: dict[str, Any]) -> Table:
    table = Table("key", "value", "why", title=point.what)
    for where, key, why in reasons(point):
        section, _, number = where.partition("[")
        item = config[section] if not number else config[section][int(number[:-1])]
        table.add_row(f"{where}.{key}", json.dumps(item[key], ensure_ascii=False), why)
    return table
