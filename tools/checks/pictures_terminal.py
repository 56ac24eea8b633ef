"""Pictures of commands on a terminal: each is run on a pseudo terminal, and what that shows is drawn as an SVG."""

from __future__ import annotations

import asyncio
import io
import itertools
import re
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

import pyte
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tools.checks.terminal import Terminal
from tools.cloud.demo_device import CLIENT_ID, CLIENT_SECRET, DEVICE_ID, SSID, WIFI_PASSWORD
from tools.fixture.system import SystemFixture

COLUMNS, ROWS = 110, 60
_WITHIN_S = 120
_NAMES = {"brown": "yellow", "default": ""}
"""Colours that pyte calls otherwise than rich."""
_ENTER, _CLEAR = "\r", "\x15"
_FONTS = re.compile(r"@font-face \{.*?\}", re.DOTALL)
"""What rich's picture would load: each reader has a monospaced one."""


@dataclass(frozen=True)
class Bench:
    """A board on a cable: its `port`, and the `folder` with the person's config.json."""

    fixture: SystemFixture
    folder: Path
    port: str


class Screen(Terminal):
    """`with Screen(folder, "deploy", "--port", port) as terminal:`: one of our commands, in that folder."""

    def __init__(self, folder: Path, *argv: str) -> None:
        super().__init__([sys.executable, "-m", "tools", *argv], folder, _WITHIN_S, COLUMNS, ROWS)
        self._title = f"realer {argv[0]}"

    async def seen(self, words: str) -> None:
        """Wait for these words, while the board and its cloud go on."""
        await asyncio.to_thread(self.expects, words)

    async def ended(self) -> None:
        await asyncio.to_thread(self.ends)

    def picture(self, name: str, label: str) -> str:
        """The screen as an SVG. `name`: of its styles, to tell them from those of other pictures in a page."""
        console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
        last = max(row for row, line in enumerate(self.screen.display) if line.strip())
        for row in range(last + 1):
            console.print(self._row(row), no_wrap=True, overflow="ignore", crop=False)
        text = _FONTS.sub("", console.export_svg(title=self._title, theme=MONOKAI, unique_id=name))
        head = f'<svg role="img" aria-label="{escape(label)}"'
        return (
            "\n".join(line.rstrip() for line in text.replace("<svg", head, 1).split("\n") if line.strip())
            + "\n"
        )

    def _row(self, row: int) -> Text:
        chars = [self.screen.buffer[row][column] for column in range(COLUMNS)]
        runs = itertools.groupby(chars, _style)
        line = Text().join(Text("".join(char.data for char in run), style) for style, run in runs)
        line.rstrip()
        return line


def _style(char: pyte.screens.Char) -> str:
    """As rich writes it."""
    words = [word for word, on in (("bold", char.bold), ("reverse", char.reverse)) if on]
    words.append(_colour(char.fg))
    if back := _colour(char.bg):
        words.append(f"on {back}")
    return " ".join(filter(None, words))


def _colour(name: str) -> str:
    """As rich calls it, "" for the terminal's own."""
    if len(name) == 6 and not set(name) - set("0123456789abcdef"):
        return f"#{name}"
    bright = "bright_" if name.startswith("bright") else ""
    name = name.removeprefix("bright")
    return bright + _NAMES.get(name, name)


async def wizard(bench: Bench) -> str:
    server, authority = bench.fixture.site.server, bench.fixture.site.certs
    answers = (
        ("(name)", f"{_CLEAR}greenhouse{_ENTER}"),
        ("Which board is it?", _ENTER),
        ("such a setup portal", "n"),
        ("wifi.networks[0].ssid", SSID + _ENTER),
        ("wifi.networks[0].password", WIFI_PASSWORD + _ENTER),
        ("More about this network", "n"),
        ("Another network", "n"),
        ("More about Wi-Fi", "n"),
        ("cloud.api", _ENTER),
        ("cloud.transport", _ENTER),
        ("cloud.base_url", f"{_CLEAR}https://localhost:{server.port}{_ENTER}"),
        ("cloud.device_id", f"{DEVICE_ID}{_ENTER}"),
        ("cloud.client_id", CLIENT_ID + _ENTER),
        ("cloud.client_secret", CLIENT_SECRET + _ENTER),
        ("and fetch it?", "y"),
        ("Read the device's ports", "y"),
        ("Port 14 (thermistor)", "n"),
        ("Port 15 (ldr_sensor)", "n"),
        ("Add a sensor", "n"),
        ("Port 6 (relay)", "y"),
        ("outputs[0].name", f"{_CLEAR}pump{_ENTER}"),
        ("outputs[0].gpio", f"34{_ENTER}"),
    )
    argv = ("config", "--out", "new/config.json", "--bundle", str(authority.pem))
    (bench.folder / "new").mkdir()
    with Screen(bench.folder, *argv) as terminal:
        for words, answer in answers:
            await terminal.seen(words)
            terminal.types(answer)
        await terminal.seen("an input only")
        return terminal.picture("wizard", "Questions of realer config, and an answer that it refuses")


async def deploy(bench: Bench) -> str:
    with Screen(bench.folder, "deploy", "--port", bench.port) as terminal:
        await terminal.ended()
        return terminal.picture("deploy", "The files are sent, the board starts and comes online")


async def monitor(bench: Bench) -> str:
    with Screen(bench.folder, "monitor", "--port", bench.port) as terminal:
        await terminal.seen("pump off")
        bench.fixture.want("6", 1)
        await terminal.seen("pump on")
        bench.fixture.subscription(False)
        await terminal.seen("not authorized by the cloud")
        picture = terminal.picture("monitor", "The log, and below it the state: not authorized, pump off")
        terminal.interrupts()
        await terminal.ended()
    bench.fixture.subscription(True)
    await bench.fixture.until("the pump runs again", lambda: bench.fixture.on("pump"), 60)
    return picture


async def status(bench: Bench) -> str:
    with Screen(bench.folder, "status", "--port", bench.port) as terminal:
        await terminal.ended()
        return terminal.picture("status", "State, lease, outputs, readings and memory of a device")


async def doctor(bench: Bench) -> str:
    bench.fixture.plant.break_sensor("ntc", "open")
    with Screen(bench.folder, "doctor", "--port", bench.port) as terminal:
        await terminal.ended()
        return terminal.picture("doctor", "The checklist of a board; a wire of a sensor is cut")
