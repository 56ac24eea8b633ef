"""`realer doctor [--port PORT]`: a checklist on the board, made with the libraries of its own image.

It stops the firmware with its outputs safe, runs the checks of `tools/doctor` on the board, one after the other, and
starts the firmware again. Exit status 0: no problem; 1: problems, or no board.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from tools import boards, common, sensor_kinds
from tools.boards import Board
from tools.serial import ports, raw_repl

_FOLDER = Path(__file__).parents[1] / "doctor"
_CHECKS = [_FOLDER / name for name in ("board_check.py", "wifi_check.py", "lan_check.py", "network_check.py")]
_MACHINE = "import os\nprint(os.uname()[4] if hasattr(os, 'uname') else '')"
_SILENCE_S = 120  # no single check takes as long
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}
_UNREACHABLE = """\
Is it plugged in, and does nothing else watch the port? Has it MicroPython (realer flash)? Reset it and try again."""


def _for_chip(program: str, board: Board | None) -> str:
    """The check with what depends on the chip; as it is for one that does not tell."""
    if not board:
        return program
    return re.sub(r"^MOST_MV = .*", f"MOST_MV = {board.fact('adc_max_mv')}", program, flags=re.MULTILINE)


def _filled(program: str) -> str:
    """The check with those of the kinds of sensors, and with the LANs of the kits, if it has a place for them."""
    head, place, rest = program.partition("\nDOCTORS = {}\n")
    program = f"{head}\n{sensor_kinds.doctors()}{rest}" if place else program
    kits = (kit for board in boards.chips().values() for kit in board.kits.values())
    return program.replace(
        "\nLANS = {}\n", f"\nLANS = { ({kit.name: kit.lan for kit in kits if kit.lan})!r}\n"
    )


class _Lines:
    """Makes lines of bytes as they arrive; `all`: those so far."""

    def __init__(self, show: Callable[[str], None]):
        self.all: list[str] = []
        self._show, self._begun = show, b""

    def feed(self, data: bytes) -> None:
        *whole, self._begun = (self._begun + data.replace(b"\4", b"")).split(b"\n")
        for line in whole:
            self.all.append(line.decode(errors="replace").rstrip())
            self._show(self.all[-1])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="realer doctor",
        description="Check network, time, certificates and pins, on the board itself. The firmware is restarted.",
    )
    parser.add_argument(
        "--port", help="serial port, or socket://host:port; default: the only one that is plugged in"
    )
    port = ports.choose(parser.parse_args(argv).port)
    console = common.console()
    console.print(f"asking the board at {port}; this may take a minute")
    lines = _Lines(lambda line: console.print(line, style=_STYLES.get(line.split(" ")[0], "")))
    with raw_repl.opened(port) as transport, raw_repl.stopped(transport):
        machine, _ = transport.exec_raw(_MACHINE, timeout=_SILENCE_S)
        board = boards.chips().get(boards.by_machine(machine.decode(errors="replace").strip()))
        for check in _CHECKS:
            _, error = transport.exec_raw(
                _filled(_for_chip(check.read_text(), board)), timeout=_SILENCE_S, data_consumer=lines.feed
            )
            lines.feed(error)
    tally = [
        match for line in lines.all if (match := re.fullmatch(r"\d+ ok, \d+ notes?, (\d+) problems?", line))
    ]
    if not tally:
        raise common.Failed("the checklist did not come to its end", _UNREACHABLE)
    return 1 if int(tally[-1][1]) else 0
