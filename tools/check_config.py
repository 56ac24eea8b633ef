"""Check a device's config.json on the host: `python -m tools.check_config FILE`.

Runs the very validator the device runs, and adds what only a computer with the files at hand can see (where a JSON
syntax error is, whether the certificate files are there and are certificates, whether others can read the secrets) and
what the device spares its memory: rules in more words, the key that a misspelt one may have meant, and warnings of
settings that do no harm but make no sense together.
Exit status: 0 nothing that stops the device, 1 errors, 2 the file cannot be read as JSON.
"""

from __future__ import annotations

import argparse
import datetime
import difflib
import json
import os
import re
import sys
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from cryptography import x509

Problem = tuple[str, str, str, str]
Rules = Callable[[str], list[str]]

_COLOURS = {"error": "\033[31m", "warning": "\033[33m", "path": "\033[1m", "good": "\033[32m"}
_RESET = "\033[0m"


class UnreadableError(Exception):
    """The file is not there or is no JSON; the message says why and where."""


def load(path: Path) -> Any:
    """The parsed content of `path`. Raises UnreadableError."""
    try:
        text = path.read_text(encoding="utf-8")
        return json.loads(text)
    except OSError as error:
        raise UnreadableError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UnreadableError(
            f"{path}: byte {error.start} is not UTF-8 text; save the file as UTF-8"
        ) from error
    except json.JSONDecodeError as error:
        where = f"{path}:{error.lineno}:{error.colno}"
        raise UnreadableError(f"{where}: not valid JSON: {_hint(text, error)}") from error
    except (RecursionError, ValueError) as error:  # nesting without end, or a number of thousands of digits
        raise UnreadableError(f"{path}: not usable JSON: {error}") from error


def device() -> types.ModuleType:
    """The device's own check: `validate(raw)`, `rules(section)`."""
    # The device's modules take const() from MicroPython's own module.
    shim = types.ModuleType("micropython")
    shim.const = lambda value: value  # type: ignore[attr-defined]
    sys.modules.setdefault("micropython", shim)
    from firmware.core import config  # noqa: PLC0415  not before the shim is in place

    return config


def validate(raw: Any) -> tuple[dict[str, Any], list[Problem]]:
    """What the device makes of `raw`, and its problems in words for people."""
    config, problems = device().validate(raw)
    return config, [
        (level, where, found, in_words(where, allowed, device().rules))
        for level, where, found, allowed in problems
    ]


def problems_of(path: Path) -> list[Problem]:
    """Everything there is to say about the configuration in `path`. Raises UnreadableError."""
    raw = load(path)
    config, problems = validate(raw)
    problems = left_to_portal(raw, problems)
    if config.get("portal") and config.get("wifi", 0) is None:
        allowed = "wifi too: without it the network counts as there, and the setup portal stays shut"
        problems.append(("warning", "portal", "no wifi", allowed))
    outputs = config.get("outputs", [])
    groups = [output["interlock"] for output in outputs]
    for i, output in enumerate(outputs):
        for key, allowed in _pointless(output, groups.count(output["interlock"]) == 1):
            problems.append(("warning", f"outputs[{i}].{key}", json.dumps(output[key]), allowed))
    for i, name in enumerate(_ca_files(raw)):
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
    device()
    from firmware.core.setup_form import fields  # noqa: PLC0415  as above

    asked = {"wifi.networks", "wifi.networks[0].ssid", "wifi.networks[0].password"}
    asked |= {f"cloud.{name}" for name, *_ in fields(raw)}

    def missing(path: str, found: str, allowed: str) -> bool:
        return path in asked and (found in ("nothing", "a list") or allowed.startswith("your own value"))

    return [
        ("warning", path, found, f"{allowed}; the setup portal asks for it")
        if level == "error" and missing(path, found, allowed)
        else (level, path, found, allowed)
        for level, path, found, allowed in problems
    ]


_KINDS = {
    "text": "{} bytes of text",
    "secret": "{} bytes of text",
    "port": "{} bytes of text, or a whole number",
    "id": "{} letters, digits, - and _",
    "list": "a list of {}",
    "object": "an object",
}


def in_words(path: str, allowed: str, rules: Rules) -> str:
    """What the device says to be `allowed`, for people."""
    if allowed == "no such key":
        return f"{allowed}{_meant(path, rules)}"
    kind, size, _ = f"{allowed}  ".split(" ", 2)
    if kind in _KINDS and (size[:1].isdigit() or not size):
        return _KINDS[kind].format(size.replace("|", " or "))
    if re.fullmatch(r"\d+\.\.\d+", kind):
        return f"a whole number, {allowed}"
    return allowed.replace("|", ", ")


def _meant(path: str, rules: Rules) -> str:
    """What the unknown key at `path` may have meant: text to put behind "no such key", or nothing."""
    parent, _, key = path.rpartition(".")
    known = {}
    for line in rules(parent.rpartition(".")[2].partition("[")[0] or "config"):
        chooser, words = line.split(" ")[:2]
        known[chooser] = ""
        for word in words.split("|"):
            for extra in rules(word):
                known.setdefault(extra.split(" ")[0], f' without {chooser} "{word}"')
    if key in known:
        return known[key]
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.75)
    return f"; {near[0]}?" if near else ""


def _pointless(output: dict[str, Any], alone: bool) -> Iterator[tuple[str, str]]:
    """Settings of a valid output that contradict each other without doing harm: (key, what would make sense)."""
    limit = output["max_on_s"]
    if limit and output["min_on_s"] > limit:
        yield "min_on_s", "at most max_on_s, which overrules it"
    if limit and output["safe"] == "on":
        yield "max_on_s", '0: with safe "on" it would still go off'
    if alone and output["interlock"] is not None:
        yield "interlock", "the group of another output too"
    if output["mode"] == "setpoint" and output["step"] > output["max"] - output["min"]:
        yield "step", "at most max - min: no setpoint but min could be reached"


def _ca_files(raw: Any) -> list[str]:
    """The certificate files named in `raw`, which may still be wrong in any way."""
    cloud = raw.get("cloud") if isinstance(raw, dict) else None
    names = cloud.get("ca_files") if isinstance(cloud, dict) else None
    return (
        [name for name in names if isinstance(name, str) and "\0" not in name]
        if isinstance(names, list)
        else []
    )


def _hint(text: str, error: json.JSONDecodeError) -> str:
    before = text[: error.pos].rstrip()
    if text[error.pos :].lstrip()[:1] in ("}", "]") or (
        before[-1:] == "," and error.msg.startswith("Illegal")
    ):
        return f"{error.msg} (is there a comma after the last item?)"
    if text[error.pos : error.pos + 1] in ("/", "#"):
        return f"{error.msg} (JSON has no comments)"
    return error.msg


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
        expires = x509.load_der_x509_certificate(data).not_valid_after_utc
    except ValueError:
        return [("error", path, f"{found}: no certificate", "one X.509 certificate in DER form")]
    if expires < datetime.datetime.now(datetime.UTC):
        return [
            ("warning", path, f"{found}: expired on {expires:%Y-%m-%d}", "a certificate that is still valid")
        ]
    return []


def _privacy(path: Path) -> list[Problem]:
    if os.name != "posix" or not path.stat().st_mode & 0o077:
        return []
    return [("warning", str(path), "a file that others may read", f"its owner only: chmod 600 {path}")]


def _report(problems: list[Problem], colour: bool) -> None:
    for level, path, found, allowed in problems:
        if colour:
            level = f"{_COLOURS[level]}{level}{_RESET}"
            path = f"{_COLOURS['path']}{path}{_RESET}"
        print(f"{level}: {path}\n    found:   {found}\n    allowed: {allowed}")


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tools.check_config",
        description="Check a device's config.json as the device does, and its certificates, which lie beside it.",
        epilog="Exit status: 0 the device would work with it, 1 it would not, 2 the file cannot be read as JSON.",
    )
    parser.add_argument("file", type=Path, metavar="FILE", help="the device's config.json")
    path = parser.parse_args(argv).file
    try:
        problems = problems_of(path)
    except UnreadableError as error:
        print(error, file=sys.stderr)
        return 2
    colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    _report(problems, colour)
    errors = sum(problem[0] == "error" for problem in problems)
    warnings = len(problems) - errors
    verdict = f"{path}: {'refused' if errors else 'usable'}, {errors} errors, {warnings} warnings"
    print(f"{_COLOURS['error' if errors else 'good']}{verdict}{_RESET}" if colour else verdict)
    return 1 if errors else 0


if __name__ == "__main__":
    raise SystemExit(main())
