"""What survives a power cut, on the real littlefs of the real MicroPython: cut at every write, refused at any."""

import json
import subprocess
from pathlib import Path

import pytest

from tools.checks import portable
from tools.env import interpreter

pytestmark = pytest.mark.gate

ROOT = Path(__file__).resolve().parent.parent.parent
PROBE = ROOT / "tests_host/support/flash_probe.py"
CHANGES = 200


@pytest.fixture(params=portable.word_sizes(), ids=lambda bits: f"{bits}-bit")
def probe(request: pytest.FixtureRequest):
    argv = [*interpreter.find(request.param).argv, "-X", "heapsize=16m", str(PROBE), str(ROOT)]

    def run(mode: str) -> dict:
        done = subprocess.run([*argv, mode], capture_output=True, text=True, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    return run


@pytest.mark.thorough("64-bit")
def test_a_cut_at_any_write_loses_nothing_and_breaks_nothing(probe):
    outcome = probe("cuts")
    assert outcome["problems"] == []
    assert outcome["cuts"] == 2 * outcome["changes"] > 2 * CHANGES


@pytest.mark.thorough
def test_a_flash_that_refuses_writes_stops_nothing_else(probe):
    assert probe("errors")["changes"] > CHANGES


@pytest.mark.thorough("64-bit")
def test_an_ordinary_day_stays_within_the_write_budget(probe):
    """The budget of docs/reliability.md."""
    day = probe("day")
    assert day["events"] > 400
    assert day["erased_blocks"] <= 200 and day["programmed_bytes"] <= 200_000
