"""A port that belongs to the chip itself vanishes at each reset, and may come back under another name."""

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


class Listed:
    """What the computer lists: `port(name, number)` each."""

    def __init__(self, *ports: SimpleNamespace):
        self.ports = list(ports)

    def __call__(self) -> list[SimpleNamespace]:
        return self.ports


def port(name: Path | str, number: str | None) -> SimpleNamespace:
    return SimpleNamespace(device=str(name), vid=0x303A, serial_number=number, description="")


def watched(plug: Plug, listed: Listed, within_s: float = 5) -> tuple[Lines, list[str]]:
    """The log at a plug, and what is said about its port."""
    said: list[str] = []
    again = ports.Reopening(str(plug.name), BAUD, said.append, listed, within_s)
    return Lines(serial_for_url(str(plug.name), BAUD, timeout=1), again=again), said


@pytest.mark.parametrize("number", ["7c:df:a1:00:00:01", None])
def test_a_log_goes_on_behind_a_reset_that_takes_the_port_away(tmp_path: Path, number: str | None) -> None:
    plug = Plug(tmp_path / "ttyACM0")
    lines, said = watched(plug, Listed(port(plug.name, number)))
    plug.says(b"before\r\nhalf a li")
    assert lines.next(5) == "before"
    plug.pull_out()
    plug.put_in()
    assert lines.next(0.5) is None
    plug.says(b"after\r\n")
    assert lines.next(5) == "after"
    assert len(said) == 2 and str(plug.name) in said[0] and said[1] == "it is back"
    plug.pull_out()


def test_a_port_that_comes_back_under_another_name_is_known_by_its_number(tmp_path: Path) -> None:
    plug, stranger = Plug(tmp_path / "ttyACM0"), Plug(tmp_path / "ttyACM1")
    listed = Listed(port(plug.name, "7CDFA1000001"), port(stranger.name, "7CDFA1000002"))
    lines, said = watched(plug, listed)
    plug.pull_out()
    plug.name.unlink()
    moved = Plug(tmp_path / "ttyACM2")
    # Its old name is another board's by now, and its boot loader writes the number with colons.
    other = Plug(plug.name)
    listed.ports = [port(stranger.name, "7CDFA1000002"), port(plug.name, "7CDFA1000003")]
    listed.ports.append(port(moved.name, "7c:df:a1:00:00:01"))
    assert lines.next(0.5) is None
    other.says(b"other\r\n")
    stranger.says(b"stranger\r\n")
    moved.says(b"mine\r\n")
    assert lines.next(5) == "mine" and lines.next(0.2) is None
    assert said[1] == f"it is back, as {moved.name}"
    for each in (stranger, moved, other):
        each.pull_out()


def test_what_is_written_goes_to_the_port_that_came_back(tmp_path: Path) -> None:
    plug = Plug(tmp_path / "ttyACM0")
    lines, _ = watched(plug, Listed())
    plug.pull_out()
    plug.put_in()
    lines.write(b"status\r")
    assert os.read(plug._end, 100) == b"status\r"
    plug.pull_out()


@pytest.mark.parametrize("write", [False, True])
def test_a_port_that_stays_away_is_an_error(tmp_path: Path, write: bool) -> None:
    plug = Plug(tmp_path / "ttyACM0")
    lines, said = watched(plug, Listed(), 0.2)
    plug.pull_out()
    plug.name.unlink()
    with pytest.raises(OSError, match="did not come back"):
        lines.write(b"status\r") if write else lines.next(5)
    assert len(said) == 1


def test_a_port_that_is_not_to_be_reopened_stays_gone(tmp_path: Path) -> None:
    plug = Plug(tmp_path / "ttyACM0")
    lines = Lines(serial_for_url(str(plug.name), BAUD, timeout=1))
    plug.pull_out()
    with pytest.raises(OSError):
        lines.next(5)
