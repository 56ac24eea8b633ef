"""`realer doctor [--port PORT]`: a checklist on the board, made with the libraries of its own image.

It stops the firmware with its outputs safe, runs the checks of `tools/doctor` on the board, one after the other, and
starts the firmware again. Exit status 0: no problem; 1: problems, or no board. `--report FILE` writes the checklist
down for a bug report, without what concerns nobody else.
"""

from __future__ import annotations

import ast
import platform
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from firmware import version
from tools import boards, common, kinds
from tools.boards import Board
from tools.repository import ROOT
from tools.serial import ports, raw_repl

_FOLDER = Path(__file__).parents[1] / "doctor"
_CHECKS = {
    "board, pins and sensors": _FOLDER / "board_check.py",
    "Wi-Fi": _FOLDER / "wifi_check.py",
    "LAN": _FOLDER / "lan_check.py",
    "names, time, servers and certificates": _FOLDER / "network_check.py",
}
"""What is looked at, in this order, and the program that does it."""
_CERTIFICATE = ROOT / "firmware" / "core" / "certificate.py"
_MACHINE = "import os\nprint(os.uname()[4] if hasattr(os, 'uname') else '')"
_LARGEST = 3000
_SILENCE_S = 120  # no single check takes as long
_KEYS = "wifi|cloud|time|update|lan"
_PRIVATE = (
    ("hardware address", re.compile(r"\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b")),
    ("address", re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b")),
    ("host", re.compile(rf"\b(?!(?:{_KEYS})\.)(?:[a-z0-9-]+\.)+(?!json|der)[a-z]{{2,}}\b", re.IGNORECASE)),
    ("network", re.compile(r"(?<=^wifi {9})(?!(?:fixed )?address|country|the gateway).+?(?=: )")),
)
"""What a report need not tell, in the order in which it is looked for."""
_STYLES = {"ok": "green", "note": "yellow", "problem": "bold red"}
_UNREACHABLE = """\
Is it plugged in, and is its port free? Does it have MicroPython (realer flash)? Reset it and try again."""


def _for_chip(program: str, board: Board | None) -> str:
    """The check with what depends on the chip; as it is for one that does not tell."""
    if not board:
        return program
    return re.sub(r"^MOST_MV = .*", f"MOST_MV = {board.fact('adc_max_mv')}", program, flags=re.MULTILINE)


def _filled(program: str) -> str:
    """The check with those of the kinds of sensors, with the LANs of the kits, and with what reads the end of a
    certificate, if it has a place for them."""
    head, place, rest = program.partition("\nDOCTORS = {}\n")
    program = f"{head}\n{kinds.doctors()}{rest}" if place else program
    program = program.replace("\nEND_DAY = None\n", f"\n{_CERTIFICATE.read_text()}\n")
    kits = (kit for board in boards.chips().values() for kit in board.kits.values())
    return program.replace(
        "\nLANS = {}\n", f"\nLANS = { ({kit.name: kit.lan for kit in kits if kit.lan})!r}\n"
    )


def _pieces(program: str) -> Iterator[str]:
    """The statements of a check, some at a time: a board has no room for the syntax tree of all of them at once."""
    lines, piece = program.splitlines(), ""
    for statement in ast.parse(program).body:
        text = "\n".join(lines[statement.lineno - 1 : statement.end_lineno]) + "\n"
        if piece and len(piece) + len(text) > _LARGEST:
            yield piece
            piece = ""
        piece += text
    yield piece


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
    parser = common.parser(
        "doctor",
        "Check network, time, certificates and pins, on the board itself. The firmware is restarted.",
    )
    ports.add_port(parser)
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write it to FILE, for a bug report")
    options = parser.parse_args(argv)
    if options.report:
        common.keep_others(options.report, "realer ")
    port = ports.choose(options.port)
    console = common.console()
    console.print(f"asking the board at {port}; this may take a minute")
    lines = _Lines(lambda line: console.print(line, style=_STYLES.get(line.split(" ")[0], "")))
    with (
        console.status("stopping the firmware") as doing,
        raw_repl.opened(port) as transport,
        raw_repl.stopped(transport),
    ):
        machine, _ = transport.exec_raw(_MACHINE, timeout=_SILENCE_S)
        board = boards.chips().get(boards.by_machine(machine.decode(errors="replace").strip()))
        for number, (what, check) in enumerate(_CHECKS.items(), 1):
            doing.update(f"{number} of {len(_CHECKS)}: {what}")
            for piece in _pieces(_filled(_for_chip(check.read_text(), board))):
                _, error = transport.exec_raw(piece, timeout=_SILENCE_S, data_consumer=lines.feed)
                lines.feed(error)
                if error:
                    break  # what follows needs what is missing now
        doing.update("starting the firmware again")
    tally = [
        match for line in lines.all if (match := re.fullmatch(r"\d+ ok, \d+ notes?, (\d+) problems?", line))
    ]
    if not tally:
        raise common.Failed("the checklist is incomplete", _UNREACHABLE)
    if options.report:
        options.report.write_text(
            report(machine.decode(errors="replace").strip(), lines.all), encoding="utf-8"
        )
        console.print(f"{options.report} is written; read it before you publish it")
    return 1 if int(tally[-1][1]) else 0


def report(machine: str, lines: list[str]) -> str:
    """The checklist as Markdown, with versions. Addresses, host names, names of networks and whatever the owner calls
    things stand as `<address>`, `<host>` and so on: the same one always under the same number."""
    known: dict[str, dict[str, str]] = {}

    def masked(line: str) -> str:
        level, rest = line[:9], line[9:]
        for kind, pattern in _PRIVATE:
            numbers = known.setdefault(kind, {})
            for word in pattern.findall(rest):
                rest = rest.replace(word, f"<{kind} {numbers.setdefault(word, str(len(numbers) + 1))}>")
        return level + rest

    checklist = "\n".join(map(masked, lines))
    python = f"Python {platform.python_version()}, {platform.system()}"
    head = f"realer {version.VERSION}, {python}, board: {machine}"
    return f"{head}\n\n```\n{checklist}\n```\n"
