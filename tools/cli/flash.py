"""`realer flash [--port PORT] IMAGE`: put MicroPython on a board, whatever was on it before.

It checks the image, then the chip; then it erases, writes and verifies. esptool does the serial work and shows its own
progress bars. Everything on the board is erased, its files too.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from tools import boards, common
from tools.build import esp_image
from tools.serial import ports

_WHICH = """\
Plug the board in, and realer flash without IMAGE says which file of micropython.org/download is for its chip."""
_NATIVE = """\
A board without a USB chip of its own (S2, and many with S3, C3 or C6) only answers while its button BOOT (or 0) was
held at the reset; afterwards press RST once, and its port may have another name."""
_TROUBLE = """\
If no connection was made: hold the button BOOT (or IO0), press EN (or RST), let go of BOOT, and try again.
If the port is busy: close whatever watches the board. If permission is denied: add yourself to its group
(ls -l {port} names it; sudo usermod -aG GROUP $USER, then log in again).
If it stopped in the middle: nothing is lost but what the board held; run it again, slower with --baud 115200."""


def main(argv: list[str] | None = None) -> int:
    parser = common.parser(
        "flash",
        "Erase a board and write a MicroPython image to it: 1.24 or newer, for an ESP32, S2, S3, C3 or C6. "
        "Without IMAGE: print which one is for the board that is plugged in.",
    )
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="ESP32_GENERIC-….bin from micropython.org/download"
    )
    parser.add_argument("--port", help="serial port; default: the only one that is plugged in")
    parser.add_argument(
        "--baud", type=common.number(1), default=460800, help="baud rate while writing (default: 460800)"
    )
    options = parser.parse_args(argv)
    if not options.image:
        try:
            port = ports.choose(options.port)
        except common.Failed:
            parser.error(f"IMAGE is missing, as in: realer flash ESP32_GENERIC-….bin. {_WHICH}")
        raise _missing(port)
    image = _read(Path(options.image))
    port = ports.choose(options.port)
    board = _look(port)
    if 0 < board.flash < image.needs:
        raise common.Failed(
            f"{options.image} needs {image.needs / 2**20:.2g} MB of flash, the board has {board.flash / 2**20:.2g} MB",
            f"Take {esp_image.download(image.chip, board.flash, board.psram)}.",
        )
    print(f"MicroPython {image.version} ({image.board}), {len(image.data):,} bytes, to {port}", flush=True)
    chip, offset = image.chip.chip, hex(image.chip.flash_offset)
    # esptool refuses any other chip, and looks before it erases. What it wrote it reads back as a sum.
    command = [sys.executable, "-m", "esptool", "--chip", chip, "--port", port, "--baud", str(options.baud)]
    command += ["write-flash", "--erase-all", offset, str(options.image)]
    if subprocess.run(command).returncode:
        raise common.Failed("esptool failed, see above", f"{_TROUBLE.format(port=port)}\n{_NATIVE}")
    print("written and verified. Next: realer config, then realer deploy")
    return 0


def plugged_in(may: Callable[[str], bool]) -> str:
    """The chip of the only board that is plugged in, "" where there is none, or `may(question)` is false."""
    found = ports.plugged_in()
    question = "A board is plugged in at {}. Detect its chip? Whatever runs on it is restarted."
    if len(found) != 1 or not may(question.format(found[0].device)):
        return ""
    return boards.by_machine(_look(found[0].device).chip)


class _Found(NamedTuple):
    """What esptool finds at a port: the chip as it calls it, "" where there is no answer; bytes of flash, and of PSRAM
    in the chip's package, 0 where it does not tell. Of PSRAM beside the chip, as in a WROVER, it knows nothing."""

    chip: str
    flash: int
    psram: int


def _look(port: str) -> _Found:
    command = [sys.executable, "-m", "esptool", "--port", port, "flash-id"]
    return _found(subprocess.run(command, capture_output=True, text=True).stdout)


def _found(said: str) -> _Found:
    """What the output of esptool's `flash-id` says."""
    chip = re.search(r"(?:Chip type|Chip is|Connected to|Detecting chip type)\W+(ESP32[\w-]*)", said)
    sizes = [re.search(rf"{what}\s*(\d+)(K|M)B", said) for what in ("Detected flash size:", "Embedded PSRAM")]
    flash, psram = (int(size[1]) << (20 if size[2] == "M" else 10) if size else 0 for size in sizes)
    return _Found(chip[1] if chip else "", flash, psram)


def _missing(port: str) -> common.Failed:
    """What to say where no image was named: which one the chip at the port needs."""
    seen = _look(port)
    found = seen.chip
    if not found:
        return common.Failed(
            f"IMAGE is missing, and the board at {port} did not report its chip",
            f"{_TROUBLE.format(port=port)}\n{_NATIVE}",
        )
    board = boards.chips().get(boards.by_machine(found))
    if not board:
        return common.Failed(
            f"the board at {port} has an {found}, which this firmware does not support",
            f"It knows {', '.join(known.name for known in boards.chips().values())}.",
        )
    return common.Failed(
        f"IMAGE is missing; the board at {port} has an {board.name}",
        f"Download {esp_image.download(board, seen.flash, seen.psram)}; and: realer flash FILE.bin",
    )


def _read(path: Path) -> esp_image.Image:
    try:
        return esp_image.read(path.read_bytes())
    except OSError as error:
        raise common.Failed(f"{path}: {error.strerror}", _WHICH) from None
    except esp_image.ImageError as error:
        raise common.Failed(f"{path}: {error}") from None
