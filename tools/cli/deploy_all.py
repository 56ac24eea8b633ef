"""`realer deploy --all --boards FOLDER`: every board that is plugged in, several at a time, each by its configuration.

Each board has a `realer deploy` of its own, so one whose cable is bad, or that belongs to nobody, holds up no other.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from rich.table import Table

from tools import common
from tools.cli import board_list
from tools.serial import ports

_DEVICE = " is device "


@dataclass
class Done:
    """How the deploy of one board ended. `lines`: all that it said."""

    port: str
    status: int
    lines: list[str]

    @property
    def device(self) -> str:
        found = [
            line.partition(_DEVICE)[2] for line in self.lines if line.startswith("board ") and _DEVICE in line
        ]
        return found[0] if found else "?"

    @property
    def outcome(self) -> str:
        """The error, or else the last line."""
        errors = [line.removeprefix("error: ") for line in self.lines if line.startswith("error: ")]
        return (errors or self.lines or ["no output"])[-1]


def main(options: argparse.Namespace) -> int:
    """Deploy to all; `options` are those of `realer deploy`. Exit status 0: all came online."""
    board_list.read(options.boards)  # says what is wrong with it once and not for each board
    found = options.port or [port.device for port in ports.plugged_in()]
    if not found:
        ports.choose(None)  # says what is wrong
    console = common.console()
    console.print(f"{common.count(len(found), 'board')}, {min(options.at_once, len(found))} at a time")
    printing = threading.Lock()

    def one(port: str) -> Done:
        with subprocess.Popen(
            _argv(options, port), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        ) as process:  # fmt: skip
            assert process.stdout
            lines = []
            for line in process.stdout:
                lines.append(line.rstrip())
                with printing:
                    console.print(f"{port}: {lines[-1]}", markup=False, highlight=False)
        return Done(port, process.returncode, lines)

    with ThreadPoolExecutor(options.at_once) as pool:
        every = list(pool.map(one, found))
    console.print(_table(every))
    good = sum(not done.status for done in every)
    console.print(
        f"{good} of {common.count(len(every), 'board')} done", style="green" if good == len(every) else "red"
    )
    return int(good < len(every))


def _argv(options: argparse.Namespace, port: str) -> list[str]:
    argv = [sys.executable, "-u", "-m", "tools", "deploy", "--port", port, "--boards", str(options.boards)]
    argv += ["--tree", str(options.tree), "--within", str(options.within)]
    return argv + ["--assign"] * options.assign + ["--no-wait"] * options.no_wait


def _table(every: list[Done]) -> Table:
    table = Table("port", "device", "outcome")
    for done in every:
        table.add_row(done.port, done.device, done.outcome, style="red" if done.status else "")
    return table
