"""`realer flash [--port PORT] IMAGE`: put MicroPython on a board, whatever was on it before.

It checks the image, then the chip; then it erases, writes and verifies. esptool does the serial work and shows its own
progress bars. Everything on the board is erased, its files too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

from tools import common
from tools.build import esp_image
from tools.serial import ports

_WHICH = """\
Download ESP32_GENERIC-….bin from micropython.org/download/ESP32_GENERIC, and: realer flash ESP32_GENERIC-….bin"""
_TROUBLE = """\
If no connection was made: hold the button BOOT (or IO0), press EN (or RST), let go of BOOT, and try again.
If the port is busy: close whatever watches the board. If permission is denied: add yourself to its group
(ls -l {port} names it; sudo usermod -aG GROUP $USER, then log in again).
If it stopped in the middle: nothing is lost but what the board held; run it again, slower with --baud 115200."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer flash",
        description="Erase a board and write a MicroPython image to it (1.24 or newer, for the classic ESP32).",
    )
    parser.add_argument(
        "image", nargs="?", metavar="IMAGE", help="ESP32_GENERIC-….bin from micropython.org/download"
    )
    parser.add_argument("--port", help="serial port; default: the only one that is plugged in")
    parser.add_argument("--baud", type=int, default=460800, help="speed of writing (default: 460800)")
    options = parser.parse_args(argv)
    if not options.image:
        parser.error(f"IMAGE is missing. {_WHICH}")
    image = _read(Path(options.image))
    port = ports.choose(options.port)
    print(f"MicroPython {image.version} ({image.board}), {len(image.data):,} bytes, to {port}", flush=True)
    # esptool refuses any other chip, and looks before it erases. What it wrote it reads back as a sum.
    command = [
        sys.executable,
        "-m",
        "esptool",
        "--chip",
        "esp32",
        "--port",
        port,
        "--baud",
        str(options.baud),
    ]
    command += ["write-flash", "--erase-all", hex(esp_image.FLASH_OFFSET), str(options.image)]
    if subprocess.run(command).returncode:
        raise common.Failed("esptool could not do it, see above", _TROUBLE.format(port=port))
    print("written and verified. Next: realer config, then realer deploy")
    return 0


def _read(path: Path) -> esp_image.Image:
    try:
        return esp_image.read(path.read_bytes())
    except OSError as error:
        raise common.Failed(f"{path}: {error.strerror}", _WHICH) from None
    except esp_image.ImageError as error:
        raise common.Failed(f"{path}: {error}") from None
