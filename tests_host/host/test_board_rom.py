"""The virtual board's ROM partition: what is in it, and that it is as strict as a chip's."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mpremote.romfs import VfsRomWriter

from tools.build import payload, rom_plan
from tools.env import interpreter
from tools.repository import ROOT
from tools.virtual_board import rom_partition
from tools.virtual_board.install import Form, install
from tools.virtual_board.plant import Plant
from tools.virtual_board.virtual import VirtualBoard

NAMES = st.text("abcxyz._-", min_size=1, max_size=140).filter(lambda name: name.strip("."))


def packed(files):
    """The image of mpremote's own writer."""
    writer = VfsRomWriter()

    def pack(folder):
        for name, content in sorted(folder.items()):
            if isinstance(content, dict):
                writer.opendir(name[:-1])
                pack(content)
                writer.closedir()
            else:
                writer.mkfile(name, content)

    tree = {}
    for path, content in files.items():
        *folders, name = path.split("/")
        place = tree
        for folder in folders:
            place = place.setdefault(f"{folder}/", {})  # in the order of whole paths
        place[name] = content
    pack(tree)
    return writer.finalise()


@given(
    st.dictionaries(
        st.lists(NAMES, min_size=1, max_size=3).map("/".join), st.binary(max_size=400), max_size=8
    )
)
def test_an_image_is_that_of_mpremote(files):
    files = {
        path: data for path, data in files.items() if not any(other.startswith(f"{path}/") for other in files)
    }
    assert rom_plan.Image(files).data == packed(files)


def test_a_filled_partition_has_the_units_and_added_files(tmp_path):
    plain = rom_partition.fill(rom_partition.erased(tmp_path / "rom"), ROOT, {}, {}).read_bytes()
    units = payload.slot_files(ROOT)
    assert plain.startswith(rom_plan.Image(units).data) and len(plain) == rom_plan.ROM_BYTES
    more = {"main.py": b"import other", "other.py": b"pass", "certs/ca.der": b"1"}
    other = rom_partition.fill(rom_partition.erased(tmp_path / "rom"), ROOT, more, {}).read_bytes()
    assert b"other.mpy" in other and b"main" not in other[-100:] and b"ca.der" not in other


def test_the_partition_of_make_image_holds_two_copies_of_all_units_and_half_as_much_to_grow():
    """Two copies are for updates over the air."""
    code = payload.slot_files(ROOT)
    assert rom_plan.chosen(code, payload.conditions(ROOT), [], rom_plan.ROM_BYTES) == code
    assert 3 * len(rom_plan.Image(code).data) <= rom_plan.ROM_BYTES


def test_the_partition_of_the_port_holds_a_copy_of_any_configuration_but_the_largest():
    """Those know the bootstrap generation, over MQTT. Once: the port's table, partitions-4MiB-romfs.csv, has 128 KiB.
    Two copies need twice as much, as 0020 says."""
    code, conditions = payload.slot_files(ROOT), payload.conditions(ROOT)
    sizes = {}
    for row in {row for value in conditions.values() for row in value.split(",")} - {"portal", "update"}:
        needed = rom_plan.chosen(code, conditions, [row, "update"], 128 << 10)
        sizes[row] = -(-len(rom_plan.Image(needed).data) // rom_plan.BLOCK)
    large = {row for row, blocks in sizes.items() if blocks > (128 << 10) // rom_plan.BLOCK}
    assert large == {"auto-auto", "auto-mqtt", "bootstrap-auto", "bootstrap-mqtt"}, sizes


def test_units_that_are_optional_are_units():
    assert set(payload.conditions(ROOT)) <= set(payload.slot_files(ROOT))


def test_the_built_in_modules_are_in_no_partition():
    folder = Path(rom_partition.built_in().name)
    assert (folder / "machine.mpy").is_file() and (folder / rom_partition.IMAGE).stat().st_size > 1000


def test_the_flash_of_a_board_with_a_rom_partition_is_as_after_a_deploy(tmp_path):
    install(tmp_path, {}, ROOT, {"other.py": b"", "certs/a.der": b"1"}, Form.ROM)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == [
        "a.der", "boot.py", "config.json", "main.py", "slot.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "slot.json").read_text()) == {"slot": "rom:0"}


PROGRAM = """
import vfs
p = vfs.rom_ioctl(2, 0)
print(vfs.rom_ioctl(1), p.info()[3:5], p.ioctl(4, 0), p.ioctl(5, 0), vfs.rom_ioctl(3, 0, 4096))
p.writeblocks(1, b"\\x0f\\xf0", 5)
p.writeblocks(1, b"\\x3c\\x3c", 5)
print(bytes(memoryview(p)[4100:4104]))
p.ioctl(6, 1)
buffer = bytearray(4)
p.readblocks(1, buffer, 4)
print(bytes(buffer))
p.writeblocks(0, b"\\xaa" * 4096)
p.writeblocks(0, b"\\x55" * 4096)
print(bytes(memoryview(p)[4094:4097]))
for wrong in (lambda: p.ioctl(6, 2), lambda: p.writeblocks(1, b"xx", 4095), lambda: p.writeblocks(0, b"xx"),
              lambda: p.readblocks(-1, buffer, 0)):
    try:
        wrong()
        print("taken")
    except OSError as e:
        print(e.args[1])
"""
STOCK = "import vfs\nprint(hasattr(vfs, 'rom_ioctl'), hasattr(vfs, 'mount'))\n"
WRITES = "import vfs\nprint('before')\nmemoryview(vfs.rom_ioctl(2, 0))[0] = 1\nprint('after')\n"


async def printed(tmp_path, program, partition, count):
    (tmp_path / "flash").mkdir(exist_ok=True)
    (tmp_path / "flash" / "main.py").write_text(program)
    lines = []
    async with VirtualBoard(
        tmp_path / "flash", Plant(), interpreter.find(), on_line=lines.append, rom=partition
    ) as board:
        await board.until(lambda: len(lines) >= count or board.boots > 1, 10)
    return lines


@pytest.mark.waits
async def test_the_partition_is_flash(tmp_path):
    """Programming without erasing keeps zeros; what lies outside is refused; so is all that only other ports have."""
    partition = rom_partition.erased(tmp_path / "rom", 8192)
    assert await printed(tmp_path, PROGRAM, partition, 8) == [
        "1 (8192, 'romfs') 2 4096 -22", r"b'\xff\x0c0\xff'", r"b'\xff\xff\xff\xff'", r"b'UU\xff'",
        "ESP_ERR_INVALID_ARG", "ESP_ERR_INVALID_ARG", "ESP_ERR_INVALID_SIZE", "ESP_ERR_INVALID_ARG",
    ]  # fmt: skip
    assert partition.read_bytes() == b"\x55" * 4096 + b"\xff" * 4096  # and outlives the power


@pytest.mark.waits
async def test_mapped_flash_cannot_be_written_through_memory(tmp_path):
    partition = rom_partition.erased(tmp_path / "rom", 8192)
    assert set(await printed(tmp_path, WRITES, partition, 9)) == {"before"}
    assert partition.read_bytes() == b"\xff" * 8192


@pytest.mark.waits
async def test_a_stock_image_has_none(tmp_path):
    assert await printed(tmp_path, STOCK, None, 1) == ["False True"]
