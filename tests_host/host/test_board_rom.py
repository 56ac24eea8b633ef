"""What the virtual board's image has beside a stock one's modules."""

from pathlib import Path

from tools.board import rom
from tools.board.install import Form, install
from tools.layers import ROOT
from tools.linkcache import linked


def test_an_image_of_ones_own_has_the_firmware_and_its_starters():
    frozen = dict(rom.frozen(ROOT, {}))
    units = linked(ROOT)
    assert frozen.keys() == units.keys() | {"boot.mpy", "main.mpy"}
    assert all(frozen[name] == code for name, code in units.items())


def test_files_of_a_test_go_in_place_of_its_own_or_beside_them():
    frozen = dict(rom.frozen(ROOT, {"main.py": b"import other", "other.py": b"pass", "certs/ca.der": b"1"}))
    assert frozen["main.mpy"] != dict(rom.frozen(ROOT, {}))["main.mpy"]
    assert "other.mpy" in frozen and not [name for name in frozen if name.startswith("certs")]


def test_the_image_lies_apart_from_what_is_built_in():
    folder = Path(rom.rom((("a/b.mpy", b"M\x06"),)).name)
    assert (folder / rom.FROZEN / "a/b.mpy").read_bytes() == b"M\x06"
    assert (folder / "machine.mpy").is_file() and (folder / rom.IMAGE).stat().st_size > 1000
    assert not (Path(rom.rom().name) / rom.FROZEN).exists()


def test_the_flash_of_a_board_with_frozen_code_has_none(tmp_path):
    install(tmp_path, {}, ROOT, {"main.py": b"", "certs/a.der": b"1"}, Form.FROZEN)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["a.der", "config.json"]
