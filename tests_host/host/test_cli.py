"""The frame of the host commands: what is listed exists and explains itself, failures are words and a status."""

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tools import cli
from tools.__main__ import COMMANDS, main

ROOT = Path(__file__).parents[2]
NAMES = [name for commands in COMMANDS.values() for name in commands]


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, **options)


def test_without_a_command_all_are_listed():
    done = run()
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines() if line.startswith("  ")] == NAMES
    assert run("--help").stdout == done.stdout


def test_an_unknown_command_is_wrong_usage():
    done = run("flahs")
    assert done.returncode == 2
    assert "'flahs'" in done.stderr and "demo" in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_a_target_of_make(name):
    recipes = (ROOT / "Makefile").read_text()
    assert re.search(rf"^\t@\$\(PY\) -m tools[. ]{name}\b", recipes, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"tools.{name} " in capsys.readouterr().out


def failing(argv):
    raise cli.Failed("the board [does not] answer", "plug it in")


def test_a_failure_says_what_and_what_to_do(capsys):
    assert cli.run(failing, []) == 1
    assert capsys.readouterr().err == "error: the board [does not] answer\nplug it in\n"


def test_ctrl_c_is_no_traceback(capsys):
    def stopped(argv):
        raise KeyboardInterrupt

    assert cli.run(stopped) == 130
    assert capsys.readouterr().err == "stopped\n"


def on_a_terminal(code: str) -> str:
    """What a program shows on standard output and error when both are a terminal."""
    leader, follower = pty.openpty()
    env = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"TERM": "xterm"}
    subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=env, stdout=follower, stderr=follower, timeout=60
    )
    os.close(follower)
    shown = os.read(leader, 65536).decode()
    os.close(leader)
    return shown


def test_colours_and_bars_only_on_a_terminal(capsys):
    bar = "from tools import cli\nwith cli.progress(cli.console()) as p: p.add_task('sending', total=1, completed=1)"
    assert "sending" in on_a_terminal(bar)
    assert "\033[31m" in on_a_terminal("from tools import cli\nclass F(cli.Failed): pass\n"
                                       "def m(a): raise F('x')\ncli.run(m)")  # fmt: skip
    with cli.progress(cli.console()) as progress:
        progress.add_task("sending", total=1, completed=1)
    assert capsys.readouterr().out == ""
