"""`realer check_config [FILE]`: check a device's config.json on the host.

The device's own parser and validator check it. The host adds what needs the files (whether the certificates are there
and are certificates, whether others can read the secrets), explains (`config_errors`, `json_errors`) and warns
(`config_warnings`). Exit status: 0 no error, 1 errors, 2 the file cannot be read as JSON.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.text import Text

from firmware.core import config as device
from firmware.core.config_text import NotJson, parse, place
from firmware.core.setup_form import fields
from tools import boards, common
from tools.boards import Board
from tools.cli import config_errors, config_warnings, json_errors, roots
from tools.cli.config_warnings import doubts

Problem = tuple[str, str, str, str]

_STYLES = {"error": "red", "warning": "yellow"}


class UnreadableError(common.Failed):
    """The file is not there or is no JSON; the message says why and where."""

    def __init__(self, path: Path, where: str, what: str) -> None:
        do = "Write one with realer config."
        if path.is_file():
            do = f"Correct it in an editor, and check it again: realer check_config {path}"
        elif path.exists():
            do = "Name a file."
        super().__init__(f"{path}{where}: {what}", do)


def load(path: Path) -> Any:
    """The parsed content of `path`. Raises UnreadableError, also for a key that is there twice."""
    raw, twice = _read(path)
    for _, where, found, allowed in twice:
        raise UnreadableError(path, "", f"{where}: {found}, allowed: {allowed}")
    return raw


def load_object(path: Path) -> dict[str, Any]:
    """The same of a file that holds an object. Raises UnreadableError or Failed."""
    raw = load(path)
    if not isinstance(raw, dict):
        raise common.Failed(f"{path}: not an object", "Move it away and start again.")
    return raw


def _read(path: Path) -> tuple[Any, list[Problem]]:
    """What is in a file by the device's own parser, and the keys that are there twice. Raises UnreadableError."""
    data = b""
    try:
        data = path.read_bytes()
        data.decode()
        if (zero := data.find(0)) >= 0:
            raise UnreadableError(
                path, _place(data, zero), "a zero byte, as in UTF-16; save the file as UTF-8 text"
            )
        return parse(data)
    except OSError as error:
        raise UnreadableError(path, "", error.strerror or str(error)) from error
    except UnicodeDecodeError as error:
        raise UnreadableError(
            path, _place(data, error.start), "not UTF-8 text; save the file as UTF-8"
        ) from error
    except NotJson as error:
        what, at = error.args
        words = json_errors.syntax(data, at, what)
        raise UnreadableError(path, _place(data, at), f"not valid JSON: {words}") from error


def _place(data: bytes, at: int) -> str:
    line, column = place(data, at)
    return f":{line}:{column}"


def validate(raw: Any, board: Board | None = None) -> tuple[dict[str, Any], list[Problem]]:
    """What the device makes of `raw`, and its problems in words for people. `board`: what it is checked for, by default
    the one that it names, or a classic ESP32."""
    board = board or boards.of(raw)
    config, problems = device.validate(boards.with_numbers(raw, board), board.profile)
    return config, [
        (
            level,
            where,
            config_errors.found_in_words(found, allowed, config_errors.at(raw, where)),
            config_errors.in_words(where, found, allowed, device.rules, raw, board),
        )
        for level, where, found, allowed in problems
    ]


def warnings_of(config: dict[str, Any], board: Board) -> list[Problem]:
    """What the device takes and should not be asked to do. `config`: what it made of the file."""
    return [
        ("warning", path, config_warnings.shown(value), allowed)
        for path, value, allowed in doubts(config, board)
    ]


def problems_of(path: Path) -> list[Problem]:
    """Everything there is to say about the configuration in `path`. Raises UnreadableError."""
    raw, twice = _read(path)
    board = boards.of(raw)
    config, problems = validate(raw, board)
    problems = twice + left_to_portal(raw, problems) + warnings_of(config, board)
    for i, name in enumerate(roots.listed(raw)):
        problems += _certificate(path.parent / name, f"cloud.ca_files[{i}]")
    return problems + _privacy(path)


def left_to_portal(raw: Any, problems: list[Problem]) -> list[Problem]:
    """The same, but what is missing is no error where the device's setup portal will ask for it."""
    errors = {path for level, path, *_ in problems if level == "error"}
    if (
        not isinstance(raw, dict)
        or not raw.get("portal")
        or any(path.startswith("portal") for path in errors)
    ):
        return problems
    asked = {"wifi.networks", "wifi.networks[0].ssid", "wifi.networks[0].password"}
    asked |= {f"cloud.{name}" for name, *_ in fields(raw)}

    def missing(path: str, found: str, allowed: str) -> bool:
        return path in asked and (found in ("nothing", "a list of 0") or allowed.startswith("your own value"))

    return [
        ("warning", path, found, f"{allowed}; the setup portal asks for it")
        if level == "error" and missing(path, found, allowed)
        else (level, path, found, allowed)
        for level, path, found, allowed in problems
    ]


def _certificate(file: Path, path: str) -> list[Problem]:
    found = f'"{file}"'
    try:
        data = file.read_bytes()
    except OSError as error:
        return [("error", path, f"{found}: {error.strerror}", "a certificate file beside the configuration")]
    if b"-----BEGIN" in data:
        der = "openssl x509 -in FILE -outform der -out FILE.der"
        return [("error", path, f"{found}: PEM text", f"a DER file: {der}")]
    try:
        end = roots.parsed(data).not_valid_after_utc
    except ValueError as error:
        return [("error", path, f"{found}: {error}", "one X.509 certificate in DER form")]
    left = roots.days_left(end)
    if left >= roots.SOON_DAYS:
        return []
    allowed = "a certificate that is still valid" if left < 0 else roots.NEXT
    return [("warning", path, f"{found}: {roots.until(end)}", allowed)]


def _privacy(path: Path) -> list[Problem]:
    if os.name != "posix" or not path.stat().st_mode & 0o077:
        return []
    return [("warning", str(path), "a file that others may read", f"its owner only: chmod 600 {path}")]


def _roots(path: Path, raw: Any) -> Iterator[tuple[str, int]]:
    """A line about each root that can be read, and how many days it has left."""
    for name in roots.listed(raw):
        with contextlib.suppress(OSError, ValueError):
            yield from roots.lines({name: (path.parent / name).read_bytes()})


def main(argv: list[str] | None = None) -> int:
    parser = common.parser(
        "check_config",
        "Check a device's config.json as the device does, and its certificates, which lie beside it.",
        epilog="Exit status: 0 the device would work with it, 1 it would not, 2 the file cannot be read as JSON.",
    )
    parser.add_argument(
        "file", nargs="?", type=Path, default=Path("config.json"), metavar="FILE", help="default: config.json"
    )
    path = parser.parse_args(argv).file
    try:
        raw = _read(path)[0]
        problems = problems_of(path)
    except UnreadableError as error:
        print(error, *([] if path.exists() else [error.do]), sep="\n", file=sys.stderr)
        return 2
    console = common.console()
    for level, where, found, allowed in problems:
        head = Text.assemble((level, _STYLES[level]), ": ", (where, "bold"))
        console.print(head, f"    found:   {found}", f"    allowed: {allowed}", sep="\n")
    for text, left in _roots(path, raw):
        console.print(text, style=roots.style(left))
    errors = sum(problem[0] == "error" for problem in problems)
    tally = f"{common.count(errors, 'error')}, {common.count(len(problems) - errors, 'warning')}"
    checked = f"checked for an {boards.of(raw).name}"
    if not (isinstance(raw, dict) and raw.get("board")):
        checked += ", as the file names no board"
    summary = f"{path}: {'refused' if errors else 'usable'}, {tally}; {checked}"
    console.print(summary, style="red" if errors else "green")
    return 1 if errors else 0
