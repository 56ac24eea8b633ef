"""A port that belongs to the chip itself vanishes at each reset: its log goes on where it comes back."""

from __future__ import annotations

import os
import tty
from pathlib import Path
from types import SimpleNamespace

import pytest
from serial import serial_for_url

from tools.serial import ports
from tools.serial.board_log import BAUD, Lines


class Plug:
    """A port at `name`, whose other end can be pulled out and put in again."""

    def __init__(self, name: Path):
        self.name = name
        self.put_in()

    def put_in(self) -> None:
        self._end, device = os.openpty()
        tty.setraw(device)
        self.name.unlink(missing_ok=True)
        self.name.symlink_to(os.ttyname(device))
        self._device = device

    def says(self, data: bytes) -> None:
        os.write(self._end, data)

    def pull_out(self) -> None:
        os.close(self._device)
        os.close(self._end)


def test_a_log_goes_on_behind_a_reset_that_takes_the_port_away(tmp_path: Path) -> None:
    plug = Plug(tmp_path / "ttyACM0")
    name = str(plug.name)
    lines = Lines(serial_for_url(name, BAUD, timeout=1), again=lambda: ports.back(name, BAUD, 5))
    plug.says(b"before\r\nhalf a li")
    assert lines.next(5) == "before"
    plug.pull_out()
    plug.put_in()
    assert lines.next(0.5) is None
    plug.says(b"after\r\n")
    assert lines.next(5) == "after"
    plug.pull_out()


def test_a_port_that_stays_away_is_an_error(tmp_path: Path) -> None:
    plug = Plug(tmp_path / "ttyACM0")
    name = str(plug.name)
    lines = Lines(serial_for_url(name, BAUD, timeout=1), again=lambda: ports.back(name, BAUD, 0.2))
    plug.pull_out()
    plug.name.unlink()
    with pytest.raises(OSError, match="did not come back"):
        lines.next(5)


def test_only_a_port_of_the_chip_itself_is_waited_for() -> None:
    chip = SimpleNamespace(device="/dev/ttyACM0", vid=0x303A, description="")
    bridge = SimpleNamespace(device="/dev/ttyUSB0", vid=0x10C4, description="")
    assert ports.reopening("/dev/ttyACM0", BAUD, lambda: [chip, bridge]) is not None
    assert ports.reopening("/dev/ttyUSB0", BAUD, lambda: [chip, bridge]) is None
    assert ports.reopening("socket://127.0.0.1:1", BAUD, lambda: [chip, bridge]) is None
