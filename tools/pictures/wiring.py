"""The wiring of `config.example.json` on a kit: its pins as they are printed, and each part on the side of its pin.

Parts get 3V3, 5V and GND by coloured tags instead of lines, as in any schematic; only signals are lines, and none
crosses another one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

from tools import boards
from tools.pictures import charts
from tools.pictures.pin_rows import POWER, ROWS
from tools.repository import ROOT

PIN, TOP, WIDTH, BOARD = 22, 90, 1000, 160
LEFT, RIGHT = (WIDTH - BOARD) // 2, (WIDTH + BOARD) // 2
LANE, TURN, REACH, PART = 12, 60, 160, 124
TAGS = {"3V3": "#b91c1c", "5V": "#9a3412", "GND": "#111827"}
SIGNALS = ("#1d4ed8", "#047857", "#7e22ce", "#b45309", "#0e7490", "#be185d")


@dataclass(frozen=True)
class Part:
    """`draw(pen)` draws it around the end of its signal line."""

    gpio: int
    title: str
    draw: Callable[[Pen], None]


class Pen:
    """Draws to the outside of the board from a point on: `x` counts away from it, on either side."""

    def __init__(self, x: float, y: float, left: bool) -> None:
        self.x, self.y, self.sign = x, y, -1 if left else 1
        self.drawn: list[str] = []

    def at(self, x: float, y: float) -> tuple[float, float]:
        return self.x + self.sign * x, self.y + y

    def line(self, *points: tuple[float, float], colour: str = "#334155") -> None:
        path = " L".join(f"{x:g} {y:g}" for x, y in (self.at(*point) for point in points))
        self.drawn.append(f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>')

    def box(self, x: float, y: float, width: float, height: float, radius: int = 3) -> None:
        left, top = min(self.at(x, y)[0], self.at(x + width, y)[0]), self.y + y
        self.drawn.append(
            f'<rect x="{left:g}" y="{top:g}" width="{width:g}" height="{height:g}" rx="{radius}"'
            ' fill="#ffffff" stroke="#334155" stroke-width="2"/>'
        )

    def text(
        self, x: float, y: float, text: str, *, near: bool = True, middle: bool = False, more: str = ""
    ) -> None:
        """`near`: it begins at the board's side of the point, else it ends there."""
        anchor = "middle" if middle else "start" if near == (self.sign > 0) else "end"
        px, py = self.at(x, y)
        self.drawn.append(f'<text x="{px:g}" y="{py:g}" text-anchor="{anchor}"{more}>{escape(text)}</text>')

    def tag(self, x: float, y: float, supply: str) -> None:
        px, py = self.at(x, y)
        self.drawn.append(
            f'<rect x="{px - 17:g}" y="{py - 9:g}" width="34" height="18" rx="9" fill="{TAGS[supply]}"/>'
            f'<text x="{px:g}" y="{py + 4:g}" text-anchor="middle" fill="#ffffff" font-size="11">{supply}</text>'
        )

    def dot(self, x: float, y: float) -> None:
        px, py = self.at(x, y)
        self.drawn.append(f'<circle cx="{px:g}" cy="{py:g}" r="3.5" fill="#334155"/>')


def relay(name: str, active: str) -> Callable[[Pen], None]:
    def draw(pen: Pen) -> None:
        pen.box(0, -40, 160, 88, radius=6)
        pen.text(80, -22, f"relay module: {name}", middle=True, more=' font-weight="bold"')
        for y, word in ((-4, "VCC"), (18, "IN"), (40, "GND")):
            pen.text(7, y, word)
        pen.text(80, 18, f"active {active}", middle=True, more=' fill="#475569" font-size="11"')
        for y, supply in ((-8, "5V"), (36, "GND")):
            pen.line((-8, y), (0, y))
            pen.tag(-25, y, supply)
        for y, contact, word in ((2, "COM", "supply"), (30, "NO", "load")):
            pen.text(153, y, contact, near=False)
            pen.line((160, y - 4), (176, y - 4), colour="#dc2626")
            pen.text(180, y, word, more=' fill="#b91c1c"')

    return draw


def divider(name: str, ohm: int, side: str) -> Callable[[Pen], None]:
    """`side`: where the sensor is."""
    above, below = (f"{ohm // 1000} kΩ 1 %", name) if side == "low" else (name, f"{ohm // 1000} kΩ 1 %")

    def draw(pen: Pen) -> None:
        pen.line((-4, 10), (60, 10))
        pen.dot(60, 10)
        for y, word in ((-24, above), (20, below)):
            pen.line((60, y - 6), (60, y + 30))
            pen.box(50, y, 20, 24)
            pen.text(78, y + 16, word)
        pen.tag(60, -38, "3V3")
        pen.line((60, 44), (60, 50))
        pen.tag(60, 56, "GND")

    return draw


def button(name: str) -> Callable[[Pen], None]:
    def draw(pen: Pen) -> None:
        pen.line((-4, 10), (34, 10))
        pen.dot(34, 10)
        pen.line((34, 10), (62, -6))
        pen.dot(64, 10)
        pen.line((64, 10), (84, 10))
        pen.tag(101, 10, "GND")
        pen.text(49, 34, f"button: {name}", middle=True)

    return draw


def lamp(active: str) -> Callable[[Pen], None]:
    def draw(pen: Pen) -> None:
        pen.line((-4, 10), (92, 10))
        pen.box(12, 2, 30, 16)
        pen.line((60, 2), (60, 18), (74, 10), (60, 2))
        pen.line((74, 2), (74, 18))
        pen.text(27, -6, "330 Ω", middle=True)
        pen.text(67, 34, "status LED", middle=True)
        pen.tag(109, 10, "GND" if active == "high" else "3V3")

    return draw


def module(pen: Pen, name: str, pins: tuple[tuple[str, str], ...], note: str) -> None:
    """A part of several pins: what is printed beside each, and where it leads, a supply or a GPIO of the board."""
    pen.box(0, 0, 110, 18 + 24 * len(pins), radius=6)
    pen.text(120, 20, name, more=' font-weight="bold"')
    pen.text(120, 40, note, more=' fill="#475569"')
    for i, (word, leads) in enumerate(pins):
        y = 21 + 24 * i
        pen.text(7, y + 4, word)
        pen.line((-16, y), (0, y))
        if leads in TAGS:
            pen.tag(-33, y, leads)
        else:
            pen.text(-20, y + 4, leads, near=False, more=' font-weight="bold"')


SENSORS = (
    (
        "DS18B20, several on one pin",
        (("VDD", "3V3"), ("DQ", "GPIO"), ("GND", "GND")),
        "4.7 kΩ from DQ to 3V3, once for all of them",
    ),
    (
        "DHT22 or DHT11",
        (("1", "3V3"), ("2", "GPIO"), ("4", "GND")),
        "10 kΩ from pin 2 to 3V3, which modules have",
    ),
    (
        "SHT3x or BME280, as a module",
        (("VCC", "3V3"), ("SDA", "GPIO (sda)"), ("SCL", "GPIO (scl)"), ("GND", "GND")),
        "the pull-ups are on the module; several share the two pins",
    ),
    ("contact, float switch, pulse output", (("1", "GPIO"), ("2", "GND")), "the pull-up is inside the chip"),
)


def sensors() -> str:
    """How the sensors that the example does not have are connected."""
    drawn: list[str] = []
    y = 20.0
    for name, pins, note in SENSORS:
        pen = Pen(140, y, left=False)
        module(pen, name, pins, note)
        drawn += pen.drawn
        y += 40 + 24 * len(pins)
    return charts.page(660, y - 2, "How digital sensors are connected", drawn)


def parts(config: dict[str, Any], board: boards.Board) -> list[Part]:
    """The parts of a configuration that lead to a pin; the LED of the kit is on the board already."""
    names = {item["pin_port"]: item["name"] for item in config["outputs"]}
    found = [
        Part(item["gpio"], item["name"], relay(item["name"], item["active"])) for item in config["outputs"]
    ]
    for sensor in config["sensors"]:
        part = "NTC 10 kΩ" if sensor["kind"] == "thermistor" else "LDR"
        draw = divider(f"{part}: {sensor['name']}", sensor["divider_ohm"], sensor["side"])
        found.append(Part(sensor["gpio"], sensor["name"], draw))
    found += [Part(item["gpio"], "button", button(names[item["toggles"]])) for item in config["buttons"]]
    led = config["led"]
    if not (board.kit and board.kit.led and board.kit.led[0] == led["gpio"]):
        found.append(Part(led["gpio"], "LED", lamp(led["active"])))
    return found


def example(kit: str) -> tuple[dict[str, Any], boards.Board]:
    board = boards.named(kit)
    config = json.loads((ROOT / "config.example.json").read_text(encoding="utf-8"))
    boards.move_example(config, board)
    return config, board


def picture(kit: str) -> str:
    """The SVG of the example configuration on that kit."""
    config, board = example(kit)
    wanted = {part.gpio: part for part in parts(config, board)}
    rows = [row.split(" ") for row in ROWS[kit]]
    drawn: list[str] = []
    bottom: float = TOP + PIN * max(map(len, rows))
    colours = dict(zip(wanted, SIGNALS, strict=False))
    for left, row in zip((True, False), rows, strict=True):
        edge = LEFT if left else RIGHT
        lines: list[tuple[float, Part]] = []
        supplied: set[str] = set()
        for i, printed in enumerate(row):
            y = TOP + PIN * i
            gpio = boards.gpio_of(board, printed)
            part = wanted.get(gpio) if gpio is not None else None
            drawn += _pin(edge, y, left, printed, colours[part.gpio] if part else None)
            if part:
                lines.append((y, part))
            supply = POWER.get(printed)
            if supply and supply not in supplied:
                supplied.add(supply)
                pen = Pen(edge, y, left)
                pen.line((0, 0), (10, 0), colour=TAGS[supply])
                pen.tag(27, 0, supply)
                drawn += pen.drawn
        bottom = max(bottom, _connect(lines, edge, left, colours, drawn))
    return _page(kit, board, config, bottom, drawn)


def _pin(edge: float, y: float, left: bool, printed: str, colour: str | None) -> list[str]:
    x = edge + (8 if left else -8)
    anchor = "start" if left else "end"
    weight = ' font-weight="bold"' if colour else ""
    return [
        f'<circle cx="{edge}" cy="{y}" r="5" fill="{colour or "#e2e8f0"}" stroke="#0f172a"/>',
        f'<text x="{x}" y="{y + 4}" text-anchor="{anchor}" fill="#f8fafc"{weight}>{escape(printed)}</text>',
    ]


def _connect(
    lines: list[tuple[float, Part]], edge: float, left: bool, colours: dict[int, str], drawn: list[str]
) -> float:
    """Draw the parts of one side from top to bottom, and a line to each; where the lowest ends."""
    y = float(TOP)
    places: list[float] = []
    for pin_y, _ in lines:
        y = max(y, pin_y - PART / 2) if not places else max(y + PART, pin_y - PART / 2)
        places.append(y)
    falling = [place + 10 > pin_y for (pin_y, _), place in zip(lines, places, strict=True)]
    for i, ((pin_y, part), place) in enumerate(zip(lines, places, strict=True)):
        # Of lines that fall the upper one turns farther out, of those that rise the lower one: so none crosses.
        lane = sum(falling[i + 1 :]) if falling[i] else sum(not each for each in falling[:i])
        turn = TURN + LANE * lane
        pen = Pen(edge, 0, left)
        pen.line(
            (0, pin_y), (turn, pin_y), (turn, place + 10), (REACH - 4, place + 10), colour=colours[part.gpio]
        )
        end = Pen(*pen.at(REACH, place), left)
        part.draw(end)
        drawn += pen.drawn + end.drawn
    return max([place + PART for place in places], default=0)


def _page(kit: str, board: boards.Board, config: dict[str, Any], bottom: float, drawn: list[str]) -> str:
    height = bottom + 60
    board_end = TOP + PIN * max(len(row.split(" ")) for row in ROWS[kit])
    led = board.kit.led if board.kit else None
    own = led and led[0] == config["led"]["gpio"]
    note = "The status LED is on the board. " if own else ""
    head = (
        f'<rect x="{LEFT}" y="30" width="{BOARD}" height="{board_end - 20}" rx="10" fill="#1e3a5f"/>\n'
        f'<rect x="{LEFT + 18}" y="14" width="{BOARD - 36}" height="52" rx="4" fill="#cbd5e1" stroke="#64748b"/>\n'
        f'<text x="{WIDTH / 2:g}" y="36" text-anchor="middle" font-weight="bold" font-size="14">{board.name}</text>\n'
        f'<text x="{WIDTH / 2:g}" y="54" text-anchor="middle" font-size="10">{kit}</text>\n'
        f'<rect x="{WIDTH / 2 - 20:g}" y="{board_end - 6}" width="40" height="22" rx="3" fill="#cbd5e1"'
        ' stroke="#64748b"/>\n'
        f'<text x="{WIDTH / 2:g}" y="{board_end + 9}" text-anchor="middle" font-size="11">USB</text>'
    )
    foot = (
        f'<text x="20" y="{height - 20:g}" fill="#475569">{note}A dot is a joint. NO: the load is off while the relay'
        " is at rest, without power too. Mains: electricians only.</text>"
    )
    label = f"Wiring of config.example.json on an {kit}"
    return charts.page(WIDTH, height, label, [head, *drawn, foot], size=12)
