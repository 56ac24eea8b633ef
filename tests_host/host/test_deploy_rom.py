"""Deploys into the ROM partition of the virtual board, with the real mpremote: what travels, what runs in place, and a
cable pulled out anywhere."""

import io
import json
import shutil
import subprocess
import sys

import pytest
from rich.console import Console

from firmware.core import romslot
from tests_host.host.test_deploy import BOOT, PATIENCE_S, Bench, CableOut
from tools import interpreter
from tools.board import rom
from tools.board.virtual import VirtualBoard
from tools.board.world import World
from tools.deploy import plan
from tools.mpy import compiled

pytestmark = pytest.mark.waits

MAIN = b"""\
import gc, os, sys
from firmware import app
def f():
    before = gc.mem_alloc()
    import firmware.bulk
    gc.collect()
    return gc.mem_alloc() - before
used = f()
print('runs', app.V, app.__file__.split('/')[1], 'in the heap' if used > 4000 else 'in place')
"""
KB = 1024


def version(tmp_path, v, size=20 * KB, dies=False):
    """A little firmware that says which one it is; half of it is the same in all of them."""
    sources = {
        "firmware/app.py": f"import machine\nprint('dies')\nmachine.reset()\n" if dies else f"V = {v}\n",
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
        self.rom = rom.erased(tmp_path / "rom", size)
        self.board = VirtualBoard(
            self.flash, World(), interpreter.find(), on_line=self.lines.append, rom=self.rom
        )

    async def runs(self, v, where="rom", how="in place"):
        await self.says(f"runs {v} {where} {how}")
        assert self.lines[-1] == f"runs {v} {where} {how}", self.lines

    def confirm(self):
        """What the firmware does when it is well: the trial ends."""
        record = self.record()
        record.pop("tries", None)
        (self.flash / "slot.json").write_text(json.dumps(record))


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
