"""From an empty board to a running device over the cable, with the command a person types."""

import asyncio
import contextlib
import json
import shutil
import signal

import pytest

from tests_host.e2e.conftest import working
from tests_host.support.commands import command, end_of, start
from tools.fixture.system import SystemFixture
from tools.repository import ROOT


def bring_home(fixture, home):
    """The configuration and the certificate as they lie on a person's disk."""
    shutil.copytree(fixture.flash / "certs", home / "certs")
    (home / "config.json").write_text(json.dumps(fixture.config))
    for path in fixture.flash.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return str(home / "config.json")


@contextlib.asynccontextmanager
async def at_home(found, home, change=lambda fixture: None):
    """(fixture, port, configuration) of an empty board that was just plugged in; `change(fixture)` comes before."""
    async with SystemFixture(found, powered=False) as fixture:
        change(fixture)
        config = bring_home(fixture, home)
        await fixture.board.power_on()
        yield fixture, await fixture.board.console.open(), config


async def test_deploy_run_change_deploy(smallest, tmp_path):
    async with at_home(smallest, tmp_path) as (fixture, url, config):
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0, output
        assert output.splitlines()[-1].startswith("online: firmware ") and output.rstrip().endswith("slot a")
        secret = fixture.config["cloud"]["client_secret"]
        assert secret not in output
        assert (tmp_path / "config.json").stat().st_mode & 0o77 == 0
        await fixture.online()
        assert not (fixture.flash / "firmware").exists() and (fixture.flash / "a" / "firmware").exists()
        before = fixture.board.boots

        # While it works, something changes: outputs go safe, the token is revoked, the new setting counts.
        fixture.want("6", 1)
        await fixture.until("the pump runs", lambda: fixture.on("pump"), 8)
        fixture.config["name"] = "renamed"
        (tmp_path / "config.json").write_text(json.dumps(fixture.config))
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "sent 1 files" in output, output
        assert fixture.model.named("revoked")
        assert output.rstrip().endswith("slot a")  # where the code lies that had not changed
        assert fixture.board.boots == before + 2
        await fixture.online()
        assert json.loads((fixture.flash / "config.json").read_text())["name"] == "renamed"


@pytest.mark.gate
async def test_a_board_with_a_rom_partition_runs_from_there(smallest, tmp_path):
    """MQTT, with no code in the heap; then another transport, for which nothing is sent."""
    async with SystemFixture(smallest, powered=False, blank=True, image="own", transport="mqtt") as fixture:
        (tmp_path / "certs").mkdir()
        for name, content in fixture.owners_files().items():
            (tmp_path / name).write_bytes(content)
        config = str(tmp_path / "config.json")
        await fixture.board.power_on()
        url = await fixture.board.console.open()
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "slot rom:0" in output, output
        await fixture.online()
        assert not [path for path in fixture.flash.rglob("*") if path.suffix == ".mpy"]

        fixture.config["cloud"]["transport"] = "https"
        (tmp_path / "config.json").write_text(json.dumps(fixture.config))
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "sent 1 files" in output, output
        await fixture.online()
        assert json.loads((fixture.flash / "slot.json").read_text()) == {"slot": "rom:0"}


@pytest.mark.gate
async def test_an_invalid_configuration_is_refused_before_the_board_is_touched(smallest, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    async with SystemFixture(smallest) as fixture:
        url = await fixture.board.console.open()
        for config, words in (("config.json", "has errors"), ("none.json", "none.json")):
            status, output = await command("deploy", "--port", url, "--config", str(tmp_path / config))
            assert status == 1 and words in output, output
        status, output = await command("deploy", "--port", "socket://127.0.0.1:9", "--code-only")
        assert status == 1 and "socket://127.0.0.1:9" in output, output
        await fixture.online()
        assert fixture.board.boots == 1


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


@pytest.mark.thorough
async def test_code_that_crashes_at_the_start_fails_the_deploy(smallest, tmp_path):
    """First as the only version, then as an update, beside which the version before still works."""
    tree = edited(tmp_path, **{"firmware/device": DEVICE + '\n\nraise ValueError("planted")\n'})
    async with at_home(smallest, tmp_path) as (fixture, url, config):
        arguments = "deploy", "--port", url, "--config", config, "--within", "300"
        status, output = await command(*arguments, "--tree", tree)
        assert status == 1 and "crashed: ValueError: planted" in output, output
        status, output = await command(*arguments)
        assert status == 0 and "online: firmware" in output, output
        await fixture.online()
        status, output = await command(*arguments, "--tree", tree)
        assert status == 1 and "crashed: ValueError: planted" in output, output


@pytest.mark.thorough
async def test_a_version_that_is_rolled_back_fails_the_deploy(smallest, tmp_path):
    """It resets the board at once, as often as it may; what comes online then is not what was sent."""
    tree = edited(tmp_path, **{"firmware/device": DEVICE + "\n\nimport machine\n\nmachine.reset()\n"})
    async with working(smallest) as (fixture, url):
        shutil.copytree(fixture.flash / "certs", tmp_path / "certs")
        for _ in range(2):  # what runs is compared, not what was sent
            status, output = await command("deploy", "--port", url, "--code-only", "--tree", tree)
            assert status == 1 and "fell back to slot root" in output, output
            await fixture.online()


@pytest.mark.thorough
async def test_a_wrong_secret_fails_the_deploy(smallest, tmp_path):
    def wrong(fixture):
        fixture.config["cloud"]["client_secret"] = "another-secret-not-real"

    async with at_home(smallest, tmp_path, wrong) as (_, url, config):
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 1 and "the cloud refused: " in output, output
        assert "another-secret-not-real" not in output


@pytest.mark.thorough
async def test_a_network_that_is_not_there_is_named(smallest, tmp_path):
    def away(fixture):
        fixture.board.network_down()

    async with at_home(smallest, tmp_path, away) as (_, url, config):
        status, output = await command("deploy", "--port", url, "--config", config, "--within", "12")
        assert status == 1 and "waiting for Wi-Fi: " in output, output


@pytest.mark.thorough
async def test_a_silent_board_fails_the_deploy_unless_the_check_is_off(smallest, tmp_path):
    tree = edited(tmp_path, main="import time\n\nwhile True:\n    time.sleep(1)\n")
    async with at_home(smallest, tmp_path) as (fixture, url, _):
        arguments = "deploy", "--port", url, "--code-only", "--tree", tree
        status, output = await command(*arguments, "--within", "3")
        assert status == 1 and "nothing received from the board in 3 s" in output, output
        boots = fixture.board.boots
        status, output = await command(*arguments, "--no-wait")
        assert status == 0, output
        await fixture.until("it was restarted all the same", lambda: fixture.board.boots > boots + 1, 10)


@pytest.mark.gate
async def test_a_cable_unplugged_at_the_end_undoes_nothing(smallest, tmp_path):
    tree = edited(tmp_path, main="import time\n\nprint('quiet now')\nwhile True:\n    time.sleep(1)\n")
    async with at_home(smallest, tmp_path) as (fixture, url, _):
        running = asyncio.create_task(command("deploy", "--port", url, "--code-only", "--tree", tree))
        await fixture.until("the new code runs", lambda: "quiet now" in fixture.lines, 60)
        fixture.board.console.close()
        status, output = await running
        assert status == 1 and "the cable is disconnected" in output and "arrived" in output, output
        assert json.loads((fixture.flash / "slot.json").read_text())["slot"] == "a"


@pytest.mark.gate
@pytest.mark.thorough("restarted", "arrived-1")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("when", ["repl", "sending", "arrived", "restarted"])
async def test_a_board_runs_on_when_a_deploy_is_stopped(smallest, tmp_path, number, when):
    """While the firmware is being stopped, while files travel, and while the new start is watched."""
    tree = edited(tmp_path, **{"firmware/device": DEVICE + "\n\nSPARE = 1\n"})
    async with working(smallest) as (fixture, url):
        process = await start("deploy", "--port", url, "--code-only", "--tree", tree)
        boots = fixture.board.boots
        moments = {
            "repl": lambda: fixture.board.chip.at_repl,
            "sending": lambda: any((fixture.flash / "a").rglob("*.mpy")),
            "arrived": (fixture.flash / "slot.json").exists,
            "restarted": lambda: fixture.board.boots == boots + 2,
        }
        await fixture.until(when, moments[when], 60)
        process.send_signal(number)
        status, output = await end_of(process)
        assert status == 128 + number, output
        assert "The board was started again." in output or "the board is starting" in output, output
        arrived = when in ("arrived", "restarted")
        assert ("keeps the version it had" in output) != arrived, output
        await fixture.online(30)
        assert fixture.board.boots > boots and not fixture.board.chip.at_repl
        assert (fixture.flash / "slot.json").exists() == arrived


@pytest.mark.gate
async def test_a_board_keeps_running_when_the_new_files_do_not_fit(smallest, tmp_path, monkeypatch):
    """Whatever else ends a deploy ahead of time."""
    tree = edited(tmp_path, main="x" * 4_000_000)
    async with working(smallest) as (fixture, url):
        status, output = await command("deploy", "--port", url, "--code-only", "--tree", tree)
        assert status == 1 and "KB are needed" in output and "The board was started again." in output, output
        await fixture.online(30)


@pytest.mark.gate
async def test_a_board_runs_on_when_the_doctor_is_stopped(smallest):
    async with working(smallest) as (fixture, url):
        process = await start("doctor", "--port", url)
        await fixture.until("the firmware is stopped", lambda: fixture.board.chip.at_repl, 30)
        process.send_signal(signal.SIGINT)
        status, output = await end_of(process)
        assert status == 130 and "The board was started again." in output, output
        await fixture.online(30)
