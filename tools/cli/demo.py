"""`realer demo`: the simulated cloud and a virtual board running this firmware, until Ctrl-C.

It prints what happens, and its keys act for the owner, the cloud and the plant. Without a terminal it prints until
SIGINT or SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from tools import common
from tools.build import payload
from tools.build.mpy import CompileError
from tools.cli import deploy, update_bundle
from tools.cli.key_presses import key_presses
from tools.cloud import admin_client, show
from tools.cloud.brokerprocess import BrokerError
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import UPDATE_PORT, demo_device, update_command
from tools.cloud.entities import Plan
from tools.cloud.site import CERTS
from tools.env import interpreter
from tools.fixture.options import add_board, board
from tools.fixture.system import CONNECTION_FILE, NotInTimeError, SystemFixture, ThirdAreaError
from tools.repository import ROOT
from tools.serial import raw_repl

_HINTS = """\
pump on port 6, thermostat on port 9; Ctrl-C or q ends it
keys    1/0 pump on/off      +/- setpoint           b press the button
        e expire the token   s subscription off/on  k keys off/on
        w Wi-Fi off/on       p power cycle          o thermistor cut/mended
        m broker down/up     n end the MQTT session{update}
second terminal: {realer} cloud set 6 1   (show, kick, --help)
                 {realer} cloud fault feed-data status=503 times=3
                 {realer} status --port {port}   (or monitor)"""
_UPDATE = """\
        u send a new version over the air: signed, fetched, tried, kept"""
_QUIET = ("catalog_read", "feed_replayed", "mqtt_subscribed")
TRANSPORTS = ("auto", "https", "mqtt")
_PLAN = Plan(token_s=120, renew_s=60, credential_s=180, credential_renew_s=90)
_SAFE = {"safe state entered": "bold yellow", "safe state left": "bold green"}
_BOARD = {
    "wdt": "the watchdog times out", "panic": "the chip crashes:", "third_area": "needs more heap than there is:",
    "repl": "waits at the REPL", "off": "power off",
}  # fmt: skip
_STYLES = {"W": "yellow", "E": "red"}


class Narrator:
    """One line per event, with the time and who it was. `verbose`: everything the device says, dimmed."""

    def __init__(self, console: Console, verbose: bool) -> None:
        self._console = console
        self._verbose = verbose
        self.roles: dict[int, tuple[str, int]] = {}
        self.room: Callable[[], float] = lambda: 0.0

    def say(self, who: str, text: str, style: str = "") -> None:
        self._console.print(
            Text.assemble((time.strftime("%H:%M:%S "), "dim"), (f"{who:<6}", "blue"), (text, style))
        )

    def cloud(self, event: dict[str, Any]) -> None:
        if self._verbose or event["event"] not in _QUIET:
            self._console.print(show.line(event))

    def board(self, event: tuple[Any, ...]) -> None:
        kind, *values = event
        if kind == "line":
            self._line(values[0])
        elif kind == "pin" and values[0] in self.roles:
            self._relay(*self.roles[values[0]], values[1])
        elif kind in ("boot", "crash", "reset", *_BOARD):
            self.say("board", " ".join([_BOARD.get(kind, kind), *map(str, values)]), "bold")

    def _relay(self, role: str, active: int, level: int | None) -> None:
        if role != "led" or self._verbose:
            state = "without power" if level is None else "on" if level == active else "off"
            style = "bold green" if level == active else "bold"
            self.say("relay", f"{role} {state}   (room {self.room():.1f} °C)", style)

    def _line(self, text: str) -> None:
        for words, style in _SAFE.items():
            if words in text:
                self.say("board", text.split(" ", 2)[-1], style)
                return
        level = text.split(" ")[1:2]
        style = _STYLES.get(level[0] if level else "", "")
        if style or self._verbose:
            self.say("board", text, style or "dim")


class Keys:
    """What each key does to a fixture. Every method beginning with `key_` is a key's action."""

    def __init__(
        self, fixture: SystemFixture, say: Callable[[str, str], None], bundles: Bundles | None = None
    ) -> None:
        self._fixture, self._say, self._bundles = fixture, say, bundles
        self._subscription = self._enabled = True
        self._broken = False
        names = {
            "1": "on",
            "0": "off",
            "+": "warmer",
            "=": "warmer",
            "-": "colder",
            "e": "token",
            "b": "button",
        }
        names |= {"s": "subscription", "k": "keys", "w": "wifi", "p": "power", "o": "sensor"}
        names |= {"m": "broker", "n": "kick", "u": "update"}
        self._actions = {key: getattr(self, f"key_{name}") for key, name in names.items()}

    async def press(self, key: str) -> None:
        if key in self._actions:
            done = self._actions[key]()
            if asyncio.iscoroutine(done):
                await done

    def key_on(self) -> None:
        self._fixture.want("6", 1)

    def key_off(self) -> None:
        self._fixture.want("6", 0)

    def key_warmer(self, step: float = 0.5) -> None:
        now = float(self._fixture.model.desired(self._fixture.device_id, "9"))
        self._fixture.want("9", min(max(now + step, 5), 35))

    def key_colder(self) -> None:
        self.key_warmer(-0.5)

    def key_token(self) -> None:
        self._fixture.expire_token()

    def key_subscription(self) -> None:
        self._subscription = not self._subscription
        self._fixture.subscription(self._subscription)

    def key_keys(self) -> None:
        self._enabled = not self._enabled
        self._fixture.keys(self._enabled)

    def key_button(self) -> None:
        self._say("you", "press the button")
        self._fixture.board.press_button()

    def key_wifi(self) -> None:
        board = self._fixture.board
        on = not board.chip.radio.air
        (board.network_up if on else board.network_down)()
        self._say("you", f"access point {'on' if on else 'off'}")

    async def key_power(self) -> None:
        await self._fixture.power_cycle()

    def key_sensor(self) -> None:
        self._broken = not self._broken
        self._fixture.plant.break_sensor("ntc", "open" if self._broken else None)
        self._say("you", f"thermistor {'cut off' if self._broken else 'mended'}")

    async def key_broker(self) -> None:
        broker = self._fixture.site.broker
        if broker is None:
            self._say("you", "there is no broker here")
        else:
            await broker.mode("down" if broker.running else "up")

    def key_kick(self) -> None:
        self._fixture.kick()

    async def key_update(self) -> None:
        if self._bundles is None:
            self._say("you", "start the demo with --update for updates over the air")
            return
        number = await asyncio.to_thread(self._bundles.publish)
        self._say("you", f"publish bundle {number}, and ask for it on port {UPDATE_PORT}")
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
            self._number, update_bundle.version_of(self._tree), files, key, payload.conditions(self._tree)
        )
        folder = Path(self._folder.name, str(self._number))
        folder.mkdir()
        for name, content in made.items():
            (folder / name).write_bytes(content)
        return self._number


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="realer demo", description="The whole thing, on this machine.")
    parser.add_argument(
        "--bits", type=int, choices=(32, 64), help="word size of the interpreter (default: 32 if here)"
    )
    add_board(parser, image=False)
    parser.add_argument(
        "--transport",
        choices=TRANSPORTS,
        help=f"of the device; default: {TRANSPORTS[0]}, with --update https",
    )
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree to run; default: this one")
    parser.add_argument("--update", action="store_true", help="with updates over the air, and a key for them")
    parser.add_argument("--verbose", action="store_true", help="show everything the device says")
    parser.add_argument(
        "--connection", type=Path, default=CONNECTION_FILE, help="connection file for tools.cloud"
    )
    options = parser.parse_args(argv)
    options.transport = options.transport or ("https" if options.update else TRANSPORTS[0])
    console = common.console()
    admin_client.only_one(options.connection)
    try:
        asyncio.run(_play(console, options))
    except (BrokerError, CompileError, ThirdAreaError, OSError) as error:
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
        fixture = SystemFixture(
            found, tree=tree, transport=options.transport, powered=False, blank=True, time_scale=15, room_c=18,
            on_event=narrator.board, connection_file=options.connection, plan=_PLAN, device=device,
            edit=lambda config: config.update(update), **board(options),
        )  # fmt: skip
        await stack.enter_async_context(fixture)
        port = await fixture.board.console.open()
        console.print(Text(f"{found}; cloud {fixture.site.server.base_url}", "bold"))
        console.print(
            Text(_HINTS.format(realer=_realer(), port=port, update="\n" + _UPDATE if bundles else ""), "dim")
        )
        outputs = {role: wire for role, wire in fixture.plant.wiring.items() if "active" in wire}
        narrator.roles = {wire["gpio"]: (role, wire["active"]) for role, wire in outputs.items()}
        narrator.room = lambda: fixture.plant.sensor_c
        fixture.model.listeners.append(narrator.cloud)
        await fixture.board.power_on()
        sent = await asyncio.to_thread(_deploy, fixture, tree, port)
        narrator.say("you", f"deployed {len(sent.sent)} files, {sent.size:,} bytes, over {port}")
        with key_presses(loop, keys.put_nowait):
            hands = Keys(fixture, narrator.say, bundles)
            while (key := await keys.get()) != "q":
                await hands.press(key)
        # The way a person ends it at the board: outputs safe, token revoked.
        with contextlib.suppress(NotInTimeError):
            await fixture.ctrl_c()
