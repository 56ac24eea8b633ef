"""What mip installs is what there is, and real mpremote installs it on a virtual board; what `realer image` builds."""

import asyncio
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests_host.support import esp_rom
from tools.build import package
from tools.cli import image
from tools.common import Failed
from tools.env import interpreter
from tools.repository import ROOT
from tools.virtual_board.plant import Plant
from tools.virtual_board.virtual import VirtualBoard

TIMEOUT_S = 120


def test_the_lists_in_the_tree_are_true():
    assert package.main([]) == 0


def test_a_file_too_many_or_too_few_is_noticed(tmp_path: Path):
    for name in ("firmware", "lib/http1", "lib/netio"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
    (tmp_path / "firmware/version.py").write_text('VERSION = "1.2.3"\n')
    (tmp_path / "lib/http1/client.py").write_text("from netio.errors import NetError\nimport json\n")
    (tmp_path / "lib/netio/errors.py").write_text("import sntp\n")
    made = {
        path.relative_to(tmp_path).as_posix(): json.loads(text)
        for path, text in package.lists(tmp_path).items()
    }
    assert set(made) == {"package.json", "lib/http1.json", "lib/netio.json"}
    targets = [target for target, _ in made["lib/http1.json"]["urls"]]
    assert targets == ["http1/__init__.py", "http1/client.py", "netio/__init__.py", "netio/errors.py"]
    (tmp_path / "lib/netio/standalone.py").touch()
    made_anew = package.lists(tmp_path)
    assert "standalone" not in made_anew[tmp_path / "package.json"], "the app has its own"
    assert "standalone" in made_anew[tmp_path / "lib/http1.json"]
    assert made["package.json"]["version"] == "1.2.3" and len(made["package.json"]["urls"]) == 6


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.parametrize(("source", "target"), [("package.json", "/"), ("lib/http1.json", "/lib")])
async def test_mip_installs_it_on_a_board(tmp_path: Path, source: str, target: str):
    async with VirtualBoard(tmp_path, Plant(), interpreter.find()) as board:
        url = await board.console.open()
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "mpremote", "connect", url, "mip", "install", f"--target={target}", source, cwd=ROOT,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()
    for name, origin in json.loads((ROOT / source).read_text())["urls"]:
        installed = tmp_path / target.strip("/") / name
        assert installed.read_bytes() == ((ROOT / source).parent / origin).read_bytes()


PORT = """\
all:
\ttest $(FROM_IDF) = yes && test -f ../../mpy-cross/made && test -f submodules
\ttest -z "$(BOARD_VARIANT)$(FROZEN_MANIFEST)" && test $(BOARD) = ESP32_GENERIC
\tmkdir -p $(BUILD) && cp ../../firmware.bin $(BUILD)/ && cp -r $(BOARD_DIR) ../../defined
submodules:
\ttouch submodules
.PHONY: all submodules
"""
OWN = "include(boards/mpconfigboard_esp32_common.cmake)\n"


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Path, Path]:
    """ESP-IDF and MicroPython in what `realer image` uses of them: the build keeps its arguments."""
    idf, sources = tmp_path / "idf", tmp_path / "micropython"
    board = sources / "ports/esp32/boards/ESP32_GENERIC"
    for folder in (idf, sources / "py", sources / "mpy-cross", board):
        folder.mkdir(parents=True)
    (idf / "export.sh").write_text("export FROM_IDF=yes\n")
    version(sources, 25)
    (sources / "mpy-cross/Makefile").write_text("all:\n\ttouch made\n")
    (sources / "firmware.bin").write_bytes(esp_rom.image(WITH_ROM, table=esp_rom.table(TABLE)))
    (sources / "ports/esp32/Makefile").write_text(PORT)
    (board / "mpconfigboard.cmake").write_text(OWN)
    (board / "mpconfigboard.h").write_text("// the board's\n")
    return idf, sources


def rows() -> list[tuple[str, str, int, int]]:
    """Name, type, offset and size of the partitions."""
    lines = [line.split(",") for line in image.PARTITIONS.splitlines() if not line.startswith("#")]
    return [(name.strip(), kind.strip(), int(at, 16), int(size, 16)) for name, kind, _, at, size in lines]


TABLE = [(kind == "data", 0, at, size, name.encode()) for name, kind, at, size in rows()]
WITH_ROM = esp_rom.micropython(version=b"1.25.0", more=b"rom_ioctl")


def test_partitions_lie_one_behind_the_other_up_to_the_end_of_4_mib():
    table = rows()
    assert [name for name, *_ in table] == ["nvs", "phy_init", "factory", "romfs", "vfs"]
    for (_, _, at, size), (_, _, following, _) in itertools.pairwise(table):
        assert at + size == following
    assert table[-1][2] + table[-1][3] == 4 << 20
    # The boot loader asks 64 KiB of an application, memory mapping the same of what is to be mapped without waste.
    assert all(at % 0x10000 == 0 for name, _, at, _ in table if name in ("factory", "romfs"))


def version(sources: Path, minor: int) -> None:
    text = f"#define MICROPY_VERSION_MAJOR 1\n#define MICROPY_VERSION_MINOR {minor}\n"
    (sources / "py/mpconfig.h").write_text(text)


def build(out: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", "image", "--out", str(out), *map(str, arguments)]
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("IDF_PATH", "MAKEFLAGS", "MAKELEVEL")
    }
    env["BOARD_VARIANT"] = "SPIRAM"  # a person's own, for other builds
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, env=env)


def test_an_image_is_built_and_looked_at(trees: tuple[Path, Path], tmp_path: Path):
    out = tmp_path / "own.bin"
    done = build(out, "--idf", trees[0], "--micropython", trees[1])
    assert done.returncode == 0, done.stdout + done.stderr
    assert out.read_bytes() == (trees[1] / "firmware.bin").read_bytes()
    assert f"realer flash {out}" in done.stdout and "ROM partition of 576 KB" in done.stdout


def test_the_board_is_built_as_it_is_defined_and_with_the_partition(trees: tuple[Path, Path], tmp_path: Path):
    done = build(tmp_path / "own.bin", "--idf", trees[0], "--micropython", trees[1])
    assert done.returncode == 0, done.stdout + done.stderr
    made = trees[1] / "defined"
    assert (made / "mpconfigboard.h").read_text() == "// the board's\n"
    assert (made / "partitions.csv").read_text() == image.PARTITIONS
    cmake = (made / "mpconfigboard.cmake").read_text()
    assert cmake.startswith(OWN) and "MICROPY_DEF_BOARD MICROPY_VFS_ROM=1" in cmake
    settings = Path(re.search(r"SDKCONFIG_DEFAULTS (\S+)\)", cmake)[1]).read_text()
    assert Path(re.search(r'FILENAME="(.+)"', settings)[1]).read_text() == image.PARTITIONS
    assert (trees[1] / "ports/esp32/boards/ESP32_GENERIC/mpconfigboard.cmake").read_text() == OWN


@pytest.mark.gate
def test_missing_prerequisites_are_reported_before_anything_is_built(
    trees: tuple[Path, Path], tmp_path: Path
):
    idf, sources = trees
    out = tmp_path / "own.bin"
    for arguments, words in (
        ((), "no ESP-IDF here"),
        (("--idf", idf), "no sources of MicroPython"),
        (("--idf", idf, "--micropython", idf), "no sources of MicroPython"),
        (("--idf", idf, "--micropython", sources, "--board", "NONE"), "no board NONE"),
    ):
        done = build(out, *arguments)
        assert done.returncode == 1 and words in done.stderr and "Traceback" not in done.stderr
    version(sources, 24)
    with pytest.raises(Failed, match=r"1\.24, too old"):
        image.main(["--idf", str(idf), "--micropython", str(sources)])
    assert not (sources / "mpy-cross/made").exists()


@pytest.mark.gate
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "the build failed"),
        (b"\xe9", "cut short"),
        (esp_rom.image(), "no ROM partition"),
        (esp_rom.image(table=esp_rom.table(TABLE)), "no ROM partition"),
        (esp_rom.image(WITH_ROM), "no ROM partition"),
    ],
    ids=["none", "broken", "stock", "without rom_ioctl", "without partition"],
)
def test_a_build_that_brings_no_image(
    trees: tuple[Path, Path], tmp_path: Path, content: bytes | None, words: str
):
    made = trees[1] / "firmware.bin"
    made.unlink() if content is None else made.write_bytes(content)
    done = build(tmp_path / "own.bin", "--idf", trees[0], "--micropython", trees[1])
    assert done.returncode == 1 and words in done.stderr
    assert not (tmp_path / "own.bin").exists()
