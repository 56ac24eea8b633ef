"""`realer rollout NUMBER --boards FOLDER`: update a fleet in steps, and stop if boards fail.

A step is a group of the table, a number of boards, or a share of all. It updates those of its boards that no earlier
step has updated, and is complete when all of them report the number of the bundle. A board that does not report it in
time has failed: it refused the bundle, or went back to its previous version after the trial. If more boards fail than
allowed, the rollout stops, and the remaining boards keep their version.

Two commands of the owner's set the update command of a device and read what it reported, because only the owner's cloud
can. FOLDER/rollout.json records the progress, so that a rollout that was interrupted can be continued.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import shlex
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tools import common
from tools.cli import board_list
from tools.cloud.site import write_private

RECORD = "rollout.json"
_AT_ONCE = 8
_EPILOG = """Example with the simulated cloud: realer rollout 8 --boards boards --stages canary,10%,100%
--ask 'realer cloud set 99 {number} --device {device}' --reported './reported.sh {device}'"""


@dataclass
class Record:
    """The progress of the rollout of bundle `number`: ids of devices that report it (`done`), that did not report it in
    time (`failed`), and that were asked for it and have no outcome yet (`asked`)."""

    number: int
    asked: list[str] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


class Stopped(Exception):
    """More boards failed than allowed."""


def steps(boards: list[board_list.Listed], stages: Iterable[str], number: int) -> list[list[str]]:
    """The device ids that each stage adds to those before it. The order in which boards are chosen differs from bundle
    to bundle, and is always the same for one. ValueError: an unknown group, or not a valid stage."""
    order = sorted(boards, key=lambda board: hashlib.sha256(f"{number} {board.device}".encode()).digest())
    found: list[list[str]] = []
    known: set[str] = set()
    for stage in stages:
        if stage.endswith("%") or stage.isdecimal():
            share = float(stage[:-1]) / 100 if stage.endswith("%") else int(stage) / max(len(order), 1)
            if not 0 < share <= (1 if stage.endswith("%") else math.inf):
                raise ValueError(f"{stage} is not a share of the fleet")
            # The number of boards in total, including those of earlier stages; at least one.
            most = math.ceil(share * len(order) - 1e-9)
            chosen = [board.device for board in order if board.device not in known][
                : max(most - len(known), 0)
            ]
        else:
            chosen = [board.device for board in order if board.group == stage]
            if not chosen:
                raise ValueError(f"no board is in the group {stage}")
            chosen = [device for device in chosen if device not in known]
        known.update(chosen)
        found.append(chosen)
    return found


class Rollout:
    """`ask(device)`: sets the device's update command to the number. `reported(device)`: returns the number that it
    reported last, None if unknown. `save(record)`: writes the record. `tell(text)`: prints a line. `now`, `sleep`: in
    seconds."""

    def __init__(
        self, record: Record, ask: Callable[[str], None], reported: Callable[[str], int | None],
        save: Callable[[Record], None], tell: Callable[[str], None],
        now: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
    ) -> None:  # fmt: skip
        self.record, self.ask, self.reported = record, ask, reported
        self.save, self.tell, self.now, self.sleep = save, tell, now, sleep

    def run(self, stages: list[list[str]], within_s: float, every_s: float, most_failed: int) -> None:
        """Carry out `stages`, lists of device ids. `within_s`: time that a board may take; `every_s`: time between two
        checks; `most_failed`: failures that do not stop the rollout. Raises Stopped; Failed if a command fails."""
        for number, devices in enumerate(stages, 1):
            if len(self.record.failed) > most_failed:  # of a rollout that stopped before
                raise Stopped
            self.tell(f"step {number} of {len(stages)}: {common.count(len(devices), 'board')}")
            self._step(devices, within_s, every_s, most_failed)

    def _step(self, devices: list[str], within_s: float, every_s: float, most_failed: int) -> None:
        record = self.record
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            # After an interruption boards may be asked again, which has no effect on those that were.
            new = [device for device in devices if device not in record.done + record.failed]
            record.asked += [device for device in new if device not in record.asked]
            self.save(record)
            list(pool.map(self.ask, new))
            end = self.now() + within_s
            while waiting := [device for device in devices if device in record.asked]:
                numbers = list(pool.map(self.reported, waiting))
                over = self.now() >= end
                for device, number in zip(waiting, numbers, strict=True):
                    if number == record.number or over:
                        self._ended(device, number)
                self.save(record)
                if len(record.failed) > most_failed:
                    raise Stopped
                if any(device in record.asked for device in devices):
                    self.sleep(every_s)

    def _ended(self, device: str, number: int | None) -> None:
        record = self.record
        record.asked.remove(device)
        good = number == record.number
        (record.done if good else record.failed).append(device)
        what = "reports it" if good else f"failed: it reports {'nothing' if number is None else number}"
        self.tell(f"device {device} {what}; {len(record.done)} done, {len(record.failed)} failed")


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    boards = board_list.read(options.boards)
    try:
        stages = steps(boards, options.stages.split(","), options.number)
    except ValueError as error:
        raise common.Failed(str(error), "Such as --stages canary,10%,100%") from None
    file = options.boards / RECORD
    record = _record(file, options.number, options.again)

    def answer(command: list[str], device: str) -> str:
        argv = [word.replace("{device}", device).replace("{number}", str(options.number)) for word in command]
        return common.output_of(argv, shlex.join(argv))

    def ask(device: str) -> None:
        answer(options.ask, device)

    console = common.console()
    rollout = Rollout(
        record,
        ask,
        lambda device: _number(answer(options.reported, device)),
        lambda kept: write_private(file, json.dumps(asdict(kept), indent=1) + "\n"),
        lambda text: console.print(text, markup=False, highlight=False),
    )
    try:
        rollout.run(stages, options.within, options.every, options.most_failures)
    except Stopped:
        raise common.Failed(
            f"stopped: {common.count(len(record.failed), 'board')} failed: {', '.join(record.failed)}",
            "Look at one of them (realer monitor). Then build a bundle with the next number, or retry with --again.",
        ) from None
    except common.Failed as failed:
        do = f"{failed.do}\nThe same command continues from here: {file} has what came of it so far."
        raise common.Failed(failed.what, do.strip()) from None
    console.print(
        f"{len(record.done)} of {common.count(len(boards), 'board')} report {options.number}", style="green"
    )
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="realer rollout",
        description="Update a fleet in steps; stop if boards fail. Exit status 0: all boards report the number.",
        epilog=_EPILOG,
    )
    parser.add_argument(
        "number",
        type=common.number(1, 999999),
        metavar="NUMBER",
        help="number of the bundle, which must be on the server already",
    )
    parser.add_argument(
        "--boards",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="folder that realer config --boards wrote",
    )
    parser.add_argument(
        "--stages", default="1,10%,50%,100%",
        help="groups of the table, numbers of boards, or shares of all (default: 1,10%%,50%%,100%%)",
    )  # fmt: skip
    parser.add_argument(
        "--ask",
        type=common.command("{device}", "{number}"),
        required=True,
        metavar="COMMAND",
        help="command that sets the update command of {device} to {number}",
    )
    parser.add_argument(
        "--reported",
        type=common.command("{device}"),
        required=True,
        metavar="COMMAND",
        help="command that prints the value that {device} reported last for its update command",
    )
    parser.add_argument(
        "--within", type=common.number(0, of=float), default=3600, metavar="S",
        help="seconds that a board may take, including download and trial (default: 3600)",
    )  # fmt: skip
    parser.add_argument(
        "--every",
        type=common.number(0, of=float),
        default=30,
        metavar="S",
        help="seconds between two checks of the reports (default: 30)",
    )
    parser.add_argument(
        "--most-failures",
        type=common.number(0),
        default=0,
        metavar="N",
        help="stop if more boards than this have failed (default: 0)",
    )
    parser.add_argument("--again", action="store_true", help="ask boards that have failed once more")
    return parser.parse_args(argv)


def _record(file: Path, number: int, again: bool) -> Record:
    """The record of this rollout in `file`; a new one if there is none, or one of another bundle. `again`: forget which
    boards have failed."""
    try:
        found = Record(**json.loads(file.read_text()))
    except (OSError, ValueError, TypeError):
        return Record(number)
    if found.number != number:
        return Record(number)
    return Record(number, found.asked, found.done, [] if again else found.failed)


def _number(text: str) -> int | None:
    """The number in a report, which clouds store as decimal text; None if it is not one."""
    try:
        return int(float(text.strip()))
    except (ValueError, OverflowError):
        return None
