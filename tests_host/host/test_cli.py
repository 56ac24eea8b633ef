"""The frame of the host commands: what is listed exists and explains itself, failures are words and a status."""

import errno
import json
import os
import pty
import re
import signal
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tools import common
from tools.__main__ import COMMANDS, main
from tools.checks.terminal import Terminal
from tools.cloud.site import write_private

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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("flahs", "no command 'flahs'; flash?"),
        ("check-config", "no command 'check-config'; check_config?"),
        ("check", "no command 'check'; check_config?"),
        ("Deploy --all", "no command 'Deploy'; deploy?"),
        ("xyzzy", "no command 'xyzzy'"),
        ("--port /dev/ttyUSB0 status", "the command comes before its options"),
    ],
)
def test_an_unknown_command_is_wrong_usage(line, said, capsys):
    assert main(line.split()) == 2
    assert said in "\n".join(capsys.readouterr().err.splitlines()[-2:])


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_a_target_of_make(name):
    recipes = (ROOT / "Makefile").read_text()
    assert re.search(rf"^\t@\$\(PY\) -m tools[. ]{name}\b", recipes, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"realer {name} " in capsys.readouterr().out


def failing(argv):
    raise common.Failed("the board [does not] answer", "plug it in")


def test_a_failure_prints_the_problem_and_the_remedy(capsys):
    assert common.run(failing, []) == 1
    assert capsys.readouterr().err == "error: the board [does not] answer\nplug it in\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), "error: No space left on device\nMake room"),
        (OSError(errno.EROFS, "Read-only file system", "a.json"), "error: a.json: Read-only file system\nName"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "error: a: Permission denied\nLook whose it is"),
        (OSError(errno.EISDIR, "Is a directory", "a.1", None, "a"), "error: a: Is a directory\nName a file"),
        (OSError(errno.EIO, "Input/output error", "a"), "error: a: Input/output error\n"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_files_and_disks_is_said_in_words(error, said, capsys):
    def failing(argv):
        raise error

    assert common.run(failing) == 1
    assert capsys.readouterr().err.startswith(said)


def test_any_other_error_of_the_system_is_not_hidden():
    def failing(argv):
        raise ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")

    with pytest.raises(ConnectionResetError):
        common.run(failing)


def test_a_file_that_cannot_be_replaced_leaves_nothing(tmp_path):
    (tmp_path / "config.json").mkdir()
    with pytest.raises(IsADirectoryError) as failed:
        write_private(tmp_path / "config.json", "test-secret-not-real")
    assert failed.value.filename == str(tmp_path / "config.json")
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


@pytest.mark.parametrize(
    "line", ["labels {} --out {}/config.json", "doctor --report {}/config.json --port {}/none"]
)
def test_no_page_or_report_replaces_another_file(line, tmp_path, capsys):
    (tmp_path / "config.json").write_text("test-secret-not-real")
    (tmp_path / "boards.json").write_text("[]")
    assert main(line.replace("{}", str(tmp_path)).split()) == 1
    assert f"{tmp_path / 'config.json'} is there and is something else" in capsys.readouterr().err
    assert (tmp_path / "config.json").read_text() == "test-secret-not-real"


def test_a_page_of_before_is_replaced(tmp_path):
    (tmp_path / "boards.json").write_text("[]")
    assert [main(["labels", str(tmp_path)]) for _ in range(2)] == [0, 0]
    assert main(["labels", str(tmp_path), "--out", str(tmp_path / "none/labels.html")]) == 1


@pytest.mark.parametrize("closing", [">/dev/full", ">&-", ">&- 2>&-"])
def test_a_full_disk_and_closed_streams_leave_no_traceback(closing):
    script = f'"{sys.executable}" -m tools --help {closing}'
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    full = "full" in closing
    assert done.returncode == full and done.stderr.startswith("error: No space left" if full else "")
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr


def test_files_are_utf_8_and_words_arrive_whatever_the_terminal_can_show(tmp_path):
    script = (
        "from tools import common\nfrom tools.cloud.site import write_private\nfrom pathlib import Path\n"
        "def m(a):\n    write_private(Path('name'), 'B\\u00fcro')\n    common.console().print('B\\u00fcro')\n"
        "    return 0\n"
        "import sys\nsys.exit(common.run(m))"
    )
    locale = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    env = os.environ | locale | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=env, capture_output=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"B?ro\n", b"")
    assert (tmp_path / "name").read_text(encoding="utf-8") == "Büro"


def test_ctrl_c_prints_no_traceback(capsys):
    def stopped(argv):
        raise KeyboardInterrupt

    assert common.run(stopped) == 130
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
    bar = "from tools import common\nwith common.progress(common.console()) as p:\n"
    bar += "    p.add_task('sending', total=1, completed=1)"
    assert "sending" in on_a_terminal(bar)
    assert "\033[31m" in on_a_terminal("from tools import common\nclass F(common.Failed): pass\n"
                                       "def m(a): raise F('x')\ncommon.run(m)")  # fmt: skip
    with common.progress(common.console()) as progress:
        progress.add_task("sending", total=1, completed=1)
    assert capsys.readouterr().out == ""


def test_a_reader_that_has_seen_enough_ends_a_command_quietly():
    script = "import sys\nfrom tools import common\ndef m(a):\n    for n in range(99999): {}\nsys.exit(common.run(m))"
    for line in ("print(n)", "common.console().print(n)"):
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        with subprocess.Popen([sys.executable, "-c", script.format(line)], cwd=ROOT, **pipes) as process:
            process.stdout.readline()
            process.stdout.close()
            assert process.wait(60) == 141
            assert process.stderr.read() == b""


def test_a_closed_pipe_ends_a_running_command_like_ctrl_c():
    script = """
import asyncio, sys
from tools import common
async def work(out):
    try:
        while True:
            out.print("x" * 80)
            await asyncio.sleep(0)
    finally:
        print("in order", file=sys.stderr)
def m(a):
    asyncio.run(work(common.console()))
sys.exit(common.run(m))"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, **pipes) as process:
        process.stdout.readline()
        process.stdout.close()
        assert process.wait(60) == 141
        assert process.stderr.read() == b"in order\n"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
@pytest.mark.parametrize("ctrl_c", [signal.SIG_IGN, signal.default_int_handler])
@pytest.mark.parametrize("wait", ["begun(); time.sleep(99)", "asyncio.run(sleep())"])
def test_a_signal_to_end_is_ctrl_c(number, ctrl_c, wait):
    """Also in the background, where a shell has Ctrl-C ignored; a second one does not disturb the orderly end."""
    script = f"""
import asyncio, os, signal, sys, time
from tools import common
signal.signal(signal.SIGINT, {"signal.SIG_IGN" if ctrl_c == signal.SIG_IGN else "signal.default_int_handler"})
def begun():
    print("begun", flush=True)
async def sleep():
    begun()
    await asyncio.sleep(99)
def m(a):
    try:
        {wait}
    finally:
        os.kill(os.getpid(), {int(number)})
        time.sleep(0.1)
        print("in order", flush=True)
sys.exit(common.run(m))"""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, **pipes) as process:
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(number)
        assert process.stdout.read() == b"in order\n"
        assert process.wait(60) == 128 + number and process.stderr.read() == b""


def test_protected_commands_survive_a_closed_terminal():
    script = (
        "import sys\nfrom tools import common\ndef m(a):\n    print('b', flush=True)\n    sys.stdin.read()\n"
    )
    script += "    return 0\nsys.exit(common.run(m))"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(["nohup", sys.executable, "-c", script], cwd=ROOT, **pipes) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGHUP)
        process.stdin.close()
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    "command", [["tools"], ["tools.cli.board_status"], ["tools", "cloud", "set", "6", "1"]]
)
def test_a_python_without_the_packages_prints_the_remedy(tmp_path, command):
    venv.create(tmp_path, with_pip=False)
    argv = [str(tmp_path / "bin/python"), "-m", *command]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "make setup" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("target", "words"),
    [("flash", "realer flash ESP32"), ("ca", "realer ca api"), ("bundle", "realer bundle 7 --out")],
)
def test_a_target_without_its_argument_prints_its_usage(target, words):
    # What `make test` itself was called with is not for this one.
    env = {
        name: value
        for name, value in os.environ.items()
        if name not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")
    }
    done = subprocess.run(
        ["make", "-s", target], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0 and words in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("cloud serve --port 65536", "--port: found '65536', allowed: whole numbers 0..65535"),
        ("demo --console 70000", "--console: found"),
        ("board --console -1", "--console: found"),
        ("board --heap 1x", "--heap: found '1x', allowed: a number of bytes, such as 400k or 4m"),
        ("demo --heap 4MB", "--heap: found"),
        ("board --time-scale nan", "--time-scale: found"),
        ("bundle --serve --out . --listen 99999", "--listen: found"),
        ("bundle 0 --out .", "NUMBER: found '0', allowed: whole numbers 1..999999"),
        ("rollout 1000000", "NUMBER: found"),
        ("deploy --within soon", "--within: found 'soon', allowed: numbers from 0 on"),
        ("deploy --at-once 0", "--at-once: found"),
        ("flash --baud 0", "--baud: found"),
        ("fuzz --inputs -1", "--inputs: found"),
        ("simulate --seeds x", "--seeds: found 'x'"),
        ("simulate --seeds 5..1", "--seeds: found '5..1'"),
        ("simulate --jobs 0", "--jobs: found"),
        ("fleet --devices 0", "--devices: found"),
        ("bench --only nothing", "no figure"),
    ],
)
def test_a_number_out_of_its_range_is_wrong_usage(line, words, capsys):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 2 and words in capsys.readouterr().err


RUN = """
from tools import common
with common.LongRun("bench", 2, {}) as run:
    for name in ("one", "two"):
        run.begins(name)
        run.result({{"figure": name, "value": 1234567, "ok": name == "one"}})
        run.step()
"""


def test_a_long_run_moves_on_a_terminal_and_is_json_elsewhere():
    shown = on_a_terminal(RUN.format(False))
    assert "NOT OK" in shown and "1,234,567" in shown and "{" not in shown and "━" in shown
    lines = on_a_terminal(RUN.format(True)).splitlines()
    assert [json.loads(line)["figure"] for line in lines] == ["one", "two"]
    done = subprocess.run(
        [sys.executable, "-c", RUN.format(False)], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert [json.loads(line)["ok"] for line in done.stdout.splitlines()] == [True, False] and not done.stderr


@pytest.mark.parametrize(
    "argv",
    [
        ["fuzz", "--inputs", "1000", "journal", "dns"],
        pytest.param(["simulate", "--seeds", "1..2", "--hours", "0.2"], marks=pytest.mark.gate),
        pytest.param(["bench", "--only", "mpy"], marks=pytest.mark.gate),
    ],
)
def test_every_long_command_shows_a_bar_or_prints_json(argv):
    done = run(*argv)
    assert done.returncode in (0, 1) and not done.stderr  # 1: a figure is not as it must be
    assert all(isinstance(json.loads(line), dict) for line in done.stdout.splitlines()) and done.stdout
    with Terminal([sys.executable, "-m", "tools", *argv], cwd=ROOT) as terminal:
        assert terminal.ends() == done.returncode
    assert "━" in terminal.output and '"' not in terminal.output
