"""From an empty board to a running device over the cable, with the command a person types."""

import asyncio
import json
import shutil
import sys

from tools.layers import ROOT
from tools.stage import Stage


async def command(*arguments):
    """(exit status, output) of `python -m tools ...`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools", *arguments, cwd=ROOT,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(90):
        output, _ = await process.communicate()
    return process.returncode, output.decode()


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
        assert output.rstrip().endswith("online")
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
        assert stage.board.boots == before + 2
        await stage.online()
        assert json.loads((stage.flash / "config.json").read_text())["name"] == "renamed"


async def test_a_board_whose_image_has_the_firmware_gets_the_rest(smallest, tmp_path):
    async with Stage(smallest, powered=False, image="own") as stage:
        config = bring_home(stage, tmp_path)
        await stage.board.power_on()
        url = await stage.board.console.open()
        status, output = await command("deploy", "--port", url, "--config", config)
        assert status == 0 and "image has firmware" in output and "sent 2 files" in output, output
        await stage.online()
        assert not [path for path in stage.flash.rglob("*") if path.suffix in (".py", ".mpy")]


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
