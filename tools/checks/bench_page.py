"""Writes the page with the figures that depend on others: beside peers, and how cost grows.

Every section of the page says when and where it was measured. A run replaces the sections that it measured, and leaves
the others as they are.
"""

from __future__ import annotations

import datetime as dt
import os
import platform
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.checks.figures import Line
from tools.env import aptroot, mosquitto
from tools.env.interpreter import Interpreter

_INTRO = """\
# Benchmarks

The command named at the top of a section writes that section. The figures are of one machine and its loopback, so
compare them with each other and not with those of a board. A cell has the median of the rounds, and in brackets the
least and the most. [Memory](memory.md) and [Reliability](reliability.md) have what was measured of the whole
firmware.
"""
_CLIENTS, _CURVES = "Beside other clients", "How cost grows"
_COLUMNS = {
    "publish_ms": "QoS 1 publish, one after the other (ms)",
    "rate": "QoS 1 publishes a second, as many at once as it lets",
    "echo_ms": "echo (ms)",
    "get_ms": "GET (ms)",
    "connect_ms": "connect (ms)",
    "import_ms": "import (ms)",
    "heap": "heap once connected (bytes)",
    "code": "of which code (bytes)",
}
_METHOD = """\
Measured with `realer bench --only peers --page docs/benchmarks.md` on {where}.

All clients had the same mosquitto, web server and certificates, and took turns; all but paho-mqtt had the same
interpreter. Each verified the server over TLS where nothing else is said. *Echo*: from the call of publish until both
the acknowledgement and the message are there; of a TLS echo, until the bytes are. *GET*: of lib/http1 on an open
connection. *Heap*: what is in use beyond an interpreter that has asyncio; the modules were compiled from their
sources, and their code counts with the TLS context.
"""

_GROWTH = """\
Measured with `realer bench --only curves --page docs/benchmarks.md` on {where}.

Bytes and seconds of polls, reports and hours are those of the whole firmware in virtual time, with a round trip of
60 ms. *On the wire*: with the handshakes, and what TLS 1.2, TCP and IP add, by calculation. *Radio*: for how long
something was on its way or could be answered. Start and desired states are those of a virtual board with the memory
of an ESP32, on a processor that is far faster. *Growth*: what one costs more than at the point before, at the worst
point; 1 is linear, and up to 1.25 counts as that.
"""


def about(found: Interpreter) -> str:
    """When and where: a sentence for people."""
    version = ".".join(map(str, found.version))
    system = aptroot.release().get("PRETTY_NAME", platform.system())
    return (
        f"{dt.datetime.now(dt.UTC):%Y-%m-%d}, MicroPython {version} ({found.bits}-bit), CPython "
        f"{platform.python_version()}, mosquitto {mosquitto.find().version}; {_processor()}, "
        f"{os.cpu_count()} cores, {system}"
    )


def write(page: Path, lines: Iterable[Line], where: str) -> None:
    """Replace the sections of `page` that `lines` has figures for. `where`: see `about`."""
    lines = list(lines)
    sections = _sections(page.read_text(encoding="utf-8")) if page.exists() else {}
    for heading, text in ((_CLIENTS, _clients(lines)), (_CURVES, _curves(lines))):
        if text:
            sections[heading] = text.replace("{where}", where)
    body = "".join(f"\n## {heading}\n\n{text.strip()}\n" for heading, text in sections.items())
    page.write_text(_INTRO + body, encoding="utf-8")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown, with a line break after it."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def aims(lines: Iterable[Line]) -> str:
    """The table of lines that have an aim, or are a plain number."""
    rows = []
    for each in lines:
        must = each.get("must")
        aim = "" if must is None else f"at {'most' if not each.get('at_least') else 'least'} {_number(must)}"
        rows.append((_what(each), _number(each["value"]), aim, "" if must is None else _met(each)))
    return table(("figure", "measured", "aim", ""), rows)


def _sections(text: str) -> dict[str, str]:
    """The sections of a page by their headings, in order."""
    parts = re.split(r"(?m)^## (.+)\n", text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _clients(lines: list[Line]) -> str:
    mine = [each for each in lines if each["figure"].startswith("beside peers")]
    clients = [each for each in mine if "value" not in each]
    if not clients:
        return ""
    rows = [
        (each["figure"].partition(": ")[2], *(_cell(each.get(key)) for key in _COLUMNS)) for each in clients
    ]
    notes = "".join(
        f"* {each['figure'].partition(': ')[2]}{_version(each)}.\n"
        for each in clients if {"version", "note", "skipped", "tls"} & each.keys()
    )  # fmt: skip
    clients_table = table(("client", *_COLUMNS.values()), rows)
    return "\n".join((_METHOD, clients_table, notes, aims(each for each in mine if "value" in each)))


def _curves(lines: list[Line]) -> str:
    curves = [each for each in lines if each["figure"].startswith("cost grows: ")]
    hours = [each for each in lines if "radio_s" in each]
    others = [each for each in lines if each["figure"].startswith("cost: ") and each not in hours]
    if not curves:
        return ""
    rows = []
    for each in curves:
        pairs = zip(each["at"], each["costs"], strict=True)
        points = "; ".join(f"{_number(at)}: {_number(cost)}" for at, cost in pairs)
        rows.append((_what(each), points, _number(each["value"]), _met(each)))
    hourly = [
        (_what(each), *(_number(each[key]) for key in ("value", "on_the_wire", "radio_s", "dials")))
        for each in hours
    ]
    return "\n".join(
        (
            _GROWTH,
            table(("cost of", "how many: cost", "growth", ""), rows),
            table(("cost of", "bytes", "on the wire (bytes)", "radio (s)", "handshakes"), hourly),
            aims(others),
        )
    )


def _met(each: Line) -> str:
    return "met" if each["ok"] else f"**missed**: {each.get('why', 'not known why')}"


def _version(each: Mapping[str, Any]) -> str:
    parts = [each[key] for key in ("version", "note", "tls", "skipped") if key in each]
    return (" " if "version" in each else ": ") + "; ".join(parts)


def _what(each: Line) -> str:
    figure: str = each["figure"]
    return figure.removeprefix("beside peers, ").removeprefix("cost: ").removeprefix("cost grows: ")


def _cell(value: Any) -> str:
    """A spread: the median, and the least and the most."""
    return "" if value is None else f"{_number(value[0])} ({_number(value[1])} to {_number(value[2])})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def _processor() -> str:
    """What the machine calls its processor."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"(?m)^model name\s*: (.+)$", info.read_text()) if info.exists() else None
    return named[1].strip() if named else platform.machine()
