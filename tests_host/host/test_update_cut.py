"""An update over the air, cut at every write to a real littlefs."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tools.cloud.certs import TestCA
from tools.env import interpreter

ROOT = Path(__file__).resolve().parent.parent.parent
SCRIPT = ROOT / "tests_host" / "support" / "update_cut.py"
INTERPRETERS = interpreter.available() or [interpreter.find()]


@pytest.mark.gate("64bit")
@pytest.mark.parametrize("place", ["folders", "bottom", "top"])
@pytest.mark.parametrize("found", INTERPRETERS, ids=lambda found: f"{found.bits}bit")
def test_a_whole_copy_starts_whichever_write_is_torn(found, place, tmp_path):
    argv = [
        *found.argv,
        "-X",
        "heapsize=32m",
        str(SCRIPT),
        str(ROOT),
        str(TestCA(tmp_path).der),
        *([place] if place != "folders" else []),
    ]
    path = os.environ | {"MICROPYPATH": f"{ROOT}:.frozen:{ROOT}/lib"}
    done = subprocess.run(
        argv, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL, env=path
    )
    assert done.returncode == 0, done.stdout + done.stderr
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["runs"] == ["/b" if place == "folders" else "/rom", "new"]
    # Old until the record is written, which is the end of it.
    assert facts["refused"]["old"] > 25 and not facts["refused"]["new"]
    most = 50 if place == "folders" else 25
    assert facts["update"]["old"] > most and 1 <= facts["update"]["new"] <= 3
    # A start that was cut may have used up the only try: the old one again, or still the new one.
    assert facts["start"]["old"] and facts["start"]["new"]
    assert facts["confirm"]["new"]
