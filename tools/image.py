"""`python -m tools.image --idf DIR --micropython DIR`: build a MicroPython image with this firmware frozen in.

Owns: the look at both source trees before an hour is spent, the order of make's targets, and the check of what came
out, which is that of `make flash`. Refuses to fetch sources: which ones to trust is the builder's choice.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import cli, esp_image
from tools.layers import ROOT

_IDF = """\
git clone -b v5.2.2 --recursive https://github.com/espressif/esp-idf.git && esp-idf/install.sh esp32
(the version that the MicroPython release names in ports/esp32/README.md), then IDF=path/to/esp-idf"""
_MICROPYTHON = """\
git clone -b v1.24.1 https://github.com/micropython/micropython.git, then MICROPYTHON=path/to/micropython"""
_BUILD = """\
. "$IDF_PATH/export.sh" && make -C "$1/mpy-cross" && cd "$1/ports/esp32" && make BOARD="$2" submodules &&
rm -rf "build-$2/frozen_mpy" "build-$2/frozen_content.c" && make BOARD="$2" FROZEN_MANIFEST="$3"
"""
"""What an earlier build froze is removed: makemanifest.py goes by times, and would keep it in place of older files."""
_INSIDE = b"firmware/device.py"
"""The name of a frozen module of ours, as it stands in an image."""
_ELSEWHERE = ("BOARD_VARIANT", "BUILD", "FROZEN_MANIFEST")
"""What the build would take from the environment, and then go another way than this program looks."""


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.image", description="Build a MicroPython image with this firmware frozen in."
    )
    parser.add_argument("--idf", type=Path, help="ESP-IDF, installed (default: $IDF_PATH)")
    parser.add_argument("--micropython", type=Path, help="MicroPython's sources, 1.24 or newer")
    parser.add_argument(
        "--board", default="ESP32_GENERIC", help="one of ports/esp32/boards (default: ESP32_GENERIC)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("firmware.bin"), help="the image (default: firmware.bin)"
    )
    options = parser.parse_args(argv)
    if " " in str(ROOT):
        raise cli.Failed(f"{ROOT}: MicroPython's build takes no path with a space", "Move this folder.")
    idf, sources = _idf(options.idf), _micropython(options.micropython, options.board)
    command = ["bash", "-c", _BUILD, "build", str(sources), options.board, str(ROOT / "manifest.py")]
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    if subprocess.run(command, env=environment | {"IDF_PATH": str(idf)}).returncode:
        raise cli.Failed(
            "the build failed, see above",
            "Do the two fit each other? See ports/esp32/README.md.",
        )
    made = sources / f"ports/esp32/build-{options.board}/firmware.bin"
    try:
        image = esp_image.read(made.read_bytes())
    except (OSError, esp_image.ImageError) as error:
        raise cli.Failed(f"{made}: {error}") from None
    if _INSIDE not in image.data:
        raise cli.Failed(
            f"{made}: the firmware is not in it", f"Remove {made.parent}, then try again: make image"
        )
    shutil.copyfile(made, options.out)
    print(f"written: {options.out}, MicroPython {image.version}. Next: make flash IMAGE={options.out}")
    return 0


def _idf(named: Path | None) -> Path:
    folder = named or Path(os.environ.get("IDF_PATH", "no-esp-idf"))
    if not (folder / "export.sh").is_file():
        raise cli.Failed(f"{folder}: no ESP-IDF here", _IDF)
    return folder.resolve()


def _micropython(named: Path | None, board: str) -> Path:
    """The source tree, new enough and with that board. Raises Failed."""
    folder = named or Path("no-micropython")
    try:
        text = (folder / "py/mpconfig.h").read_text()
        found = tuple(
            int(re.search(rf"MICROPY_VERSION_{part} \(?(\d+)", text)[1]) for part in ("MAJOR", "MINOR")
        )
    except (OSError, TypeError):
        raise cli.Failed(f"{folder}: no sources of MicroPython here", _MICROPYTHON) from None
    if found < esp_image.OLDEST:
        raise cli.Failed(f"{folder}: this is MicroPython {found[0]}.{found[1]}, too old", _MICROPYTHON)
    if not (folder / "ports/esp32/boards" / board).is_dir():
        raise cli.Failed(f"{folder}: no board {board}", "See ports/esp32/boards.")
    return folder.resolve()


if __name__ == "__main__":
    sys.exit(cli.run(main))
