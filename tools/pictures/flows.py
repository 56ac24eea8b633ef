"""Pictures of states: boxes, and arrows with what leads from one to the other."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from firmware.core import config
from tools import boards, kinds
from tools.pictures.charts import ARROWHEAD, page


@dataclass(frozen=True)
class Box:
    """`x`, `y`: its middle; `lines`: what it says, the first one bold; `width`, `height` in the picture's units."""

    x: int
    y: int
    lines: tuple[str, ...]
    fill: str = "#e0f2fe"
    width: int = 190
    height: int = 56


Arrow = tuple[str, str, str, int]
"""From, to, what leads there, and how far the line bends to its left."""


def flow(width: int, height: int, label: str, boxes: dict[str, Box], arrows: list[Arrow]) -> str:
    drawn = [ARROWHEAD]
    for start, end, words, bend in arrows:
        drawn += _arrow(boxes[start], boxes[end], words, bend)
    for box in boxes.values():
        left, high = box.x - box.width // 2, box.y - box.height // 2
        drawn.append(
            f'<rect x="{left}" y="{high}" width="{box.width}" height="{box.height}" rx="8"'
            f' fill="{box.fill}" stroke="#334155" stroke-width="2"/>'
        )
        top = box.y + 5 - 8 * (len(box.lines) - 1)
        for i, line in enumerate(box.lines):
            weight = ' font-weight="bold"' if not i else ' font-size="11"'
            drawn.append(
                f'<text x="{box.x}" y="{top + 16 * i}" text-anchor="middle"{weight}>{escape(line)}</text>'
            )
    return page(width, height, label, drawn)


def _arrow(start: Box, end: Box, words: str, bend: int) -> list[str]:
    dx, dy = end.x - start.x, end.y - start.y
    length = (dx * dx + dy * dy) ** 0.5
    nx, ny = dy / length, -dx / length
    mx, my = (start.x + end.x) / 2 + nx * bend * 2, (start.y + end.y) / 2 + ny * bend * 2
    x0, y0 = _border(start, mx, my)
    x1, y1 = _border(end, mx, my)
    tx, ty = (x0 + x1) / 4 + mx / 2, (y0 + y1) / 4 + my / 2
    path = f"M{x0:.1f} {y0:.1f} Q{mx:.1f} {my:.1f} {x1:.1f} {y1:.1f}"
    drawn = [f'<path d="{path}" fill="none" stroke="#334155" stroke-width="2" marker-end="url(#head)"/>']
    lines = words.split("\n")
    for i, line in enumerate(lines):
        y = ty + 4 + 13 * (i - (len(lines) - 1) / 2)
        drawn.append(
            f'<text x="{tx:.1f}" y="{y:.1f}" text-anchor="middle" font-size="11" stroke="#ffffff" stroke-width="5"'
            f' paint-order="stroke">{escape(line)}</text>'
        )
    return drawn


def _border(box: Box, x: float, y: float) -> tuple[float, float]:
    """Where the line from the middle of the box to a point leaves it."""
    dx, dy = x - box.x, y - box.y
    scale = min(box.width / 2 / abs(dx) if dx else 9e9, box.height / 2 / abs(dy) if dy else 9e9)
    return box.x + dx * scale, box.y + dy * scale


_SAFE, _GOOD, _BAD = "#fef3c7", "#dcfce7", "#fee2e2"


def safe_state() -> str:
    boxes = {
        "boot": Box(110, 80, ("boot level", "boot.py, before any other code"), "#e2e8f0"),
        "safe": Box(400, 80, ("safe state", "off, on, hold, or a setpoint"), _SAFE),
        "cloud": Box(860, 80, ("follows the cloud", "limits and interlocks apply"), _GOOD),
        "local": Box(630, 330, ("switched by hand", "buttons need no cloud"), "#e0f2fe"),
    }
    arrows: list[Arrow] = [
        ("boot", "safe", "start of the\nfirmware", 0),
        ("safe", "cloud", "the cloud accepted the device,\ncatalog and desired values were read", 26),
        ("cloud", "safe", "token ended, device refused,\nno answer for silence_s,\nor a loop failed", 26),
        ("safe", "local", "button", 12),
        ("local", "cloud", "next desired\nvalue", 8),
        ("cloud", "local", "button", 26),
    ]
    return flow(970, 380, "When an output is in its safe state", boxes, arrows)


def update() -> str:
    boxes = {
        "runs": Box(120, 60, ("version 1 runs", "in slot a"), _GOOD),
        "new": Box(420, 60, ("version 2 is written", "into slot b, and checked"), "#e0f2fe"),
        "trial": Box(730, 60, ("version 2 on trial", "three tries, one for each start"), _SAFE),
        "good": Box(730, 210, ("version 2 runs", "in slot b"), _GOOD),
        "back": Box(420, 210, ("version 1 runs again", "version 2 is marked failed"), _BAD),
    }
    arrows: list[Arrow] = [
        ("runs", "new", "deploy,\nor update", 0),
        ("new", "trial", "reset once no\noutput is on", 0),
        ("trial", "good", "runs for a minute", 0),
        ("trial", "back", "no tries left", 0),
        ("new", "runs", "power cut: written\nagain, or refused", -36),
    ]
    return flow(850, 260, "An update and its trial", boxes, arrows)


def _allowed(section: str, key: str) -> str:
    """The words that a key of the configuration may be."""
    line = next(line for line in config.rules(section) if line.startswith(f"{key} "))
    return ", ".join(line.split(" ")[1].split("|"))


def context() -> str:
    """What the device talks to, and by what."""
    sensors, outputs = kinds.words(), kinds.words("outputs")
    lans = [kit.name for board in boards.chips().values() for kit in board.kits.values() if kit.lan]
    boxes = {
        "computer": Box(130, 60, ("your computer", "realer config, deploy, monitor ..."), "#e2e8f0", 220),
        "phone": Box(130, 220, ("a phone", "network and keys, once"), "#e2e8f0", 220),
        "button": Box(130, 390, ("button and LED", "need no network"), _SAFE, 220),
        "device": Box(
            490, 220,
            ("the device", ", ".join(boards.chips()), f"Wi-Fi, or LAN: {', '.join(lans)}", "safe state, limits"),
            _GOOD, 330, 92,
        ),
        "plant": Box(
            490, 400,
            ("what is controlled", ", ".join(outputs), ", ".join(sensors[:5]) + ",", ", ".join(sensors[5:])),
            _SAFE, 330, 92,
        ),
        "cloud": Box(920, 60, ("the cloud", f"api: {_allowed('cloud', 'api')}"), "#e0f2fe", 270),
        "broker": Box(920, 170, ("its MQTT broker", f"transport: {_allowed('realer', 'transport')}"), "#e0f2fe", 270),
        "servers": Box(920, 290, ("name and time servers", "of the network, or time.servers"), "#e2e8f0", 270),
        "updates": Box(920, 440, ("an update server", "of the owner, if there is one"), "#e2e8f0", 270),
    }  # fmt: skip
    arrows: list[Arrow] = [
        ("computer", "device", "USB: firmware,\nconfiguration, log", 0),
        ("phone", "device", "setup\nportal", 0),
        ("button", "device", "GPIO", 0),
        ("device", "plant", "GPIO, ADC, 1-Wire, I2C", 0),
        ("device", "cloud", "HTTPS: token, catalog,\ndesired values, reports", 0),
        ("device", "broker", "MQTT\nover TLS", 0),
        ("device", "servers", "DNS, SNTP", 0),
        ("device", "updates", "HTTPS: signed bundles", 0),
    ]
    return flow(1070, 490, "What the device talks to", boxes, arrows)
