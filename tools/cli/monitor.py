"""`realer monitor [--port PORT] [--listen]`: show the board's log until Ctrl-C.

The program on the board is not interrupted, and Ctrl-C ends the command alone. On a terminal a line of state stays
below the log: every few seconds the firmware is asked for it, as by `realer status`. Into a pipe, and with `--listen`,
nothing is sent.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, NoReturn

from rich.console import Console
from rich.live import Live
from rich.text import Text

from tools import common
from tools.cli import board_status
from tools.serial import board_log, ports

_LOOK_S = 0.5
_ASK_S, _ASK_SOON_S = 5, 2
"""Between two questions; and where the board has said something since the last one."""
_SILENT_S = 12
"""For how long the firmware may leave the question unanswered: two requests on a slow network take as long."""


def main(argv: list[str] | None = None) -> int:
    parser = common.parser(
        "monitor",
        "Show the board's log until Ctrl-C, on a terminal with its state below. The board keeps running.",
    )
    ports.add_port(parser)
    parser.add_argument("--listen", action="store_true", help="send nothing, so there is no status line")
    options = parser.parse_args(argv)
    console = common.console()
    with board_log.listening(ports.choose(options.port)) as lines:
        if console.is_terminal and not options.listen:
            follow(lines, console)
        board_log.follow(lines, console)
    return 0


def follow(lines: board_log.Lines, console: Console) -> NoReturn:
    """Show lines for ever, and below them the state."""
    state = State(lines.clock())
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            line = lines.next(_LOOK_S)
            now = lines.clock()
            if line is not None and not state.take(line, now):
                board_log.show(line, console)
            if state.asks(now):
                lines.write(board_status.QUESTION)
            live.update(state.text(now), refresh=True)


class State:
    """What is known of the board, from what it prints. Pure: `now` is in seconds, of any clock."""

    def __init__(self, now: float) -> None:
        self._answer: dict[str, Any] = {}
        self._answered, self._asked = now, now - _ASK_S
        self._known = self._news = False
        self._said = "asked for its state"
        self._prompt = False
        self._counts: Counter[str] = Counter()

    def take(self, line: str, now: float) -> bool:
        """Whether a line is the answer to the question, and no line of the log."""
        answer = board_status.answer_of(line)
        if answer is not None:
            self._answer, self._answered, self._known = answer, now, True
        elif line.startswith("starting, slot "):
            self._known, self._prompt, self._answered, self._said = False, False, now, "starting"
        elif line.startswith(">>> "):
            self._known, self._prompt, self._said = False, True, "at the prompt: the firmware is not running"
        self._counts[board_log.level(line)] += 1
        self._news = self._news or answer is None
        return answer is not None

    def asks(self, now: float) -> bool:
        """Whether the question is due, once each time. At the prompt a question would be a command."""
        if self._prompt or now - self._asked < (_ASK_SOON_S if self._news else _ASK_S):
            return False
        self._asked, self._news = now, False
        return True

    def text(self, now: float) -> Text:
        """One line."""
        silent_s = now - self._answered
        if silent_s > _SILENT_S and not self._prompt:
            parts = [(f"no answer for {silent_s:.0f} s", "bold red")]
        elif self._known:
            parts = board_status.line(self._answer)
        else:
            parts = [(self._said, "bold yellow")]
        parts[1:1] = [
            (common.count(self._counts[level], word), style)
            for level, word, style in (("E", "error", "red"), ("W", "warning", "yellow"))
            if self._counts[level]
        ]
        line = Text(" · ", "dim").join([Text(*part) for part in parts])
        line.no_wrap, line.overflow = True, "ellipsis"
        return line
