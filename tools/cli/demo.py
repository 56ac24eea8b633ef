"""`realer demo`: the simulated cloud and a virtual board running this firmware, until Ctrl-C.

It prints what happens, and its keys act for the owner, the cloud and the plant. Without a terminal it prints until
SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import time
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tools import common
from tools.build import package, payload
from tools.cli import cloud_command, deploy, smoke, update_bundle
from tools.cli.key_presses import key_presses
from tools.cloud import admin_client
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import UPDATE_PORT, demo_device, update_command
from tools.cloud.entities import Plan
from tools.cloud.site import CERTS
from tools.dashboard.actions import Wrong
from tools.dashboard.narration import Said
from tools.dashboard.page_server import Dashboard
from tools.dashboard.snapshot import access
from tools.dashboard.watch import Watch
from tools.env import interpreter
from tools.fixture.options import add_board, board
from tools.fixture.system import CONNECTION_FILE, SystemFixture, ThirdAreaError
from tools.repository import ROOT
from tools.serial import ports, raw_repl

_HINTS = """\
pump on port 6, thermostat on port 9; Ctrl-C or q ends it
keys    1/0 pump on/off      +/- setpoint           b press the button
        e expire the token   s subscription off/on  k keys off/on
        w Wi-Fi off/on       p power cycle          o thermistor cut/mended
        m broker down/up     n end the MQTT session{update}
second terminal: {realer} cloud set 6 1   (show, kick, --help)
                 {realer} cloud fault feed-data status=503 times=3
                 {realer} status --port {port}   (or monitor)
in a browser:    {url}"""
_UPDATE = """\
        u send a new version over the air: signed, fetched, tried, kept"""
TRANSPORTS = ("auto", "https", "mqtt")
_OTHERS = (
    ("bootstrap", "https", "esp32c3"),
    ("realer", "mqtt", "wt32-eth01"),
    ("realino", "https", "esp32s3"),
)
"""What the devices after the first are: generation of the cloud, transport, and chip or kit. Each has its own cloud."""
_PLAN = Plan(token_s=120, renew_s=60, credential_s=180, credential_renew_s=90)


class Narrator:
    """One line for each thing that happened, with the time and who it was. `verbose`: everything the device says,
    dimmed."""

    def __init__(self, console: Console, verbose: bool) -> None:
        self._console, self._verbose = console, verbose

    def tell(self, said: Said) -> None:
        if self._verbose or not said.quiet:
            moment = (time.strftime("%H:%M:%S "), "dim")
            self._console.print(Text.assemble(moment, (f"{said.who:<5} ", "blue"), (said.text, said.style)))

    def of(self, number: int) -> Callable[[Said], None]:
        """`tell` for one of several devices."""
        return lambda said: self.tell(said._replace(who=f"{said.who} {number}"))

    def say(self, text: str) -> None:
        """The person at the keys did that."""
        self.tell(Said("you", text))


class Keys:
    """What each key does: mostly a call of the dashboard (`do`)."""

    def __init__(
        self, fixture: SystemFixture, do: Callable[[Any], Awaitable[None]], say: Callable[[str], None],
        bundles: Bundles | None = None,
    ) -> None:  # fmt: skip
        self._fixture, self._do, self._say, self._bundles = fixture, do, say, bundles

    async def press(self, key: str) -> None:
        if key == "u":
            await self._update()
        elif call := self._call(key):
            try:
                await self._do(call)
            except Wrong as wrong:
                self._say(wrong.text)

    def _call(self, key: str) -> dict[str, Any] | None:
        board, plant, broker = self._fixture.board, self._fixture.plant, self._fixture.site.broker
        subscription, keys = access(self._fixture)
        broken = plant.broken.get("ntc")
        return {
            "1": {"verb": "set", "port": "6", "value": 1},
            "0": {"verb": "set", "port": "6", "value": 0},
            "+": self._warmer(0.5),
            "=": self._warmer(0.5),
            "-": self._warmer(-0.5),
            "e": {"verb": "expire_token"},
            "b": {"verb": "button", "ms": 200},
            "s": {"verb": "subscription", "on": not subscription},
            "k": {"verb": "keys", "on": not keys},
            "w": {"verb": "network", "on": not board.chip.radio.air},
            "p": {"verb": "power_cycle"},
            "o": {"verb": "sensor", "role": "ntc", "fault": "" if broken else "open"},
            "m": {"verb": "broker", "mode": "down" if broker and broker.running else "up"},
            "n": {"verb": "kick"},
        }.get(key)

    def _warmer(self, by: float) -> dict[str, Any]:
        now = float(self._fixture.model.desired(self._fixture.device_id, "9"))
        return {"verb": "set", "port": "9", "value": min(max(now + by, 5), 35)}

    async def _update(self) -> None:
        if self._bundles is None:
            self._say("start the demo with --update for updates over the air")
            return
        number = await asyncio.to_thread(self._bundles.publish)
        self._say(f"publish bundle {number}, and ask for it on port {UPDATE_PORT}")
        self._fixture.want(UPDATE_PORT, number)


class Bundles:
    """Versions of the firmware for updates over the air, all made of one tree, on a server of their own."""

    def __init__(self, tree: Path) -> None:
        self._tree, self._key, self._number = tree, update_bundle.new_key(), 0
        self._folder = tempfile.TemporaryDirectory(prefix="bundles-")

    @contextlib.asynccontextmanager
    async def served(self, chain: str) -> AsyncIterator[dict[str, Any]]:
        """The section `update` of a device that takes them."""
        with self._folder as folder:
            async with update_bundle.serving(Path(folder), TestCA(CERTS, chain).leaf()) as port:
                url = f"https://api.realer.test:{port}"
                yield {"pin_port": UPDATE_PORT, "url": url, "key": self._key, "prove_s": 5}

    def publish(self) -> int:
        """Build the next one; its number."""
        self._number += 1
        files, key = payload.slot_files(self._tree), self._key.encode()
        made = update_bundle.build(
            self._number, package.version(self._tree), files, key, payload.conditions(self._tree)
        )
        folder = Path(self._folder.name, str(self._number))
        folder.mkdir()
        for name, content in made.items():
            (folder / name).write_bytes(content)
        return self._number


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("demo", "Run a simulated cloud and a virtual board.")
    add_board(parser, image=False)
    parser.add_argument(
        "--transport",
        choices=TRANSPORTS,
        help=f"transport of the device; default: {TRANSPORTS[0]}, with --update https",
    )
    parser.add_argument(
        "--devices", type=int, choices=range(1, len(_OTHERS) + 2), default=1,
        help="number of devices, each with a cloud; keys and commands act on the first, the page on all; default: 1",
    )  # fmt: skip
    parser.add_argument(
        "--blank",
        action="store_true",
        help="leave the board empty, so that you can deploy to it: docs/own-board.md",
    )
    parser.add_argument(
        "--console",
        type=common.PORT,
        default=0,
        metavar="PORT",
        help="TCP port of its serial port; default: any",
    )
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree to run; default: this one")
    parser.add_argument(
        "--update", action="store_true", help="enable updates over the air; the key u publishes one"
    )
    parser.add_argument(
        "--open", action=argparse.BooleanOptionalAction, default=True,
        help="open the page in the browser if this runs in a terminal (default)",
    )  # fmt: skip
    parser.add_argument("--verbose", action="store_true", help="show the whole log of the device")
    parser.add_argument(
        "--connection", type=Path, default=CONNECTION_FILE, help="connection file for realer cloud"
    )
    options = parser.parse_args(argv)
    options.transport = options.transport or ("https" if options.update else TRANSPORTS[0])
    console = common.console()
    admin_client.only_one(options.connection)
    try:
        asyncio.run(_play(console, options))
    except (ThirdAreaError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    return 0


def _realer() -> str:
    """How a person in this folder calls the command that is installed with this Python."""
    path = Path(sys.executable).with_name("realer")
    if shutil.which("realer") == str(path):
        return "realer"
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _deploy(fixture: SystemFixture, tree: Path, port: str) -> deploy.Plan:
    """Put the firmware on a blank board, as `realer deploy` does it; what was sent. For a thread."""
    root = payload.starters(tree) | fixture.owners_files()
    with raw_repl.opened(port) as transport:
        return deploy.deploy(transport, payload.slot_files(tree), root, Console(quiet=True))


async def _play(console: Console, options: argparse.Namespace) -> None:
    found, tree = interpreter.find(options.bits), options.tree
    loop, keys = asyncio.get_running_loop(), asyncio.Queue[str]()
    loop.add_signal_handler(signal.SIGINT, keys.put_nowait, "q")
    narrator = Narrator(console, options.verbose)
    bundles, device, update = (Bundles(tree) if options.update else None), demo_device(), {}
    async with contextlib.AsyncExitStack() as stack:
        if bundles:
            device.commands.append(update_command())
            update["update"] = await stack.enter_async_context(bundles.served(options.chain))
        alike = {"tree": tree, "time_scale": 15, "plan": _PLAN}
        fixture = SystemFixture(
            found, transport=options.transport, powered=False, blank=True, room_c=18, device=device,
            connection_file=options.connection, edit=lambda config: config.update(update), **alike, **board(options),
        )  # fmt: skip
        fixtures = [fixture]
        for api, transport, chip in _OTHERS[: options.devices - 1]:
            fixtures.append(SystemFixture(found, transport=transport, board=chip, **alike, **smoke.of(api)))
        watches: list[Watch] = []
        page = Dashboard(watches)
        for number, each in enumerate(fixtures, 1):
            await stack.enter_async_context(each)
            tell = narrator.of(number) if options.devices > 1 else narrator.tell
            watches.append(Watch(each, f"device {number}", tell, lambda: page.pages > 0))
            await stack.enter_async_context(watches[-1])
            each.want("9", 18.5)  # with a bootstrap nothing is desired before somebody asks for it
        await stack.enter_async_context(page)
        try:
            port = await fixture.board.console.open(options.console)
        except OSError as error:
            raise ports.taken(options.console, error) from None
        console.print(Text(f"{found}; cloud {fixture.site.server.base_url}", "bold"))
        more = "\n" + _UPDATE if bundles else ""
        console.print(Text(_HINTS.format(realer=_realer(), port=port, url=page.url, update=more), "dim"))
        if not page.has_charts:
            console.print(
                Text("No charts on the page: realer fetch charts fetches uPlot, which draws them.", "yellow")
            )
        if options.open and sys.stdin.isatty() and sys.stdout.isatty() and _has_windows():
            await asyncio.to_thread(webbrowser.open, page.url)
        await fixture.board.power_on()
        if options.blank:
            made = cloud_command.write_configuration(
                options.connection.parent, fixture.config, fixture.site.certs.certificate
            )
            console.print(f"the board at {port} is empty; its configuration: {made}")
        else:
            sent = await asyncio.to_thread(_deploy, fixture, tree, port)
            narrator.say(f"deployed {len(sent.sent)} files, {sent.size:,} bytes, over {port}")
        with key_presses(loop, keys.put_nowait):
            hands = Keys(fixture, watches[0].do, narrator.say, bundles)
            while (key := await keys.get()) != "q":
                await hands.press(key)
        # The way a person ends it at the board: outputs safe, token revoked.
        await asyncio.gather(
            *(each.ctrl_c() for each in fixtures if each.board.powered), return_exceptions=True
        )


def _has_windows() -> bool:
    """Whether a browser would have a window: without one Python starts what takes this terminal."""
    return sys.platform == "darwin" or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
