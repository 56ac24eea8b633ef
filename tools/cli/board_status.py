"""`realer status [--port PORT] [--watch]`: the state of the board on one screen, without stopping it.

It asks at the console (`status`) and formats the answer of `firmware/runtime/status.py`. Exit status 0: the device is
online and reports no problem; 1: there is a problem, or no answer. With `--watch` the screen stays and is drawn anew
with each answer, until Ctrl-C.
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from rich.live import Live
from rich.text import Text

from tools import common
from tools.cli import roots
from tools.serial import board_log, ports

QUESTION = b"\rstatus\r"
"""The first \\r ends whatever was typed before."""
_ANSWER = "status {"
_AGAIN_S = 2
_STATES = {
    "online": "online",
    "no_network": "no network: no Wi-Fi joined, or no cable plugged in",
    "no_time": "no time from the network yet",
    "unauthorized": "not authorized by the cloud",
    "safe": "in safe state",
    "no_cloud": "the cloud is not reached",
}


def main(argv: list[str] | None = None) -> int:
    parser = common.parser(
        "status", "Show the state of the running firmware. Exit status 0: online, and nothing is wrong."
    )
    ports.add_port(parser)
    parser.add_argument("--json", action="store_true", help="print the answer as JSON, for programs")
    ports.add_within(parser, 10, "seconds to wait for an answer")
    parser.add_argument("--watch", action="store_true", help="ask again every two seconds, until Ctrl-C")
    options = parser.parse_args(argv)
    if options.watch and options.json:
        parser.error("--watch and --json exclude each other")
    with board_log.listening(ports.choose(options.port)) as lines:
        if options.watch:
            watch(lines, options.within)
        answer = ask(lines, options.within)
    if options.json:
        print(json.dumps(answer))
    else:
        common.console().print(screen(answer))
    return 0 if answer.get("state") == "online" and not ailing(answer) else 1


def ask(lines: board_log.Lines, within_s: float) -> dict[str, Any]:
    """The answer of the firmware. Raises common.Failed when none comes."""
    end = time.monotonic() + within_s
    while (left := end - time.monotonic()) > 0:
        lines.write(QUESTION)
        asked = time.monotonic()
        while (line := lines.next(min(2.0, left))) is not None and time.monotonic() < asked + 2:
            if (answer := answer_of(line)) is not None:
                return answer
    raise common.Failed(
        "no answer: the firmware is not running, or is too old for this command",
        "Press the board's reset button and look with realer monitor; a prompt means that the firmware was stopped.",
    )


def answer_of(line: str) -> dict[str, Any] | None:
    """The answer of the firmware, if the line is one. At the REPL the question comes back as an echo, without an
    answer."""
    if not line.startswith(_ANSWER):
        return None
    try:
        answer = json.loads(line.removeprefix("status "))
    except ValueError:
        return None  # bytes were lost on the wire
    return answer if isinstance(answer, dict) else None


def watch(lines: board_log.Lines, within_s: float) -> NoReturn:
    """Show each answer in the place of the one before. Raises common.Failed where no screen can stay, and when none
    comes any more."""
    console = common.console()
    if not console.is_terminal:
        raise common.Failed("--watch needs a terminal", "For a pipe leave it out, or use --json.")
    with Live(console=console, auto_refresh=False) as live:
        while True:
            live.update(screen(ask(lines, within_s)), refresh=True)
            time.sleep(_AGAIN_S)


def ailing(answer: Mapping[str, Any]) -> list[str]:
    """What a person should look at, besides the state."""
    found = [f"{name}: {why}" for name, _, _, why in answer.get("outputs", ()) if why]
    if answer.get("roots") and (left := roots.days_left(_end(answer["roots"][1]))) < roots.NOW_DAYS:
        found.append(f"its last root certificate expires in {left} days")
    found += [f"{name}: no reading" for name, value in answer.get("readings", ()) if value is None]
    if sum(answer.get("outbox", (0, 0))[1:]):
        found.append(f"{answer['outbox'][1]} events were dropped")
    return found


def line(answer: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The answer in one line, in parts with their style: those that matter most first."""
    if not answer:
        return [("the firmware is running, but has no memory for an answer", "bold yellow")]
    good = answer["state"] == "online"
    parts = [(_STATES.get(answer["state"], answer["state"]), "bold green" if good else "bold yellow")]
    for name, on, _, why in answer["outputs"]:
        parts.append((f"{name} {'on' if on else 'off'}{f' ({why})' if why else ''}", "yellow" if why else ""))
    for name, value in answer["readings"]:
        parts.append((f"{name} {'fault' if value is None else value}", "red" if value is None else ""))
    parts.append((f"{answer['heap'][1]:,} bytes free", "dim"))
    return parts


def _end(day: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(day * 86400, dt.UTC)


def screen(answer: Mapping[str, Any]) -> Text:
    """The answer in lines, as people read it."""
    if not answer:
        return Text("the firmware is running, but has no memory for an answer", "yellow")
    utc = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(answer["utc"])) if answer["utc"] else "not set"
    used, free = answer["heap"]
    waiting, dropped = answer["outbox"]
    state = _STATES.get(answer["state"], answer["state"])
    rows = [
        ("state", state, "green" if answer["state"] == "online" else "bold yellow"),
        ("safe state", "; ".join(answer["safe"]) or "left", "yellow" if answer["safe"] else ""),
        ("lease", f"{answer['lease_s']} s left" if answer["lease_s"] else "none", ""),
        *(("output", _output(*row), "") for row in answer["outputs"]),
        *(
            ("reading", f"{name}: {'fault' if value is None else value}", "")
            for name, value in answer["readings"]
        ),
        *_roots(answer.get("roots") or ()),
        ("outbox", f"{waiting} waiting, {dropped} dropped", ""),
        ("memory", f"{used:,} bytes used, {free:,} free", ""),
        ("firmware", f"{answer['version']}, slot {answer['slot']}", ""),
        (
            "running",
            f"{_span(answer['uptime_s'])}; boot {answer['boots']}, reset cause: {answer['reset']}",
            "",
        ),
        ("clock", utc, ""),
        *(("log", line, "red" if board_log.level(line) == "E" else "yellow") for line in answer["errors"]),
    ]
    return Text("\n").join(Text.assemble((f"{name:<11}", "dim"), (text, style)) for name, text, style in rows)


def _roots(days: Sequence[int]) -> Iterator[tuple[str, str, str]]:
    """When the root certificates end; days since 1970 of the first and the last, nothing of older firmware."""
    if days:
        first, last = map(_end, days)
        text = roots.until(last) if first == last else f"first {roots.until(first)}; last {roots.until(last)}"
        yield "roots", text, roots.style(roots.days_left(last))


def _output(name: str, on: bool, target: float | None, why: str | None) -> str:
    desired = "no desired value" if target is None else f"desired {target:g}"
    return f"{name}: {'on' if on else 'off'}, {desired}" + (f" ({why})" if why else "")


def _span(seconds: int) -> str:
    minutes, hours, days = seconds // 60 % 60, seconds // 3600 % 24, seconds // 86400
    return f"{days} d {hours} h {minutes} min" if seconds >= 60 else f"{seconds} s"
