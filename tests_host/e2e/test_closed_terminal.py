"""A terminal is closed while something runs in it: whatever was started ends, and no folder stays."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import subprocess
import sys
import time

import pytest

from tests_host.e2e.test_demo import children_of
from tools.repository import ROOT

pytestmark = pytest.mark.gate

TIMEOUT_S = 60
COMMANDS = {
    "demo": ["demo", "--connection", "{home}/admin.json"],
    "cloud": ["cloud", "--connection", "{home}/admin.json", "serve"],
    "board": ["board", "--config", "{home}/config.json"],
    "smoke": ["smoke", "--transport", "mqtt"],
    "simulate": ["simulate", "--seeds", "1..8"],
}


def family(pid):
    found = children_of(pid)
    return [*found, *(grandchild for child in found for grandchild in family(child))]


def lives(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def until(condition, what):
    end = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("to", ["all", "one"])
async def test_no_process_stays_after_a_closed_terminal(tmp_path, name, to):
    """`to`: a terminal tells all that run in it, `kill` one."""
    config = json.loads((ROOT / "config.example.json").read_text()) | {"cloud": {"ca_files": []}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "temp").mkdir()
    leader, follower = pty.openpty()
    argv = [word.format(home=tmp_path) for word in COMMANDS[name]]
    process = subprocess.Popen(  # noqa: ASYNC220 - it waits for nothing
        [sys.executable, "-m", "tools", *argv], cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path / "temp")},
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    started = []
    try:
        await until(lambda: family(process.pid), f"{name} starts something")
        await asyncio.sleep(2)
        started = family(process.pid)
        os.close(leader)
        (os.killpg if to == "all" else os.kill)(process.pid, signal.SIGHUP)
        await until(lambda: process.poll() is not None, f"{name} ends")
        await until(lambda: not any(map(lives, started)), f"what {name} started ends")
        assert list((tmp_path / "temp").iterdir()) == []
        assert not (tmp_path / "admin.json").exists()
    finally:
        for pid in (*family(process.pid), *started):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.kill()
        process.wait()
