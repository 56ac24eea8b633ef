"""`realer deploy [--port PORT]`: put this firmware, the configuration and its certificates on a board.

The cable may be pulled out at any moment: everything is written beside what runs, compared, and put in its place by one
short program that the board finishes alone. The slots and the record that chooses one are those of updates over the air
(docs/decisions/0012-two-slots.md). It refuses a configuration with errors, and a second firmware beside one in the
board's image. It shows no content of any file.
"""

from __future__ import annotations

import argparse
import base64
import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from mpremote.transport import TransportExecError
from mpremote.transport_serial import SerialTransport

from firmware.core import romslot
from tools import boards, common
from tools.build import payload, rom_plan
from tools.cli import board_list, check_config, deploy_all
from tools.cli.config_errors import at
from tools.cli.update_bundle import ROOTS
from tools.repository import ROOT
from tools.serial import board_log, ports, raw_repl
from tools.serial.boot_report import STATUS, Outcome, Start

Fit = Callable[[Mapping[str, bytes], str], Mapping[str, bytes]]
OfBoard = Callable[[str], Mapping[str, bytes]]

_PROBE = Path(raw_repl.__file__).with_name("board_files.py")
_IDENTITY = "import machine\nprint(binascii.hexlify(machine.unique_id()).decode())"
_SPARE = "a"
"""Where the copy in the ROM partition goes when the next one needs its place."""
_TRIES = 3
"""Starts that a new copy has to live for a minute, before the board goes back to the old one."""
_CHUNK = 1024
_PATIENCE_S = 60
_SILENCE_S = 30
"""For how long a board may say nothing after its reset."""
_ASK_S = 3
"""How long to wait for an answer of a board whose first lines were missed."""
_ONLINE_S = 90
"""Wi-Fi, time and two handshakes take a healthy board some ten seconds, a weak network a minute."""
_KEPT = "The board keeps the version it had, and what has arrived is not sent twice."
_DONE = "Everything has arrived."
_UNSEEN = (
    "Everything has arrived, and the board is starting with it; realer monitor shows whether it comes online."
)
_ARRIVED = "Everything had arrived before. Plug it in, and look with realer monitor or realer status."


@dataclass
class Plan:
    """What has to happen; paths are the board's.

    `target`: the slot to fill, "" when the code that runs is this one already. `disarm`: the record to write first,
    because the present one would fall back to what is about to be overwritten. `stale`: leftovers in the target;
    `copies`: target -> source, both on the board; `sent`: what travels, files outside the slots under a name beside;
    `renamed`: those without `.new`; `gone`: certificates no longer named; `record`: the new choice of a slot; `rom`:
    what goes into the ROM partition; `slot`: what starts afterwards, "root" for code outside of the slots.
    """

    target: str = ""
    disarm: dict[str, Any] | None = None
    stale: list[str] = field(default_factory=list)
    copies: dict[str, str] = field(default_factory=dict)
    sent: dict[str, bytes] = field(default_factory=dict)
    renamed: list[str] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    record: dict[str, Any] | None = None
    rom: rom_plan.RomPlan | None = None
    slot: str = "root"

    def __bool__(self) -> bool:
        return bool(self.target or self.sent or self.gone)

    @property
    def size(self) -> int:
        return sum(map(len, self.sent.values())) + (self.rom.size if self.rom else 0)


def plan(
    seen: Mapping[str, Any],
    code: Mapping[str, bytes],
    root: Mapping[str, bytes],
    conditions: Mapping[str, str] = MappingProxyType({}),
) -> Plan:
    """`seen`: what the board reported (`look` of the probe); `code`: the slot's files; `root`: those beside the slots;
    `conditions`: which units not every configuration needs (`payload.conditions`)."""
    made, sums = Plan(), seen["sums"]
    if code and not (seen["rom"] and _into_rom(made, seen, _chosen(seen, code, root, conditions))):
        _into_folder(made, seen, code)
    for name in sorted(root):
        if sums.get(name) != _sum(root[name]):
            made.sent[f"{name}.new"] = root[name]
            made.renamed.append(name)
    if payload.CONFIG in root:
        made.gone = sorted(path for path in sums if path.startswith("certs/") and path not in root)
    return made


def _chosen(
    seen: Mapping[str, Any],
    code: Mapping[str, bytes],
    root: Mapping[str, bytes],
    conditions: Mapping[str, str],
) -> dict[str, bytes]:
    """What of the code goes into the ROM partition."""
    config = json.loads(root[payload.CONFIG]) if payload.CONFIG in root else seen["needs"]
    return rom_plan.chosen(code, conditions, romslot.traits(config), seen["rom"]["size"])


def _active(seen: Mapping[str, Any]) -> str:
    """The slot that runs, "" for the root."""
    slot = seen["slot"].get("slot")
    return slot if slot in ("a", "b") or romslot.offset(slot) is not None else ""


def _into_rom(made: Plan, seen: Mapping[str, Any], code: Mapping[str, bytes]) -> bool:
    """Plan to have `code` in the ROM partition; whether that holds it."""
    sums, slot, active = seen["sums"], seen["slot"], _active(seen)
    rom = rom_plan.plan(seen, code, _SPARE)
    if rom is None:
        return False
    if not rom.steps:
        return True
    made.rom, made.target = rom, romslot.slot_name(rom.at)
    back = _SPARE if rom.evacuated else active
    if slot.get("back") not in (None, active):
        made.disarm = {"slot": active}
    made.stale = sorted(path for path in sums if path[:2] in ("a/", "b/") and path[0] != active)
    made.record = {"slot": made.target}
    if active or seen["plain"]:
        made.record |= {"back": back, "tries": _TRIES}
    return True


def _into_folder(made: Plan, seen: Mapping[str, Any], code: Mapping[str, bytes]) -> None:
    """Plan to have `code` in one of the folders, from where it runs from the heap."""
    sums, slot, active = seen["sums"], seen["slot"], _active(seen)
    wanted = {path: _sum(data) for path, data in code.items()}
    if _inside(sums, active) == wanted:
        return
    made.target = target = "b" if active == "a" else "a"
    there = _inside(sums, target)
    made.stale = [f"{target}/{path}" for path in sorted(there) if path not in code]
    here = {digest: f"{active}/{path}" for path, digest in _inside(sums, active).items()}
    for path in sorted(code):
        if there.get(path) != wanted[path]:
            if wanted[path] in here:
                made.copies[f"{target}/{path}"] = here[wanted[path]]
            else:
                made.sent[f"{target}/{path}"] = code[path]
    if slot.get("back") == target:
        made.disarm = {"slot": active}
    made.record = {"slot": target}
    if active or seen["plain"]:
        made.record |= {"back": active, "tries": _TRIES}


def _inside(sums: Mapping[str, str], slot: str) -> dict[str, str]:
    """The sums of a slot's files by path within it; of none, nothing."""
    return {path[2:]: digest for path, digest in sums.items() if slot and path.startswith(f"{slot}/")}


def _sum(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class Board:
    """A board at its raw REPL, and what can be done with it. `transport`: one of mpremote's."""

    def __init__(self, transport: SerialTransport, work: raw_repl.Work):
        self._transport, self._work = transport, work
        self.run(_PROBE.read_text())

    def run(self, program: str) -> str:
        """What the program printed. TransportExecError with the traceback when it fails."""
        with raw_repl.whole():
            output, error = self._transport.exec_raw(program, timeout=_PATIENCE_S)
        if error:
            raise TransportExecError(1, error.decode(errors="replace"))
        return output.decode()

    def look(self, names: list[str]) -> dict[str, Any]:
        """What is on the board: `sums` by path, and what the probe's `look` tells."""
        *sums, rest = self.run(f"look({names!r})").splitlines()
        return json.loads(rest) | {
            "sums": {path: digest for digest, path in (line.split(" ", 1) for line in sums)}
        }

    def carry_out(self, todo: Plan, sent: Callable[[int], None] = lambda count: None) -> None:
        """Do what the plan says; `sent(count)`: bytes have arrived. Raises Failed if they arrived damaged."""
        if todo.disarm:
            self.run(f"record({todo.disarm!r})")
        for path in todo.stale:
            self.run(f"os.remove({path!r})")
        if todo.rom:
            self._write_rom(todo.rom, sent)
        for target, source in todo.copies.items():
            self.run(f"copy({source!r}, {target!r})")
        for path, data in todo.sent.items():
            for start in range(0, len(data) or 1, _CHUNK):
                piece = data[start : start + _CHUNK]
                self.run(f"put({path!r}, {base64.b64encode(piece)!r}, {start == 0})")
                sent(len(piece))
        for folder in {path[0] for path in todo.stale} | ({todo.target} if not todo.rom else set()) - {""}:
            self.run(f"prune({folder!r})")
        sums = self.look(list(todo.sent))["sums"]
        wrong = [path for path, data in todo.sent.items() if sums.get(path) != _sum(data)]
        wrong += [path for path, source in todo.copies.items() if sums.get(path) != sums.get(source)]
        if wrong:
            raise common.Failed(
                f"{wrong[0]} arrived damaged", "Try again; if it persists, the cable or flash is bad."
            )
        with raw_repl.whole():
            self.run(f"finish({todo.renamed!r}, {todo.gone!r}, {todo.record!r})")
            self._work.left = _DONE

    def _write_rom(self, rom: rom_plan.RomPlan, sent: Callable[[int], None]) -> None:
        """First what has to make room for it, if it does, then the image. Raises Failed if it arrived damaged."""
        if rom.evacuated:
            for target, source in rom.evacuated.items():
                self.run(f"copy({source!r}, {target!r})")
            sums = self.look([])["sums"]
            if any(sums.get(target) != sums.get(source) for target, source in rom.evacuated.items()):
                raise common.Failed("the present version could not be copied", "The board's flash is bad.")
            self.run(f"record({{'slot': {_SPARE!r}}})")
        for program, size in rom.steps:
            self.run(program)
            sent(size)
        if self.run(f"rom_digest({rom.at}, {len(rom.image.data)})").strip() != _sum(rom.image.data):
            raise common.Failed(
                "the ROM partition did not keep what was written", "The board's flash is bad."
            )


def main(argv: list[str] | None = None) -> int:
    options = _options(argv)
    if options.all:
        return deploy_all.main(options)
    console = common.console()
    port = ports.choose(options.port[0] if options.port else None)
    code, root = payload.slot_files(options.tree), payload.starters(options.tree)
    if not (options.code_only or options.boards):
        root |= _owners_files(options.config)
    again = ports.Reopening(port, board_log.BAUD, common.console(stderr=True).print)
    with raw_repl.opened(port) as transport:
        of_board = functools.partial(_of_board, options.boards, options.assign) if options.boards else None
        done = deploy(transport, code, root, console, payload.conditions(options.tree), fitted, of_board)
        if options.no_wait:
            return 0
        try:
            outcome = wait(board_log.Lines(transport.serial, again=again), done.slot, console, options.within)
        except OSError as error:
            raise common.Failed(f"the cable is disconnected: {error}", _ARRIVED) from None
        except KeyboardInterrupt:
            common.console(stderr=True).print(_UNSEEN)
            raise
    if outcome.kind != "online":
        raise common.Failed(outcome.text, outcome.do)
    console.print(outcome.text, style="green")
    return 0


def _options(argv: list[str] | None) -> argparse.Namespace:
    parser = common.parser(
        "deploy",
        "Compile this firmware and put it on a board, with its configuration. Only what changed is sent; "
        "until all of it has arrived, the board keeps its present version. Exit status 0: it came online.",
    )
    ports.add_port(parser, action="append")
    parser.add_argument("--config", type=Path, default=Path(payload.CONFIG), help="default: config.json")
    parser.add_argument(
        "--boards", type=Path, metavar="FOLDER",
        help="the configurations that realer config --boards wrote: the board gets the one for its MAC",
    )  # fmt: skip
    parser.add_argument(
        "--assign", action="store_true", help="with --boards: a new board gets the next one without a MAC"
    )
    parser.add_argument(
        "--all", action="store_true",
        help="with --boards: every board that is plugged in, or behind the ports named, several at a time",
    )  # fmt: skip
    parser.add_argument(
        "--at-once",
        type=common.number(1),
        default=8,
        metavar="N",
        help="with --all: how many at a time (default: 8)",
    )
    parser.add_argument("--tree", type=Path, default=ROOT, help="device tree to send; default: this one")
    parser.add_argument("--code-only", action="store_true", help="leave configuration and certificates alone")
    ports.add_within(parser, _ONLINE_S, "seconds that it may take to come online")
    parser.add_argument("--no-wait", action="store_true", help="do not wait until it is online")
    options = parser.parse_args(argv)
    if (options.all or options.assign) and not options.boards:
        parser.error("--all and --assign need --boards, as in: realer deploy --all --boards boards")
    if options.boards and options.code_only:
        parser.error("--boards chooses a configuration, --code-only sends none")
    if options.port and len(options.port) > 1 and not options.all:
        parser.error("several ports need --all")
    return options


def wait(lines: board_log.Lines, slot: str, console: Any, within_s: float) -> Outcome:
    """Show what a board says after its reset, until that tells how its start went, or until time is over.

    `slot`: "a", "b" or "root", which is to start. Serial errors as of pyserial.
    """
    start, began = Start(slot), lines.clock()
    asked = began - _ASK_S
    while True:
        most = within_s if start.spoke else min(within_s, _SILENCE_S)
        left = began + most - lines.clock()
        if left <= 0:
            return start.over(most)
        if lines.reopened and not start.spoke and lines.clock() >= asked + _ASK_S:
            lines.write(b"\rstatus\r")
            asked = lines.clock()
        line = lines.next(min(left, _ASK_S))
        if line is not None:
            status = line.startswith(STATUS)
            outcome = start.answered(line) if status else start.take(board_log.show(line, console))
            if outcome is not None:
                return outcome


def deploy(
    transport: SerialTransport,
    code: Mapping[str, bytes],
    root: Mapping[str, bytes],
    console: Any,
    conditions: Mapping[str, str] = MappingProxyType({}),
    fit: Fit = lambda root, machine: root,
    of_board: OfBoard | None = None,
) -> Plan:
    """Bring the board at the other end to this state and restart it; what was done. `fit`: see `fitted`; `of_board`:
    what else it gets beside the slots, by its MAC. Raises common.Failed."""
    with raw_repl.stopped(transport, _KEPT) as work:
        board = Board(transport, work)
        if of_board:
            root = {**root, **of_board(board.run(_IDENTITY).strip())}
        return _carried(board, code, root, console, conditions, fit)


def _of_board(folder: Path, assign: bool, mac: str) -> Mapping[str, bytes]:
    """The configuration of the board with this MAC and its certificates. Raises common.Failed."""
    listed = board_list.claim(folder, mac, assign)
    common.console().print(f"board {board_list.shown(mac)} is device {listed.device}")
    return _owners_files(listed.config(folder))


def fitted(root: Mapping[str, bytes], machine: str) -> Mapping[str, bytes]:
    """The files beside the slots, for the chip of the board: its configuration is checked by the pins of that chip, and
    gets numbers in place of what is printed beside them. `machine`: what MicroPython calls it. Raises common.Failed."""
    if payload.CONFIG not in root:
        return root
    chip = boards.by_machine(machine) or boards.CLASSIC
    board = boards.chips().get(chip)
    if board is None:
        known = ", ".join(found.name for found in boards.chips().values())
        raise common.Failed(
            f"this firmware does not know the chip of the board: {machine}", f"It knows {known}."
        )
    raw = json.loads(root[payload.CONFIG])
    named = boards.of(raw) if raw.get("board") else board
    if named.chip != chip:
        raise common.Failed(
            f"{payload.CONFIG} is for {raw['board']}, and the board has an {board.name}",
            "Plug in the other board, or change board and pins.",
        )
    problems = check_config.left_to_portal(raw, check_config.validate(raw, boards.on(named, machine))[1])
    wrong = [f"{path}: {allowed}" for level, path, _, allowed in problems if level == "error"]
    if wrong:
        raise common.Failed(f"{payload.CONFIG} has errors for an {board.name}", "\n".join(wrong))
    numbered = boards.with_numbers(raw, named)
    return root if numbered is raw else {**root, payload.CONFIG: json.dumps(numbered).encode()}


def _carried(
    board: Board,
    code: Mapping[str, bytes],
    root: Mapping[str, bytes],
    console: Any,
    conditions: Mapping[str, str],
    fit: Fit,
) -> Plan:
    seen = board.look(sorted(root))
    root = fit(root, seen["machine"])
    if seen["frozen"] and not seen["slot"].get("slot"):
        # A copy in the file system would win over it, and run from the heap.
        console.print(
            f"the board's image contains firmware {seen['frozen']}, which only `realer flash` updates; sending the rest"
        )
        code, root = {}, {name: data for name, data in root.items() if name not in payload.STARTERS}
    todo = plan(seen, code, root, conditions)
    todo.slot = todo.target or seen["slot"].get("slot") or "root"
    if (
        code
        and seen["rom"]
        and not (todo.rom or (not todo.target and romslot.offset(_active(seen)) is not None))
    ):
        size = seen["rom"]["size"] >> 10
        console.print(
            f"warning: the ROM partition of {size} KB is too small for the code, which runs from the heap"
        )
    needed = _blocks(todo, seen, code)
    if needed > seen.get("blocks", needed):
        raise common.Failed(
            f"the board's file system has {seen['blocks'] * seen['block'] >> 10} KB, and "
            f"{needed * seen['block'] >> 10} KB are needed",
            "Take a board with more flash, or an image with a smaller program: realer flash names one.",
        )
    if needed > seen["free"]:
        raise common.Failed(
            f"{needed} blocks of {seen['block']} bytes are needed on the board's flash, {seen['free']} are free",
            "Remove files that do not belong to this firmware: mpremote ls, mpremote rm.",
        )
    for name in _roots_lost(todo, seen, root):
        console.print(
            f"warning: the root certificate {name} came with a bundle and is not in this configuration: it is removed"
        )
    if todo:
        with common.progress(console) as bar:
            task = bar.add_task("sending", total=max(todo.size, 1))
            board.carry_out(todo, lambda count: bar.advance(task, count))
        where = f", slot {todo.target}" if todo.target else ""
        console.print(f"sent {len(todo.sent)} files, {todo.size:,} bytes{where}; restarting")
    else:
        console.print("nothing changed, nothing sent; restarting")
    return todo


def _roots_lost(todo: Plan, seen: Mapping[str, Any], root: Mapping[str, bytes]) -> list[str]:
    """Root certificates of the copy that runs which the board has nowhere else, and will not have afterwards."""
    kept = {_sum(data) for data in root.values()} | {
        digest for path, digest in seen["sums"].items() if path.startswith("certs/") and path not in todo.gone
    }
    code = _inside(seen["sums"], _active(seen)) if todo.target else {}
    return [
        path.removeprefix(ROOTS)
        for path, digest in sorted(code.items())
        if path.startswith(ROOTS) and digest not in kept
    ]


def _blocks(todo: Plan, seen: Mapping[str, Any], code: Mapping[str, bytes]) -> int:
    """How many blocks of the file system are needed."""
    sizes = [*map(len, todo.sent.values()), *(len(code[path[2:]]) for path in todo.copies)]
    if todo.rom and todo.rom.evacuated:
        # The board does not tell sizes of files: all of them are in its copy, and each may begin a block.
        present = romslot.length(bytes.fromhex(seen["rom"]["head"]))
        sizes += [present, *(0 for _ in todo.rom.evacuated)]
    return sum(size // seen["block"] + 1 for size in sizes)


def _owners_files(config: Path) -> dict[str, bytes]:
    """The configuration and its certificates, if the device would accept them; only their owner may read the first."""
    try:
        problems = check_config.problems_of(config)
    except check_config.UnreadableError as error:
        raise common.Failed(error.what, f"{error.do}\nOr send the code alone: --code-only") from None
    named = at(check_config.load(config), "board")
    # Without a board in it, its pins are checked when the chip that is plugged in has been asked.
    if any(level == "error" and (named or not path.endswith(".gpio")) for level, path, *_ in problems):
        raise common.Failed(f"{config} has errors", f"See realer check_config {config}")
    config.chmod(0o600)
    return payload.owners_files(config, check_config.load(config)["cloud"]["ca_files"])
