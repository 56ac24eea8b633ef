"""A small fleet of real MicroPythons at one cloud with a real broker."""

import pytest

from tools.checks.fleet import Story
from tools.env import interpreter
from tools.fixture.process_fleet import PACE, Fleet, paced_tree
from tools.repository import ROOT


@pytest.mark.thorough
@pytest.mark.long
async def test_real_devices_come_back_from_a_restart_and_lose_nothing():
    found = {}
    async with Fleet(interpreter.find(), 3) as fleet:
        story = Story(fleet, 1, lambda figures: found.update({figures["part"]: figures}))
        await story.part("start", story.starts)
        await story.part("broker restart", story.broker_restarts)
        fleet.record.ask("2")
        await story.end()
        sizes = fleet.memory_kb()
    assert story.ok and found["start"]["back"] == found["broker restart"]["back"] == 3
    assert (found["end"]["lost"], found["end"]["doubled"], found["end"]["not_reconciled"]) == (0, 0, 0)
    assert found["end"]["stored"] >= 9  # of each device two readings and its pump
    assert 0 < sizes["own_kb"] <= sizes["in_memory_kb"]


def test_only_the_pace_of_a_fleet_differs_from_the_firmware(tmp_path):
    tree = paced_tree(tmp_path / "tree")
    changed = {
        str(path.relative_to(tree))
        for path in tree.rglob("*.py")
        if path.read_text() != (ROOT / path.relative_to(tree)).read_text()
    }
    assert changed == {f"firmware/runtime/{loop}.py" for loop, *_ in PACE}
