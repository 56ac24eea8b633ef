"""`realer image`: the board's definition that it builds, and the names of the firmware in it."""

import pytest

from tools.build import mpy, payload
from tools.cli import image
from tools.repository import ROOT


@pytest.fixture
def sources(tmp_path):
    """The part of MicroPython's sources that defines two boards, of which one has a manifest of its own."""
    for board, manifest in (("ESP32_GENERIC", ""), ("OLIMEX_ESP32_POE", 'include("$(PORT_DIR)/boards")\n')):
        folder = tmp_path / "ports/esp32/boards" / board
        folder.mkdir(parents=True)
        (folder / "mpconfigboard.cmake").write_text("set(IDF_TARGET esp32)\n")
        if manifest:
            (folder / "manifest.py").write_text(manifest)
    return tmp_path


@pytest.mark.parametrize("board", ["ESP32_GENERIC", "OLIMEX_ESP32_POE"])
def test_the_definition_keeps_the_board_and_freezes_the_names(sources, tmp_path, board):
    folder = image.defined(sources, board, tmp_path / "out")
    cmake = (folder / "mpconfigboard.cmake").read_text()
    assert cmake.startswith("set(IDF_TARGET esp32)\n")
    assert f"set(MICROPY_FROZEN_MANIFEST {folder}/manifest.rom.py)" in cmake

    frozen = {}
    scope = {
        "include": lambda path: frozen.setdefault("include", path),
        "module": lambda name, base_path: frozen.setdefault("module", f"{base_path}/{name}"),
    }
    exec((folder / "manifest.rom.py").read_text(), scope)
    own = str(folder / "manifest.py")
    assert frozen["include"] == (own if board.startswith("OLIMEX") else "$(PORT_DIR)/boards/manifest.py")
    assert frozen["module"] == f"{folder}/realer_names.py"
    assert (folder / "realer_names.py").read_text() == image.names_module(payload.names(ROOT))


def test_the_module_of_names_has_every_name_of_the_firmware(tmp_path):
    source = tmp_path / "realer_names.py"
    source.write_text(image.names_module(payload.names(ROOT)))
    assert set(payload.names(ROOT)) <= set(mpy.names(mpy.compiled(source)))


def test_names_that_are_no_identifiers_are_kept(tmp_path):
    source = tmp_path / "names.py"
    source.write_text(image.names_module(["in", "a b", "%s: %s\r\n", "a.b_c", "x", "'"]))
    assert {"in", "a b", "%s: %s\r\n", "a.b_c", "x", "'"} <= set(mpy.names(mpy.compiled(source)))


def test_the_names_of_compiled_code_are_read(tmp_path):
    source = tmp_path / "part.py"
    source.write_text("import binascii\ndef feed_watchdog(every_ms):\n    return every_ms.elapsed_ms\n")
    found = mpy.names(mpy.compiled(source))
    assert {"binascii", "feed_watchdog", "every_ms", "elapsed_ms"} <= set(found)
    assert "def" not in found
