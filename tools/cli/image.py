"""`realer image --idf DIR --micropython DIR`: build a MicroPython image with a ROM partition.

Deploys and updates put the firmware there, from where it runs in place (docs/decisions/0020). No published image for
the ESP32 has such a partition. The command copies the definition of the board and appends another partition table and
MICROPY_VFS_ROM. It checks both source trees first, and the result as `realer flash` does. It fetches no sources: the
builder decides which to trust.
"""

from __future__ import annotations

import keyword
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tools import common
from tools.build import esp_image, payload, rom_plan
from tools.repository import ROOT

_IDF = """\
git clone -b v5.2.2 --recursive https://github.com/espressif/esp-idf.git && esp-idf/install.sh esp32
(the version that the MicroPython release names in ports/esp32/README.md), then IDF=path/to/esp-idf"""
_MICROPYTHON = """\
git clone -b v1.25.0 https://github.com/micropython/micropython.git, then MICROPYTHON=path/to/micropython"""
_BUILD = """\
. "$IDF_PATH/export.sh" && make -C "$1/mpy-cross" && cd "$1/ports/esp32" && make BOARD="$2" submodules &&
make BOARD="$2" BOARD_DIR="$3" BUILD="$4"
"""
OLDEST = (1, 25)
"""The first MicroPython that has `vfs.rom_ioctl`."""
PARTITIONS = f"""\
# For chips with 4 MiB of flash or more: the stock table, and a ROM partition where the file system would begin.
# Name,   Type, SubType, Offset,   Size
nvs,      data, nvs,     0x9000,   0x6000
phy_init, data, phy,     0xf000,   0x1000
factory,  app,  factory, 0x10000,  0x1F0000
romfs,    data, 0x8f,    0x200000, {rom_plan.ROM_BYTES:#x}
vfs,      data, fat,     {0x200000 + rom_plan.ROM_BYTES:#x}, {0x200000 - rom_plan.ROM_BYTES:#x}
"""
_SDKCONFIG = """\
CONFIG_PARTITION_TABLE_CUSTOM=y
CONFIG_PARTITION_TABLE_CUSTOM_FILENAME="{folder}/partitions.csv"
"""
_CMAKE = """
list(APPEND SDKCONFIG_DEFAULTS {folder}/sdkconfig.rom)
list(APPEND MICROPY_DEF_BOARD MICROPY_VFS_ROM=1)
set(MICROPY_FROZEN_MANIFEST {folder}/manifest.rom.py)
"""
_MANIFEST = """\
include({board!r})
module("{module}.py", base_path={folder!r})
"""
_NAMES_MODULE = "realer_names"
_INSIDE = b"rom_ioctl"
"""A name that an image with MICROPY_VFS_ROM has."""
_ELSEWHERE = ("BOARD_DIR", "BOARD_VARIANT", "BUILD", "CMAKE_ARGS", "FROZEN_MANIFEST", "USER_C_MODULES")
"""What the build would take from the environment, and then go another way than this program looks."""


def main(argv: list[str] | None = None) -> int:
    parser = common.parser(
        "image",
        "Build a MicroPython image with a ROM partition, where `realer deploy` then puts the firmware.",
    )
    parser.add_argument("--idf", type=Path, help="ESP-IDF, installed (default: $IDF_PATH)")
    parser.add_argument("--micropython", type=Path, help="MicroPython's sources, 1.25 or newer")
    parser.add_argument(
        "--board", default="ESP32_GENERIC", help="one of ports/esp32/boards (default: ESP32_GENERIC)"
    )
    parser.add_argument(
        "--out", type=Path, default=Path("firmware.bin"), help="the image (default: firmware.bin)"
    )
    options = parser.parse_args(argv)
    if " " in str(ROOT):
        raise common.Failed(f"{ROOT}: MicroPython's build takes no path with a space", "Move this folder.")
    idf, sources = _idf(options.idf), _micropython(options.micropython, options.board)
    folder = defined(sources, options.board, ROOT / ".cache" / "image" / options.board)
    build = f"build-{options.board}-rom"
    command = ["bash", "-c", _BUILD, "build", str(sources), options.board, str(folder), build]
    environment = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
    if subprocess.run(command, env=environment | {"IDF_PATH": str(idf)}).returncode:
        raise common.Failed(
            "the build failed, see above", "Do their versions match? See ports/esp32/README.md."
        )
    made = sources / "ports/esp32" / build / "firmware.bin"
    image = _checked(made)
    shutil.copyfile(made, options.out)
    print(f"written: {options.out}, MicroPython {image.version}, ROM partition of {image.rom >> 10} KB.")
    print(f"Next: realer flash {options.out}, then realer deploy")
    return 0


def defined(sources: Path, board: str, folder: Path) -> Path:
    """Make `folder` the definition of that board, with the ROM partition; the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(sources / "ports/esp32/boards" / board, folder)
    (folder / "partitions.csv").write_text(PARTITIONS)
    (folder / "sdkconfig.rom").write_text(_SDKCONFIG.format(folder=folder))
    own = folder / "manifest.py"
    board_manifest = str(own) if own.is_file() else "$(PORT_DIR)/boards/manifest.py"
    (folder / "manifest.rom.py").write_text(
        _MANIFEST.format(board=board_manifest, module=_NAMES_MODULE, folder=str(folder))
    )
    (folder / f"{_NAMES_MODULE}.py").write_text(names_module(payload.names(ROOT)))
    with (folder / "mpconfigboard.cmake").open("a") as cmake:
        cmake.write(_CMAKE.format(folder=folder))
    return folder


def names_module(names: Iterable[str]) -> str:
    """The source of a module that has these names and does nothing. Frozen into an image they lie in flash, where the
    firmware's modules find them when they are loaded: each takes 7 bytes and its text of the heap otherwise.
    """
    lines = ["def names(o):"]
    for name in names:
        parts = name.split(".")
        word = all(part.isidentifier() and not keyword.iskeyword(part) for part in parts)
        text = f"o.{name}" if word and len(parts) == 1 else f"import {name}" if word else f"o({name!r})"
        lines.append(f"    {text}")
    return "\n".join(lines) + "\n"


def _checked(made: Path) -> esp_image.Image:
    try:
        image = esp_image.read(made.read_bytes())
    except (OSError, esp_image.ImageError) as error:
        raise common.Failed(f"{made}: {error}") from None
    if image.rom != rom_plan.ROM_BYTES or _INSIDE not in image.data:
        raise common.Failed(
            f"{made}: there is no ROM partition in it", f"Remove {made.parent}, then try again: realer image"
        )
    return image


def _idf(named: Path | None) -> Path:
    folder = named or Path(os.environ.get("IDF_PATH", "no-esp-idf"))
    if not (folder / "export.sh").is_file():
        raise common.Failed(f"{folder}: no ESP-IDF here", _IDF)
    return folder.resolve()


def _micropython(named: Path | None, board: str) -> Path:
    """The source tree, new enough and with that board. Raises Failed."""
    folder = named or Path("no-micropython")
    try:
        text = (folder / "py/mpconfig.h").read_text()
    except OSError:
        text = ""
    numbers = [re.search(rf"MICROPY_VERSION_{part} \(?(\d+)", text) for part in ("MAJOR", "MINOR")]
    found = tuple(int(number[1]) for number in numbers if number)
    if len(found) < len(numbers):
        raise common.Failed(f"{folder}: no sources of MicroPython here", _MICROPYTHON)
    if found < OLDEST:
        raise common.Failed(f"{folder}: this is MicroPython {found[0]}.{found[1]}, too old", _MICROPYTHON)
    if not (folder / "ports/esp32/boards" / board / "mpconfigboard.cmake").is_file():
        raise common.Failed(f"{folder}: no board {board}", "See ports/esp32/boards.")
    return folder.resolve()
