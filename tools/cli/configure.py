"""`realer config`: write a device's config.json, by questions, or for many boards from a table.

`wizard` asks the questions, and the device's own rules check the answers. Only the owner can read the files. Nothing is
written that the device would refuse; of many boards all are written or none. No secret is shown, except the password of
a setup portal, once, when it is drawn.
"""

from __future__ import annotations

import contextlib
import copy
import csv
import io
import itertools
import json
import re
import secrets
import shutil
import sys
import types
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tools import boards, common
from tools.cli import board_keys, board_list, check_config, flash, prompts, wizard
from tools.cloud.site import write_private

_MANY = """\
Many boards: --answers BASE.json --boards BOARDS.csv --out FOLDER. BASE.json is a configuration, in which what differs
from board to board may be missing. The first line of BOARDS.csv names keys by their path, such as
cloud.device_id,cloud.client_id,cloud.client_secret,name,outputs[0].gpio; each other line is a board, written to
FOLDER/<device_id>.json with the certificates beside it. Columns mac and group say which board it is for, and which part
of the fleet it belongs to. Keys may come from elsewhere: --keys, --keys-from. Commas, semicolons or tabs may separate
the cells."""
_LETTERS = "abcdefghijkmnpqrstuvwxyz23456789"
"""What nobody mistakes for something else on a label: five bits each."""
_PATH = re.compile(r"\.?(\w+)|\[(\d+)\]")
_SEPARATORS = ",;\t"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_COMMA = re.compile(r"^(-?\d+),(\d+)$")


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("config", "Write a device's config.json.", epilog=_MANY)
    parser.add_argument(
        "--out", type=Path, help="file to write, or folder with --boards (default: config.json, boards)"
    )
    parser.add_argument("--answers", type=Path, help="ask nothing: take this configuration and check it")
    parser.add_argument("--boards", type=Path, help="with --answers: one board per line, see below")
    parser.add_argument(
        "--portal", action="store_true", help="with --answers: boards without a network open a setup portal"
    )
    parser.add_argument(
        "--keys", type=Path, metavar="EXPORT",
        help="with --boards: keys by device_id or name, from the dashboard's export (CSV or JSON)",
    )  # fmt: skip
    parser.add_argument(
        "--keys-from", type=common.command(), metavar="COMMAND",
        help="with --boards: a command that prints the keys of {device} as a JSON object, run for each board",
    )  # fmt: skip
    parser.add_argument("--bundle", type=Path, help="your own root certificates instead of Mozilla's")
    options = parser.parse_args(argv)
    if options.boards and not options.answers:
        parser.error("--boards needs --answers, the configuration that the boards have in common")
    if (options.keys or options.keys_from) and not options.boards:
        parser.error("--keys and --keys-from need --boards, the table of the boards")
    if options.answers and options.answers.suffix.lower() == ".csv":
        parser.error(
            "--answers is the configuration that the boards have in common; the table is for --boards"
        )
    shared = check_config.load(options.answers) if options.answers else {}
    if options.portal and isinstance(shared, dict):
        shared["portal"] = shared.get("portal") or {}
    if options.boards:
        rows = _with_keys(_rows(options.boards), options.keys, options.keys_from)
        return _many(shared, options.answers.parent, rows, options.boards, options.out or Path("boards"))
    out = options.out or Path("config.json")
    if options.answers:
        password = _drawn(shared)
        _warn(_checked(shared, str(options.answers)))
        _copy_certificates(shared, options.answers.parent, out.parent)
        _set_aside(out, shared)
        _write(shared, out)
        _tell(password, shared)
    else:
        interview(out, options.bundle)
    return 0


def interview(out: Path, bundle: Path | None = None) -> None:
    """Ask at the terminal, and write `out`. What is there already is kept unless it is answered anew."""
    if not sys.stdin.isatty():
        raise common.Failed("the questions need a terminal", "Take --answers FILE (see --help).")
    say = common.console()
    draft = check_config.load_object(out) if out.exists() else {}
    _well_formed(draft, out)
    say.print(f"Every answer is checked at once. {prompts.HELP}")
    kept = out.with_name(f"{out.name}.draft")

    def started() -> wizard.Wizard:
        return wizard.Wizard(
            draft, out.parent, lambda text: say.print(text, style="dim"), bundle, kept, flash.plugged_in
        )

    hands = started()
    if hands.answers.resume() and not hands.answers.again():
        hands = started()
    try:
        hands.run()
        while (wrong := _errors(draft)) and hands.mend(wrong):
            pass
    except (KeyboardInterrupt, EOFError):
        if kept.exists():
            say.print(
                f"Your answers are in {kept} (only you can read it); realer config continues with them."
            )
        raise
    password = _drawn(draft)
    _warn(_checked(draft, str(out)))
    _write(draft, out)
    hands.answers.forget()
    _tell(password, draft)


def _well_formed(draft: Any, out: Path) -> None:
    """Raise Failed if there is something in place of an object or a list of them, which no question could mend."""
    for level, path, found, allowed in check_config.validate(draft)[1]:
        of_objects = path.rpartition(".")[2] in ("outputs", "sensors", "buttons", "networks", "schedule")
        a_list = not allowed.startswith("a list") or found.startswith(("a list", "nothing"))
        if level == "error" and (allowed.startswith("an object") or (of_objects and not a_list)):
            do = f"Correct it in an editor, and check it again: realer check_config {out}"
            raise common.Failed(f"{out}: {path}: found {found}, allowed: {allowed}", do)


def _errors(draft: Any) -> list[check_config.Problem]:
    problems = check_config.left_to_portal(draft, check_config.validate(draft)[1])
    missing = bool(draft.get("portal") is not None and not draft["portal"].get("password"))
    return [p for p in problems if p[0] == "error" and not (missing and p[1].startswith("portal"))]


def _drawn(draft: Any) -> str:
    """The password of the setup portal, if there is one and it had none; it has now."""
    portal = draft.get("portal") if isinstance(draft, dict) else None
    if not isinstance(portal, dict) or portal.get("password"):
        return ""
    groups = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(4))
    portal["password"] = "-".join(groups)
    return portal["password"]


def _tell(password: str, draft: dict[str, Any]) -> None:
    if password:
        print(
            f"Setup portal: Wi-Fi {draft.get('name', 'device')}-…, password {password}\n"
            "It is shown only now: write it on the board. If the board finds no network after power-up, it opens this\n"
            f"Wi-Fi for {draft['portal'].get('minutes', 10)} minutes: join it with a phone and open http://192.168.4.1/"
        )


def _checked(
    draft: Any, name: str, places: Mapping[str, str] = types.MappingProxyType({})
) -> list[tuple[str, str]]:
    """What the device would say of it, each with its place. Raises Failed for errors. `places`: paths that came from
    elsewhere than `name`, and from where."""
    config, found = check_config.validate(draft)
    problems = check_config.left_to_portal(draft, found)
    problems += check_config.warnings_of(config, boards.of(draft))
    lines = [
        (places.get(path, name), f"{level}: {path}: found {found}, allowed: {allowed}")
        for level, path, found, allowed in problems
    ]
    if any(problem[0] == "error" for problem in problems):
        said = "\n".join(map(": ".join, lines))
        raise common.Failed("the device would refuse this, so nothing was written", said)
    return lines


def _warn(lines: Iterable[tuple[str, str]]) -> None:
    """Show each once, with its first place, and how many others have it."""
    places: dict[str, list[str]] = {}
    for place, line in lines:
        places.setdefault(line, []).append(place)
    for line, (first, *others) in places.items():
        print(f"{first}{f' and {len(others)} more' if others else ''}: {line}")


def _set_aside(out: Path, draft: Any) -> None:
    """Keep another configuration that is there: its keys may be nowhere else."""
    if not out.is_file():
        return
    with contextlib.suppress(check_config.UnreadableError):
        if check_config.load(out) == draft:
            return
    names = (out.with_name(f"{out.name}.{number}") for number in itertools.count(1))
    kept = next(name for name in names if not name.exists())
    shutil.copy2(out, kept)
    kept.chmod(0o600)
    print(f"what {out} was before is in {kept}")


def _write(draft: Any, out: Path) -> None:
    write_private(out, json.dumps(draft, indent=2, ensure_ascii=False) + "\n")
    print(f"written: {out} (only you can read it). Next: realer deploy")


def _copy_certificates(draft: dict[str, Any], source: Path, target: Path) -> None:
    for name in draft["cloud"]["ca_files"]:
        try:
            content = (source / name).read_bytes()
        except OSError as error:
            raise common.Failed(
                f"{source / name}: {error.strerror}", "Fetch it with: realer ca HOST"
            ) from None
        if (target / name).resolve() != (source / name).resolve():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_bytes(content)


def _with_keys(rows: list[_Row], export: Path | None, command: list[str] | None) -> list[_Row]:
    """The same rows, with keys where a cell for one is empty or missing. Raises Failed."""
    entries = (
        board_keys.listed(export, [] if export.suffix.lower() == ".json" else _cells(export))
        if export
        else []
    )
    found = []
    for row in rows:
        more = board_keys.of(row.cells, entries, row.where) if export else {}
        if command:
            more |= board_keys.asked(command, row.cells | more, row.where)
        more = {path: value for path, value in more.items() if not row.cells.get(path, "").strip()}
        source = f"{row.where}, from {export or 'the command'}"
        found.append(_Row(row.where, row.cells | more, row.columns | dict.fromkeys(more, source)))
    return found


def _cells(path: Path) -> list[dict[str, str]]:
    return [row.cells for row in _rows(path)]


def _listed(row: _Row, device: str) -> board_list.Listed:
    """The board of a row, for the list beside the configurations. Raises Failed."""
    mac = row.cells.get("mac", "").strip()
    try:
        return board_list.Listed(device, mac and board_list.mac_of(mac), row.cells.get("group", "").strip())
    except ValueError as error:
        raise common.Failed(f"{row.columns['mac']}: {error}") from None


def _write_list(folder: Path, known: list[board_list.Listed]) -> None:
    """The list of the boards; a board that was deployed with `--assign` stays the device that it is."""
    taken = {board.mac for board in known}
    if (folder / board_list.INDEX).exists():
        macs = {board.device: board.mac for board in board_list.read(folder) if board.mac not in taken}
        for board in known:
            board.mac = board.mac or macs.get(board.device, "")
    board_list.write(folder, known)


def _before(folder: Path, draft: Any) -> Any:
    """The configuration that the folder has for the same device, None for none."""
    file = folder / f"{draft['cloud'].get('device_id', '')}.json"
    try:
        return check_config.load(file) if file.is_file() else None
    except check_config.UnreadableError:
        return None


def _kept(draft: Any, before: Any) -> bool:
    """Whether the setup portal keeps the password that is on the board's label."""
    portal = draft.get("portal")
    password = before["portal"].get("password") if isinstance(before, dict) and before.get("portal") else None
    if password and isinstance(portal, dict) and not portal.get("password"):
        portal["password"] = password
        return True
    return False


def _take(taken: dict[str, str], what: str, where: str) -> None:
    """Note in `taken` where `what` stands. Raises Failed if it stood elsewhere before."""
    if what in taken:
        raise common.Failed(f"{where}: {what} again, as in {taken[what]}", "Each board has its own.")
    taken[what] = where


def _many(shared: Any, source: Path, rows: list[_Row], boards: Path, folder: Path) -> int:
    """`source`: the folder where the certificates are; `boards`: the table that `rows` are of."""
    drafts: dict[str, Any] = {}
    passwords: dict[str, str] = {}
    known: list[board_list.Listed] = []
    taken: dict[str, str] = {}
    warnings: list[tuple[str, str]] = []
    for row in rows:
        where = row.where
        draft = _filled(shared, row)
        before = _before(folder, draft)
        password = _drawn(draft) if not _kept(draft, before) else ""
        warnings += _checked(draft, where, row.columns)
        device = str(draft["cloud"].get("device_id", ""))
        if not device or device.startswith("REPLACE"):
            do = "Its configuration is named after it: a column cloud.device_id, --keys or --keys-from."
            raise common.Failed(f"{where}: a board without device_id", do)
        board = _listed(row, device)
        _take(taken, f"device_id {device}", row.columns.get("cloud.device_id", where))
        if board.mac:
            _take(taken, f"MAC {board_list.shown(board.mac)}", row.columns["mac"])
        known.append(board)
        drafts[device], passwords[device] = draft, password
    if not drafts:
        raise common.Failed(f"{boards}: no board in it")
    _warn(warnings)
    for device, draft in drafts.items():
        _copy_certificates(draft, source, folder)
        write_private(folder / f"{device}.json", json.dumps(draft, indent=2, ensure_ascii=False) + "\n")
    _write_list(folder, known)
    print(f"written: {common.count(len(drafts), 'configuration')} to {folder} (only you can read them)")
    for device, password in passwords.items():
        if password:
            print(f"device {device}: password of its setup portal {password} (shown only once)")
    print(f"Next: realer deploy --all --boards {folder}, and labels for the boards: realer labels {folder}")
    return 0


class _Row(NamedTuple):
    """A board of the table. `where`: file and line; `columns`: path -> where its cell is."""

    where: str
    cells: dict[str, str]
    columns: dict[str, str]


def _rows(boards: Path) -> list[_Row]:
    """The boards of a table as spreadsheets write it. Raises Failed, with line and column."""
    text = _text(boards)
    first = (text.splitlines() or [""])[0]
    separator = max(_SEPARATORS, key=first.count)
    if first.lower().startswith("sep="):  # for Excel alone
        separator, text = first[4:5] or separator, text[len(first) :]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        table = [(f"{boards}:{reader.line_num}", cells) for cells in reader if any(map(str.strip, cells))]
    except csv.Error as error:
        raise common.Failed(
            f"{boards}:{reader.line_num}: not a table of comma-separated values: {error}"
        ) from None
    if not table:
        return []
    names = _names(*table[0])
    return [_row(names, where, cells) for where, cells in table[1:]]


def _text(boards: Path) -> str:
    try:
        data = boards.read_bytes()
    except OSError as error:
        raise common.Failed(f"{boards}: {error.strerror}") from None
    try:
        return data.decode("utf-16" if data[:2] in _UTF_16 else "utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise common.Failed(f"{boards}:{line}: not UTF-8 text", "Excel: save as CSV UTF-8.") from None


def _names(where: str, cells: list[str]) -> list[str]:
    """The paths of the columns. Behind the last one a spreadsheet may leave some without a name."""
    names = [cell.strip() for cell in cells]
    names = [name.lower() if name.lower() in board_list.COLUMNS else name for name in names]
    while not names[-1]:
        names.pop()
    for i, name in enumerate(names):
        if not name:
            raise common.Failed(f"{where}, column {_letters(i)}: no name")
        if name in names[:i]:
            raise common.Failed(
                f"{where}, column {_letters(i)}: {name} again, as in column {_letters(names.index(name))}"
            )
    return names


def _row(names: list[str], where: str, cells: list[str]) -> _Row:
    while len(cells) > len(names) and not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) != len(names):
        raise common.Failed(
            f"{where}: {common.count(len(cells), 'cell')}, but the first line names "
            f"{common.count(len(names), 'column')}"
        )
    columns = {name: f"{where}, column {_letters(i)}" for i, name in enumerate(names)}
    return _Row(where, dict(zip(names, cells, strict=True)), columns)


def _letters(column: int) -> str:
    """A column as spreadsheets name it: A, B, ... Z, AA."""
    return (_letters(column // 26 - 1) if column > 25 else "") + chr(ord("A") + column % 26)


def _filled(shared: Any, row: _Row) -> Any:
    """A configuration with the cells of a row in their places. A cell is a text where the device takes one there, and
    else what it means as JSON: a number, which may have a decimal comma, a list, null."""
    draft = copy.deepcopy(shared)
    row = row._replace(
        cells={path: cell for path, cell in row.cells.items() if path not in board_list.COLUMNS}
    )
    for path, cell in row.cells.items():
        _place(draft, path, cell.strip(), row.columns[path])
    wrong = {problem[1] for problem in check_config.validate(draft)[1] if problem[0] == "error"}
    for path in wrong & row.cells.keys():
        cell = _COMMA.sub(r"\1.\2", row.cells[path].strip())
        try:
            _place(draft, path, json.loads(cell), row.columns[path])
        except ValueError:
            continue  # a text after all, and the check will say what is wrong with it
    return draft


def _place(draft: Any, path: str, value: Any, where: str) -> None:
    """Put `value` where `path` points to; objects on the way are made, list items are not."""
    steps: list[Any] = [name or int(number) for name, number in _PATH.findall(path)]
    try:
        if not steps or "".join(match[0] for match in _PATH.finditer(path)) != path:
            raise KeyError
        for step in steps[:-1]:
            draft = draft.setdefault(step, {}) if isinstance(draft, dict) else draft[step]
        if isinstance(draft, list):
            draft[steps[-1]]  # has to be there
        draft[steps[-1]] = value
    except (KeyError, IndexError, TypeError):
        raise common.Failed(f"{where}: the common configuration has no place {path!r}") from None
