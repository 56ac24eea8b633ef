"""The outcome of a deploy, from a scripted console in no real time: what a board logs, and when."""

import io
from typing import ClassVar

import pytest
from rich.console import Console

from tools.cli.deploy import wait
from tools.serial.board_log import Lines

BEGIN = b"OKets Jul 29 2019 12:21:46\r\n\r\nrst:0xc (SW_CPU_RESET),boot:0x13\r\nstarting, slot b\r\n"
FIRMWARE = b"+0 I firmware 1.4.0 in slot b, boot 7, reset cause: hard\r\n"
WIFI = b"+1 I Wi-Fi: joining bench\r\n+3 I Wi-Fi: address 10.0.0.7\r\n"
CLOCK = b"2026-11-21T06:00:00Z I clock set\r\n"
BEGUN = BEGIN + FIRMWARE
JOINED = BEGUN + WIFI
READY = JOINED + CLOCK
ONLINE = b"2026-11-21T06:00:04Z I token valid for 600 s\r\n2026-11-21T06:00:05Z I online\r\n"
CRASH = b"""\
Traceback (most recent call last):\r
  File "main.py", line 23, in main\r
  File "device", line 1, in run\r
TypeError: can't convert 'tuple' object to str implicitly\r
"""
KEPT = b"before the reset: 2026-11-21T05:00:00Z I online\r\nbefore the reset: Traceback (most recent call last):\r\n"


class Board:
    """A serial port at which bytes arrive at given seconds; its clock moves when somebody sleeps, and only then."""

    longest: ClassVar[float] = 1000

    def __init__(self, script):
        self._script = sorted(script.items())
        self.now = 0.0

    @property
    def in_waiting(self):
        assert self.now < self.longest, "it waits for ever"
        return sum(len(data) for at, data in self._script if at <= self.now)

    def read(self, count):
        ready = b"".join(data for at, data in self._script if at <= self.now)
        assert count == len(ready)
        self._script = [(at, data) for at, data in self._script if at > self.now]
        return ready

    def sleep(self, seconds):
        self.now += seconds


def after(script, slot="b", within_s=90):
    """(outcome, seconds it took, what was shown) of a deploy into that slot."""
    board = Board(script)
    shown = Console(file=io.StringIO(), width=200)
    outcome = wait(Lines(board, lambda: board.now, board.sleep), slot, shown, within_s)
    return outcome, board.now, shown.file.getvalue()


@pytest.mark.parametrize(
    ("script", "kind", "words", "within_s"),
    [
        ({1: BEGIN, 4: FIRMWARE + WIFI + CLOCK, 9: ONLINE}, "online", "1.4.0 in slot b", 10),
        # A slow start is no dead one, and what was said before the reset is over.
        ({1: BEGIN, 28: KEPT, 35: FIRMWARE + WIFI + CLOCK, 80: ONLINE}, "online", "slot b", 81),
        ({1: BEGIN + KEPT + FIRMWARE + WIFI, 2: CRASH}, "crashed", "TypeError: can't convert", 3),
        ({1: BEGIN, 2: CRASH}, "crashed", 'File "device", line 1, in run', 3),
        ({1: BEGIN, 2: b"Guru Meditation Error: Core  1 panic'ed\r\n"}, "crashed", "Guru Meditation", 3),
        ({1: b"ets Jul 29\r\nTraceback (most recent call last):\r\n", 2: b"MemoryError: \r\n"},
         "crashed", "Memory", 3),
        ({1: BEGUN, 5: b"+9 E refused: token: 401 invalid_client; next try in 60 s\r\n"}, "refused", "401", 6),
        ({1: BEGIN, 2: b"+0 I firmware 1.3.0 in slot a, as b failed, boot 9, reset cause: hard\r\n", 3: ONLINE},
         "fell_back", "slot a, as b failed", 3),
        ({1: b"starting, slot a\r\n", 9: ONLINE}, "fell_back", "slot a instead of slot b", 2),
        ({1: BEGIN, 20: BEGIN, 40: BEGIN}, "restarts", "started 3 times", 91),
        ({}, "nothing", "nothing received", 31),
        ({1: b"OK\4\4>\r\n"}, "nothing", "nothing received", 31),
        ({1: b"OKets Jul 29\r\n"}, "starting", "did not start", 31),
        ({1: BEGIN}, "starting", "began to start slot b, and no more", 91),
        ({1: BEGIN + KEPT}, "starting", "no more", 91),
        ({1: BEGUN, 2: b"+0 E error: cloud.base_url: found 'http://x', allowed: https\r\n"
          b"+0 E config has 1 errors; outputs stay safe until they are corrected\r\n"},
         "configuration", "cloud.base_url: found", 3),
        ({1: BEGUN + b"+0 E no config.json on this device: copy one there\r\n"},
         "configuration", "no config.json", 2),
        ({1: BEGUN + b"+0 E safe mode: the last boots crashed early. Ctrl-C for the REPL\r\n"},
         "safe_mode", "early", 2),
        ({1: BEGUN, 60: b"+60 W portal: open for 10 min at realer-00ff\r\n"}, "portal", "at realer-00ff", 61),
        ({1: BEGUN + b"+1 I Wi-Fi: joining bench\r\n", 9: b"+9 W Wi-Fi: wrong password\r\n",
          12: b"+12 I Wi-Fi: joining bench\r\n"}, "wifi", "wrong password", 91),
        ({1: BEGUN + b"+1 I Wi-Fi: joining bench\r\n"}, "wifi", "joining bench", 91),
        ({1: JOINED}, "time", "no time", 91),
        ({1: JOINED + b"+9 W no time: timeout: no answer; next try in 3 s\r\n"}, "time", "timeout", 91),
        ({1: READY}, "link", "waiting for the cloud", 91),
        ({1: READY, 8: b"+9 W link failed: tls: expired; next try in 3 s\r\n"}, "link", "expired", 91),
        ({1: READY, 8: b"+9 E loop cloud failed: KeyError('a',)\r\n"}, "loop", "KeyError", 91),
        ({1: BEGUN + b"stopped, outputs are safe; machine.reset() starts again\r\n"}, "stopped", "stopped", 2),
    ],
)  # fmt: skip
def test_the_log_of_the_board_decides_the_result(script, kind, words, within_s):
    outcome, took_s, shown = after(script)
    assert outcome.kind == kind and words in outcome.text, outcome
    assert took_s <= within_s
    assert bool(outcome.do) == (kind != "online")
    for data in script.values():
        for line in data.decode().splitlines():
            assert line.strip("\4OK>") in shown or kind in ("fell_back", "configuration"), line


def test_the_time_limit_can_be_set():
    assert after({1: BEGUN}, within_s=200)[1] == pytest.approx(200, abs=1)
    assert after({}, within_s=200)[1] == pytest.approx(30, abs=1)
    assert after({}, within_s=4)[1] == pytest.approx(4, abs=1)


def test_a_start_of_another_version_does_not_count():
    outcome, *_ = after(
        {1: b"starting, slot root\r\n" + FIRMWARE.replace(b"slot b", b"slot root") + ONLINE}, "a"
    )
    assert outcome.kind == "fell_back"
    outcome, *_ = after(
        {1: b"starting, slot root\r\n" + FIRMWARE.replace(b"slot b", b"slot root") + ONLINE}, "root"
    )
    assert outcome.kind == "online"


def test_copies_in_the_rom_partition_are_distinguished_by_their_offset():
    begin = b"starting, slot rom\r\n"
    there = FIRMWARE.replace(b"slot b", b"slot rom:8192")
    assert after({1: begin, 3: there + ONLINE}, "rom:8192")[0].kind == "online"
    assert after({1: begin, 3: there + ONLINE}, "rom:0")[0].kind == "fell_back"
    assert after({1: begin, 3: there + ONLINE}, "a")[0].kind == "fell_back"


def test_log_lines_before_the_new_start_do_not_count():
    assert after({0: ONLINE})[0].kind == "starting"


class Gone(Board):
    """One whose port is away from the first look on."""

    @property
    def in_waiting(self):
        raise OSError


class Asked(Board):
    """One that was away while it started. `asked`: when it was asked for its status."""

    def __init__(self, script):
        super().__init__(script)
        self.asked = []

    def close(self):
        pass

    def write(self, data):
        assert data == b"\rstatus\r"
        self.asked.append(self.now)


def status(slot="b", state="online", version="1.4.0"):
    return f'status {{"slot": "{slot}", "state": "{state}", "version": "{version}"}}\r\n'.encode()


@pytest.mark.parametrize(
    ("script", "kind", "words", "within_s"),
    [
        ({1: CLOCK, 4: ONLINE, 6: status()}, "online", "firmware 1.4.0 in slot b", 7),
        ({1: CLOCK, 5: status(state="no_cloud"), 20: ONLINE}, "online", "slot b", 21),
        ({5: status("a")}, "fell_back", "slot a instead of slot b", 6),
        ({3: b'status {"slot": "b", "sta\r\n', 9: status()}, "online", "slot b", 10),
        ({3: b"status {}\r\n"}, "starting", "did not start", 31),
        ({5: status(state="no_network")}, "link", "no reason logged", 91),
    ],
)
def test_a_board_whose_start_was_missed_is_asked_for_its_status(script, kind, words, within_s):
    board = Asked(script)
    gone = Gone({})
    gone.close = board.close
    lines = Lines(gone, lambda: board.now, board.sleep, again=lambda: board)
    outcome = wait(lines, "b", Console(file=io.StringIO()), 90)
    assert (outcome.kind, words in outcome.text, board.now <= within_s) == (kind, True, True), outcome
    assert board.asked and all(
        later - sooner >= 3 for sooner, later in zip(board.asked, board.asked[1:], strict=False)
    )
