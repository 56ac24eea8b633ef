"""What a heap the size of a chip's holds: no growth while things go wrong, and a way on where it is short."""

import random

from tools import cycles
from tools.stage import ROOT, Stage

FILES = {
    "main.py": (ROOT / "tools/board/probes/heap.py").read_bytes(),
    "device_main.py": (ROOT / "main.py").read_bytes(),
}


async def test_hundreds_of_polls_with_faults_leave_the_heap_as_it_was(smallest):
    faults, chance = cycles.FAULTS["https"][::3], random.Random(1)  # `make bench` has all of them
    async with Stage(smallest, files=FILES, edit=cycles.calm) as stage:
        await stage.online()
        await cycles.wear(stage, 10 * len(faults), faults, 10, chance)
        before = await cycles.at_rest(stage)
        assert await cycles.wear(stage, 50 * len(faults), faults, 50, chance) >= len(faults) // 2
        after = await cycles.at_rest(stage)
        assert after.used - before.used <= cycles.NOISE_BYTES, (before, after)
        assert stage.board.boots == 1
    assert stage.model.violations == []


async def test_a_full_outbox_leaves_when_the_cloud_is_back(smallest):
    async with Stage(smallest, files=FILES) as stage:
        await stage.online()
        stage.site.faults.add("feed-data drop")
        stage.site.faults.add("batches drop")
        await stage.until("the outbox is full", lambda: any("outbox 48" in line for line in stage.lines), 60)
        stored = len(stage.model.named("feed_stored"))
        stage.site.faults.clear()
        await stage.until(
            "all of it is stored", lambda: len(stage.model.named("feed_stored")) >= stored + 48, 60
        )
        assert stage.board.boots == 1
    assert stage.model.violations == []
