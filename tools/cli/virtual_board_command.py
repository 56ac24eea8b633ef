"""`realer board --config FILE`: run the device tree of this repository on a virtual board, in the terminal.

The plant is wired as the configuration describes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tools import boards, common
from tools.cli import check_config
from tools.cli.key_presses import key_presses
from tools.env import interpreter
from tools.repository import ROOT
from tools.serial import ports
from tools.virtual_board.hints import Hints
from tools.virtual_board.install import Form, install
from tools.virtual_board.plant import Plant, wiring_from
from tools.virtual_board.time_servers import without_time
from tools.virtual_board.virtual import VirtualBoard

_KEYS = "keys: b = press the button, w = Wi-Fi off/on, p = power cycle, q = quit"
_SHOWN = {
    "boot": "boot number {0}",
    "pin": "gpio {0} -> {1}",
    "wdt": "watchdog not fed in time",
    "panic": "the chip crashed: {0}",
    "third_area": "the Python heap would have taken a third area: {0}",
    "crash": "the interpreter ended with status {0}",
    "reset": "reset ({0})",
    "repl": "the program ended, the REPL waits at the serial port",
    "off": "power off",
    "listen": "the setup portal is at http://127.0.0.1:{1}/ here, with no Wi-Fi to join",
}
_HTTP = 80
_AWAY_S = 1.0
"""How long a port that belongs to the chip is away after a reset."""


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("board", "Run a virtual ESP32 board.")
    parser.add_argument(
        "--config", type=Path, required=True, help="the device's config.json, which names the chip"
    )
    parser.add_argument(
        "--blank",
        action="store_true",
        help="an empty flash, for a deploy; the wiring is that of the configuration",
    )
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree to run; default: this one")
    parser.add_argument("--flash", type=Path, help="folder to keep as the board's flash; default: a new one")
    parser.add_argument("--bits", type=int, choices=(32, 64), help="word size of the interpreter")
    parser.add_argument(
        "--heap", type=common.heap, help="a heap of that size, such as 4m, not a plain ESP32's"
    )
    parser.add_argument(
        "--console", type=common.PORT, default=0, help="TCP port of its serial port; default: any"
    )
    parser.add_argument(
        "--native-usb",
        action="store_true",
        help="its serial port belongs to the chip, as on an S2 and many with S3, C3 or C6: it vanishes at each reset",
    )
    parser.add_argument(
        "--time-scale",
        type=common.number(0, of=float),
        default=60.0,
        help="factor by which time passes faster for the temperatures of the plant",
    )
    options = parser.parse_args(argv)
    try:
        config = check_config.load_object(options.config)
        chip = boards.of(config)
        config = boards.with_numbers(config, chip)
        missing = without_time(config)
        if missing:
            print(f"board: {missing}", file=sys.stderr, flush=True)
        found = interpreter.find(options.bits)
        with _flash(options.flash) as flash:
            if not options.blank:
                form = _form(options.tree, bool(options.heap) or found.bits == 64)
                install(flash, config, options.tree, _ca_files(config, options.config.parent), form)
            plant = Plant(wiring=wiring_from(config), time_scale=options.time_scale)
            hints = Hints()
            board = VirtualBoard(
                flash, plant, found, options.heap, on_event=lambda event: _show(event, hints), board=chip
            )
            asyncio.run(_play(board, options.console, _AWAY_S if options.native_usb else None))
    except FileNotFoundError as error:
        raise common.Failed(
            f"{error.filename}: {error.strerror}", "Fetch a certificate with realer ca."
        ) from None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        do = f"See realer check_config {options.config}"
        raise common.Failed(f"{options.config} describes no board: {error!r}", do) from None
    return 0


async def _play(board: VirtualBoard, console_port: int, away_s: float | None) -> None:
    """Until `q` or Ctrl-C."""
    loop = asyncio.get_running_loop()
    keys: asyncio.Queue[str] = asyncio.Queue()
    loop.add_signal_handler(signal.SIGINT, keys.put_nowait, "q")
    try:
        port = await board.console.open(console_port, away_s)
    except OSError as error:
        raise ports.taken(console_port, error) from None
    async with board:
        print(f"serial port: {port}\n{_KEYS}", flush=True)
        with key_presses(loop, keys.put_nowait):
            while (key := await keys.get()) != "q":
                await _act(board, key)


async def _act(board: VirtualBoard, key: str) -> None:
    if key == "b" and "button" in board.plant.wiring:
        board.press_button()
    elif key == "w":
        on = not board.chip.radio.air
        (board.network_up if on else board.network_down)()
        print(f"* Wi-Fi {'on' if on else 'off'}", flush=True)
    elif key == "p":
        await board.power_off()
        await asyncio.sleep(1)
        await board.power_on()


def _show(event: tuple[Any, ...], hints: Hints) -> None:
    kind, *values = event
    if kind == "listen" and values[0] != _HTTP:
        return
    if kind == "pin" and values[1] is None:
        values[1] = "released"
    print(values[0] if kind == "line" else f"* {_SHOWN[kind].format(*values)}", flush=True)
    if hint := hints.of(event):
        print(f"* hint: {hint}", flush=True)


def _form(tree: Path, room: bool) -> Form:
    """On a plain ESP32 the sources of this firmware take more of the heap than there is; another tree is no firmware to
    link. `room`: the heap is larger."""
    is_firmware = (tree / "firmware" / "device.py").is_file()
    return Form.BUNDLED if is_firmware and not room else Form.SOURCES


def _ca_files(config: Mapping[str, Any], beside: Path) -> dict[str, bytes]:
    """The CA files that lie beside the configuration, by the names it uses."""
    names = config.get("cloud", {}).get("ca_files", ())
    return {name: (beside / name).read_bytes() for name in names if (beside / name).is_file()}


@contextlib.contextmanager
def _flash(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="board-flash-") as fresh:
        yield Path(fresh)
