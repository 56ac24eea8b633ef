"""The recipe of docs/demo.md for a cloud and a board of one's own, with the commands that stand there; and updates."""

import asyncio
import contextlib
import os
import re
import shlex
import signal
import subprocess
import sys

import pytest

from tests_host.e2e.test_demo import Demo
from tests_host.support import local_port
from tools.cloud import admin_client
from tools.repository import ROOT

pytestmark = pytest.mark.gate

PAGE = (ROOT / "docs/demo.md").read_text()
TIMEOUT_S = 90


def recipe():
    block = next(part for part in PAGE.split("```")[1::2] if "cloud serve" in part)
    return [line.partition("  #")[0].strip() for line in block.strip().splitlines()]


class Shell:
    """Commands in a folder of one's own: a cloud that others do not find, and no configuration of the person's."""

    def __init__(self, home):
        self._home, self.port, self._running = home, local_port.free(), []

    def words(self, line):
        line = line.replace("3333", str(self.port)).replace(".cache/cloud/", f"{self._home}/cloud/")
        line = re.sub(r"(?<=[ ])config\.json", f"{self._home}/config.json", line)
        line = line.replace("realer cloud", f"realer cloud --connection {self._home}/cloud/admin.json")
        line = line.replace("--answers", f"--out {self._home}/config.json --answers")
        line = line.replace("realer deploy", f"realer deploy --config {self._home}/config.json")
        line = line.replace(
            "realer demo", f"realer demo --no-open --connection {self._home}/cloud/admin.json"
        )
        line = line.replace("check_config", f"check_config {self._home}/config.json")
        return [sys.executable, "-m", "tools", *shlex.split(line)[1:]]

    async def start(self, line, words):
        """Begin it, and wait until it says that."""
        process = await asyncio.create_subprocess_exec(
            *self.words(line), cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        self._running.append(process)
        output = ""
        async with asyncio.timeout(TIMEOUT_S):
            while words not in output:
                piece = (await process.stdout.readline()).decode()
                assert piece, output
                output += piece
        reading = asyncio.create_task(process.stdout.read())
        process.reading = reading
        return output

    async def run(self, line):
        """Its exit status and what it said."""
        process = await asyncio.create_subprocess_exec(
            *self.words(line),
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        async with asyncio.timeout(TIMEOUT_S):
            output, _ = await process.communicate()
        return process.returncode, output.decode()

    async def end(self):
        for process in reversed(self._running):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            async with asyncio.timeout(TIMEOUT_S):
                await process.reading
                await process.wait()


async def test_the_recipe_of_a_cloud_and_a_board(tmp_path):
    serve, config, board, deploy, desired_state = recipe()
    shell = Shell(tmp_path)
    try:
        output = await shell.start(serve, "end with Ctrl-C")
        for key in ("client_secret", "client_id", "device_id", "dns_port", "ntp_port", "base_url"):
            assert re.search(rf"^{key} +\S", output, re.MULTILINE), output
        status, output = await shell.run(config)
        assert status == 0, output
        output = await shell.start(board, "waits at the serial port")
        assert f"socket://127.0.0.1:{shell.port}" in output
        status, output = await shell.run(deploy)
        assert status == 0 and "online: firmware" in output, output
        status, output = await shell.run(desired_state)
        assert status == 0, output
        async with asyncio.timeout(30):
            while True:
                state = await asyncio.to_thread(admin_client.call, "show", tmp_path / "cloud/admin.json")
                if '"1.0"' in str(state).replace("'", '"').partition("reported")[2]:
                    break
                await asyncio.sleep(0.2)

        # A second cloud, and a second board at that port: one line each.
        status, output = await shell.run(serve)
        assert status == 1 and "runs here already" in output and "Traceback" not in output, output
        status, output = await shell.run(board)
        assert status != 0 and f"TCP port {shell.port} is taken" in output and "Traceback" not in output, (
            output
        )
    finally:
        await shell.end()


@pytest.mark.long
async def test_the_demo_shows_an_update(tmp_path):
    reading, writing = os.pipe()
    async with Demo(tmp_path / "admin.json", reading, more=["--update", "--transport", "https"]) as demo:
        await demo.expects("stored command 1")
        os.write(writing, b"u")
        await demo.expects("publish bundle 1")
        await demo.expects("reset hard")
        await demo.expects("stored command 9: 1.0")
        os.write(writing, b"q")
        assert await demo.ends() == 0
    os.close(writing)
    os.close(reading)
