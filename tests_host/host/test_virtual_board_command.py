"""`realer board`: what it says where something is missing, and its hints."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tools.checks.terminal import Terminal
from tools.virtual_board.hints import Hints

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (("line", "+9 W no time: dns: no answer; next try in 3 s"), "time.servers"),
        (("line", "2026-11-21T06:00:00Z W link failed: dns: no such name; next try in 3 s"), "wifi.dns"),
        (("line", "2026-11-21T06:00:00Z W link failed: token: connect: ECONNREFUSED"), "still running"),
        (("third_area", "memory allocation failed"), "--heap"),
    ],
)
def test_a_hint_is_printed_once(event, words):
    hints = Hints()
    assert words in hints.of(event)
    assert hints.of(event) == ""


def test_a_working_board_prints_no_hint():
    hints = Hints()
    assert [hints.of(event) for event in (("boot", 1), ("line", "+1 I online"), ("pin", 2, 1, 0.0))] == [
        ""
    ] * 3


@pytest.mark.parametrize(
    "content", [None, "{", "[]", "{}", '{"outputs": 3}', '{"cloud": {"ca_files": ["no.der"]}}']
)
def test_an_unreadable_configuration_prints_one_line(tmp_path, content):
    file = tmp_path / "config.json"
    if content:
        file.write_text(content)
    argv = [sys.executable, "-m", "tools", "board", "--config", str(file), "--blank"]
    argv = argv[:-1] if content and "ca_files" in content else argv
    if content == "{}":
        return  # a board without anything at its pins is one
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and "Traceback" not in done.stderr and "error: " in done.stderr


PORTAL = """
import network, socket
ap = network.WLAN(network.AP_IF)
ap.config(ssid="bench-00ff", security=3, key="test-secret-not-real")
ap.active(True)
sock = socket.socket()
sock.bind(socket.getaddrinfo("192.168.4.1", 80)[0][-1])
sock.listen(1)
print("listens")
"""


def test_the_command_shows_it_and_says_where_no_time_will_come_from(tmp_path):
    config = json.loads((ROOT / "config.example.json").read_text())
    config |= {"cloud": {"ca_files": []}, "time": {"servers": ["127.0.0.1:9"]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "flash").mkdir()
    (tmp_path / "flash" / "main.py").write_text(PORTAL)
    argv = [sys.executable, "-m", "tools", "board", "--config", str(tmp_path / "config.json"), "--blank"]
    argv += ["--flash", str(tmp_path / "flash")]
    with Terminal(argv, cwd=ROOT) as terminal:
        terminal.expects("no time server answers (127.0.0.1:9)")
        terminal.expects("http://127.0.0.1:")
        terminal.types("q")
        assert terminal.ends() == 0
