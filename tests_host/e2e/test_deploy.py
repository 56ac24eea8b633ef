"""From an empty board to a running device over the cable, with the command a person types."""

import asyncio
import json
import shutil
import signal
import sys

import pytest

from tools.fixture.system import Stage
from tools.repository import ROOT


def start(*arguments):
    return asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools", *arguments, cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip


async def end_of(process):
    """(exit status, output)."""
    async with asyncio.timeout(90):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


async def command(*arguments):
    """(exit status, output) of `python -m tools ...`."""
    return await end_of(await start(*arguments))


def bring_home(stage, home):
    """The configuration and the certificate as they lie on a person's disk."""
    shutil.copytree(stage.flash / "certs", home / "certs")
    (home / "config.json").write_text(json.dumps(stage.config))
    for path in stage.flash.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return str(home / "config.json")


async def test_deploy_run_change_deploy(smallest, tmp_path):
    async with Stage(smallest, powered=False) as stage:
        config = bring_home(stage, tmp_path)
        await stage.board.power_on()
        url = await stage.board.console.open()
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0, output
        assert output.splitlines()[-1].startswith("online: firmware ") and output.rstrip().endswith("slot a")
        secret = stage.config["cloud"]["client_secret"]
        assert secret not in output
        assert (tmp_path / "config.json").stat().st_mode & 0o77 == 0
        await stage.online()
        assert not (stage.flash / "firmware").exists() and (stage.flash / "a" / "firmware").exists()
        before = stage.board.boots

        # While it works, something changes: outputs go safe, the token is given back, the new setting counts.
        stage.want("6", 1)
        await stage.until("the pump runs", lambda: stage.on("pump"), 8)
        stage.config["name"] = "renamed"
        (tmp_path / "config.json").write_text(json.dumps(stage.config))
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "sent 1 files" in output, output
        assert stage.model.named("revoked")
        assert output.rstrip().endswith("slot a")  # where the code lies that had not changed
        assert stage.board.boots == before + 2
        await stage.online()
        assert json.loads((stage.flash / "config.json").read_text())["name"] == "renamed"


async def test_a_board_with_a_rom_partition_runs_from_there(smallest, tmp_path):
    """MQTT, with no code in the heap; then another transport, for which nothing is sent."""
    async with Stage(smallest, powered=False, blank=True, image="own", transport="mqtt") as stage:
        (tmp_path / "certs").mkdir()
        for name, content in stage.owners_files().items():
            (tmp_path / name).write_bytes(content)
        config = str(tmp_path / "config.json")
        await stage.board.power_on()
        url = await stage.board.console.open()
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "slot rom:0" in output, output
        await stage.online()
        assert not [path for path in stage.flash.rglob("*") if path.suffix == ".mpy"]

        stage.config["cloud"]["transport"] = "https"
        (tmp_path / "config.json").write_text(json.dumps(stage.config))
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "sent 1 files" in output, output
        await stage.online()
        assert json.loads((stage.flash / "slot.json").read_text()) == {"slot": "rom:0"}


async def test_what_cannot_work_is_refused_before_the_board_is_touched(smallest, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    async with Stage(smallest) as stage:
        url = await stage.board.console.open()
        for config, words in (("config.json", "has errors"), ("none.json", "none.json")):
            status, output = await command("deploy", "--port", url, "--config", str(tmp_path / config))
            assert status == 1 and words in output, output
        status, output = await command("deploy", "--port", "socket://127.0.0.1:9", "--code-only")
        assert status == 1 and "Traceback" not in output
        await stage.online()
        assert stage.board.boots == 1


DEVICE = (ROOT / "firmware" / "device.py").read_text()


def edited(tmp_path, **files):
    """A device tree like this one, with other content in some files, by name without `.py`."""
    tree = tmp_path / "tree"
    for name in ("firmware", "lib"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("boot.py", "main.py"):
        shutil.copyfile(ROOT / name, tree / name)
    for name, text in files.items():
        (tree / f"{name}.py").write_text(text)
    return str(tree)


async def test_code_that_dies_at_the_start_is_no_success(smallest, tmp_path):
    """First as the only version, then as an update, beside which the version before still works."""
    tree = edited(tmp_path, **{"firmware/device": DEVICE + '\n\nraise ValueError("planted")\n'})
    async with Stage(smallest, powered=False) as stage:
        config = bring_home(stage, tmp_path)
        await stage.board.power_on()
        url = await stage.board.console.open()
        arguments = "deploy", "--port", url, "--config", config
        status, output = await command(*arguments, "--tree", tree)
        assert status == 1 and "crashed: ValueError: planted" in output, output
        status, output = await command(*arguments)
        assert status == 0 and "online: firmware" in output, output
        await stage.online()
        status, output = await command(*arguments, "--tree", tree)
        assert status == 1 and "crashed: ValueError: planted" in output, output


async def test_a_version_that_gives_way_to_the_one_before_is_no_success(smallest, tmp_path):
    """It resets the board at once, as often as it may; what comes online then is not what was sent."""
    tree = edited(tmp_path, **{"firmware/device": DEVICE + "\n\nimport machine\n\nmachine.reset()\n"})
    async with Stage(smallest) as stage:
        await stage.online()
        url = await stage.board.console.open()
        shutil.copytree(stage.flash / "certs", tmp_path / "certs")
        for _ in range(2):  # what runs is compared, not what was sent
            status, output = await command("deploy", "--port", url, "--code-only", "--tree", tree)
            assert status == 1 and "fell back to slot root" in output, output
            await stage.online()


async def test_a_wrong_secret_is_no_success(smallest, tmp_path):
    async with Stage(smallest, powered=False) as stage:
        stage.config["cloud"]["client_secret"] = "another-secret-not-real"
        config = bring_home(stage, tmp_path)
        await stage.board.power_on()
        url = await stage.board.console.open()
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 1 and "the cloud refused: " in output, output
        assert "another-secret-not-real" not in output


async def test_a_network_that_is_not_there_is_named(smallest, tmp_path):
    async with Stage(smallest, powered=False) as stage:
        config = bring_home(stage, tmp_path)
        stage.board.wifi_down()
        await stage.board.power_on()
        url = await stage.board.console.open()
        status, output = await command("deploy", "--port", url, "--config", config, "--within", "12")
        assert status == 1 and "waiting for Wi-Fi: " in output, output


async def test_a_board_that_says_nothing_is_no_success_unless_nobody_wants_to_know(smallest, tmp_path):
    tree = edited(tmp_path, main="import time\n\nwhile True:\n    time.sleep(1)\n")
    async with Stage(smallest, powered=False) as stage:
        bring_home(stage, tmp_path)
        await stage.board.power_on()
        url = await stage.board.console.open()
        arguments = "deploy", "--port", url, "--code-only", "--tree", tree
        status, output = await command(*arguments, "--within", "3")
        assert status == 1 and "nothing heard from the board in 3 s" in output, output
        boots = stage.board.boots
        status, output = await command(*arguments, "--no-wait")
        assert status == 0, output
        await stage.until("it was restarted all the same", lambda: stage.board.boots > boots + 1, 10)


async def test_a_cable_that_comes_out_at_the_end_takes_nothing_back(smallest, tmp_path):
    tree = edited(tmp_path, main="import time\n\nprint('quiet now')\nwhile True:\n    time.sleep(1)\n")
    async with Stage(smallest, powered=False) as stage:
        bring_home(stage, tmp_path)
        await stage.board.power_on()
        url = await stage.board.console.open()
        running = asyncio.create_task(command("deploy", "--port", url, "--code-only", "--tree", tree))
        await stage.until("the new code runs", lambda: "quiet now" in stage.lines, 60)
        stage.board.console.close()
        status, output = await running
        assert status == 1 and "the cable is out" in output and "arrived" in output, output
        assert "keeps the version it had" not in output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["repl", "sending", "arrived", "restarted"])
async def test_a_board_runs_on_when_a_deploy_is_stopped(smallest, tmp_path, number, when):
    """While the firmware is being stopped, while files travel, and while the new start is watched."""
    tree = edited(tmp_path, **{"firmware/device": DEVICE + "\n\nSPARE = 1\n"})
    async with Stage(smallest) as stage:
        await stage.online()
        url = await stage.board.console.open()
        process = await start("deploy", "--port", url, "--code-only", "--tree", tree)
        boots = stage.board.boots
        moments = {
            "repl": lambda: stage.board.chip.at_repl,
            "sending": lambda: any((stage.flash / "a").rglob("*.mpy")),
            "arrived": (stage.flash / "slot.json").exists,
            "restarted": lambda: stage.board.boots == boots + 2,
        }
        await stage.until(when, moments[when], 60)
        process.send_signal(number)
        status, output = await end_of(process)
        assert status == 128 + number and "Traceback" not in output, output
        assert "The board was started again." in output or "the board is starting" in output, output
        arrived = when in ("arrived", "restarted")
        assert ("keeps the version it had" in output) != arrived, output
        await stage.online(30)
        assert stage.board.boots > boots and not stage.board.chip.at_repl
        assert (stage.flash / "slot.json").exists() == arrived


async def test_a_board_runs_on_when_what_was_sent_has_no_room(smallest, tmp_path, monkeypatch):
    """Whatever else ends a deploy ahead of time."""
    tree = edited(tmp_path, main="x" * 4_000_000)
    async with Stage(smallest) as stage:
        await stage.online()
        url = await stage.board.console.open()
        status, output = await command("deploy", "--port", url, "--code-only", "--tree", tree)
        assert status == 1 and "blocks of" in output and "The board was started again." in output, output
        await stage.online(30)


async def test_a_board_runs_on_when_the_doctor_is_stopped(smallest):
    async with Stage(smallest) as stage:
        await stage.online()
        url = await stage.board.console.open()
        process = await start("doctor", "--port", url)
        await stage.until("the firmware is stopped", lambda: stage.board.chip.at_repl, 30)
        process.send_signal(signal.SIGINT)
        status, output = await end_of(process)
        assert status == 130 and "The board was started again." in output, output
        await stage.online(30)
