"""Deploys into the ROM partition of the virtual board, with the real mpremote: what travels, what runs in place, and a
cable pulled out anywhere."""

import asyncio
import contextlib
import json
import shutil
import sys

import pytest

from tests_host.host.test_deploy import BOOT, TIMEOUT_S, Bench, CableOut
from tools.build import rom_plan
from tools.build.mpy import compiled
from tools.env import interpreter
from tools.repository import ROOT
from tools.virtual_board import rom_partition
from tools.virtual_board.plant import Plant
from tools.virtual_board.virtual import VirtualBoard

pytestmark = pytest.mark.waits

MAIN = b"""\
import gc, os, sys
from firmware import app
def f():
    gc.collect()
    before = gc.mem_alloc()
    import firmware.bulk
    gc.collect()
    return gc.mem_alloc() - before
used = f()
print('runs', app.V, app.__file__.split('/')[1], 'in the heap' if used > 4000 else 'in place')
"""
KB = 1024
PROBE_BYTES = (ROOT / "tools/serial/board_files.py").stat().st_size
"""What comes first, and changes nothing."""


def version(tmp_path, v, size=20 * KB, dies=False):
    """A little firmware that says which one it is; half of it is the same in all of them."""
    sources = {
        "firmware/app.py": "import machine\nprint('dies')\nmachine.reset()\n" if dies else f"V = {v}\n",
        "firmware/bulk.py": f"X = b'{'x' * 8000}'\n",
        "firmware/links/one.py": f"V = {v}\nX = b'{'y' * max(size - 8500, 1)}'\n",
        "firmware/links/two.py": "V = 2\n",
    }
    code = {}
    for name, text in sources.items():
        path = tmp_path / name.rpartition("/")[2]
        path.write_text(text)
        code[name[:-3] + ".mpy"] = compiled(path)
    return code


def rooted(config="{}"):
    return {"boot.py": BOOT, "main.py": MAIN, "config.json": config.encode()}


class RomBench(Bench):
    """A board with an empty flash, an empty ROM partition, and a cable."""

    def __init__(self, tmp_path, size=128 * KB):
        super().__init__(tmp_path / "flash")
        self.rom = rom_partition.erased(tmp_path / "rom", size)
        self.board = VirtualBoard(
            self.flash, Plant(), interpreter.find(), on_line=self.lines.append, rom=self.rom
        )

    async def runs(self, v, where="rom", how="in place"):
        await self.expects(f"runs {v} {where} {how}")
        assert self.lines[-1] == f"runs {v} {where} {how}", self.lines

    def confirm(self):
        """What the firmware does when it is well: the trial ends."""
        record = self.record()
        record.pop("tries", None)
        (self.flash / "slot.json").write_text(json.dumps(record))


def blocks(image):
    return -(-len(image.data) // rom_plan.BLOCK)


async def test_first_second_and_third_deploy(tmp_path):
    async with RomBench(tmp_path) as bench:
        await bench.deploy(version(tmp_path, 1), rooted())
        await bench.runs(1)
        assert bench.record() == {"slot": "rom:0"}
        assert sorted(p.name for p in bench.flash.iterdir()) == [
            "boot.json", "boot.py", "config.json", "main.py", "slot.json",
        ]  # fmt: skip

        again = await bench.deploy(version(tmp_path, 1), rooted())
        assert not again and bench.record() == {"slot": "rom:0"}

        bench.lines.clear()
        second = await bench.deploy(version(tmp_path, 2), rooted())
        await bench.runs(2)
        top = (128 * KB - len(second.rom.image.data)) // 4096 * 4096
        assert bench.record() == {"slot": f"rom:{top}", "back": "rom:0", "tries": 2}
        # What is the same in both was copied on the board.
        assert second.size < len(second.rom.image.data) - 8000

        bench.confirm()
        bench.lines.clear()
        third = await bench.deploy(version(tmp_path, 3), rooted())
        await bench.runs(3)
        assert third.target == "rom:0"
        assert bench.record() == {"slot": "rom:0", "back": f"rom:{top}", "tries": 2}


@pytest.mark.thorough
async def test_a_version_that_crashes_is_taken_back(tmp_path):
    async with RomBench(tmp_path) as bench:
        await bench.deploy(version(tmp_path, 1), rooted())
        await bench.runs(1)
        bench.lines.clear()
        bad = await bench.deploy(version(tmp_path, 2, dies=True), rooted())
        await bench.runs(1)
        assert bench.lines == ["dies"] * 3 + ["runs 1 rom in place"]
        assert bench.record() == {"slot": "rom:0", "failed": bad.target, "number": 0}

        bench.lines.clear()
        again = await bench.deploy(version(tmp_path, 2, dies=True), rooted())
        assert again.target == bad.target
        await bench.runs(1)
        assert bench.lines == ["dies"] * 3 + ["runs 1 rom in place"]


@pytest.mark.thorough
async def test_a_cable_pulled_out_anywhere_leaves_the_old_version(tmp_path):
    await cut_everywhere(tmp_path, 20 * KB, 128 * KB, ["runs 1 rom in place"])


@pytest.mark.thorough
async def test_a_version_that_has_no_room_beside_the_old_one_waits_for_that_to_be_in_a_folder(tmp_path):
    """Neither is a cable pulled out then any harm: the old one runs, from wherever it is whole."""
    old = ["runs 1 rom in place", "runs 1 a in the heap"]
    bench = await cut_everywhere(tmp_path, 20 * KB, 36 * KB, old)
    assert bench.record() == {"slot": "rom:0", "back": "a", "tries": 1}
    assert bench.slot("a") == version(tmp_path, 1)


async def cut_everywhere(tmp_path, size, rom_size, old):
    """Cut after more and more bytes; until the record says otherwise the board starts the old version."""
    olds, limit = set(), 0
    async with RomBench(tmp_path, rom_size) as bench:
        await bench.deploy(version(tmp_path, 7, size), rooted())
        await bench.runs(7)
        bench.lines.clear()
        await bench.deploy(version(tmp_path, 1, size), rooted())
        await bench.runs(1)
        bench.confirm()
        await bench.board.power_off()
        shutil.copytree(bench.flash, tmp_path / "before")
        shutil.copy(bench.rom, tmp_path / "rom-before")
        new = version(tmp_path, 2, size)
        runs = ""
        while "runs 2" not in runs:
            shutil.rmtree(bench.flash)
            shutil.copytree(tmp_path / "before", bench.flash)
            shutil.copy(tmp_path / "rom-before", bench.rom)
            await bench.board.power_on()
            with contextlib.suppress(CableOut):
                await bench.deploy(new, rooted('{"name": "x"}'), limit)
                await bench.runs(2)
            await bench.board.power_off()
            bench.lines.clear()
            await bench.board.power_on()
            await bench.board.until(lambda: bench.lines, TIMEOUT_S)
            await bench.board.power_off()
            (runs,) = bench.lines
            assert runs in ["runs 2 rom in place", *old], limit
            olds.add(runs)
            limit = max(limit + 487, PROBE_BYTES)
        assert olds == {"runs 2 rom in place", *old}
        assert (bench.flash / "config.json").read_text() == '{"name": "x"}'
    return bench


@pytest.mark.gate
async def test_an_interrupted_deploy_goes_on_where_it_was(tmp_path):
    async with RomBench(tmp_path) as bench:
        await bench.deploy(version(tmp_path, 1), rooted())
        new = version(tmp_path, 2, 30 * KB)
        with pytest.raises(CableOut):
            await bench.deploy(new, rooted(), limit=24000)
        rest = await bench.deploy(new, rooted())
        erased = sum(program.startswith("rom_erase") for program, _ in rest.rom.steps)
        assert 1 < erased < blocks(rest.rom.image) - 1


@pytest.mark.thorough
async def test_all_units_where_there_is_room_and_otherwise_those_the_configuration_needs(tmp_path):
    code, config = version(tmp_path, 1, 40 * KB), '{"cloud": {"api": "realer", "transport": "auto"}}'
    conditions = {"firmware/links/one.mpy": "realer-https,x-y", "firmware/links/two.mpy": "realer-auto"}
    for size, there in ((128 * KB, ["one.mpy", "two.mpy"]), (64 * KB, ["two.mpy"])):
        shutil.rmtree(tmp_path / "flash", ignore_errors=True)
        async with RomBench(tmp_path, size) as bench:
            bench.conditions = conditions
            await bench.deploy(code, rooted(config))
            await bench.runs(1)
            image = bench.rom.read_bytes()
            assert [name for name in ("one.mpy", "two.mpy") if name.encode() in image] == there
            # Without a configuration it is the board's own that counts.
            again = await bench.deploy(code, {"boot.py": BOOT, "main.py": MAIN})
            assert not again


@pytest.mark.thorough
async def test_code_in_a_folder_moves_into_the_partition(tmp_path):
    async with Bench(tmp_path / "flash") as stock:
        await stock.deploy(version(tmp_path, 1), rooted())
        await stock.expects("runs 1 a in the heap")
    async with RomBench(tmp_path) as bench:
        await bench.expects("runs 1 a in the heap")
        bench.lines.clear()
        moved = await bench.deploy(version(tmp_path, 1), rooted())
        await bench.runs(1)
        assert moved.size < 300  # it was on the board already
        assert bench.record() == {"slot": "rom:0", "back": "a", "tries": 2}
        bench.confirm()
        bench.lines.clear()
        await bench.deploy(version(tmp_path, 2), rooted())
        await bench.runs(2)
        assert not (bench.flash / "a").exists() or not bench.slot("a")


async def test_a_partition_that_is_too_small_is_reported_and_not_used(tmp_path):
    async with RomBench(tmp_path, 12 * KB) as bench:
        await bench.deploy(version(tmp_path, 1), rooted())
        await bench.runs(1, "a", "in the heap")
        assert "too small for the code" in bench.output.getvalue()
        assert bench.rom.read_bytes() == b"\xff" * 12 * KB


SAID = "hello ['/rom', '/rom/lib', '/lib']"


@pytest.mark.gate
async def test_mpremote_finds_the_partition_and_deploys_into_it(tmp_path):
    """The real tool: what it asks of an ESP32's partition, the virtual board's answers."""
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "hello.txt").write_text("hello")
    async with RomBench(tmp_path) as bench:
        for command, words in (
            (("romfs", "query"), "size 131072 bytes (32 blocks of 4096 bytes each)"),
            (("romfs", "deploy", str(tmp_path / "files")), "ROMFS image deployed"),
            (("soft-reset", "exec", "import sys; print(open('/rom/hello.txt').read(), sys.path[-3:])"), SAID),
        ):  # fmt: skip
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "mpremote", "connect", bench.url, *command,
                stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            output, _ = await process.communicate()
            assert process.returncode == 0 and words in output.decode(), output.decode()
