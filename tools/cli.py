"""What the commands of `python -m tools` have in common: how they fail, how they talk, how they show long work.

Exit status of every command: 0 done, 1 refused or failed (what went wrong and what to do is on standard error), 2 wrong
usage, 130 stopped with Ctrl-C. Colours and moving bars only on a terminal; NO_COLOR turns colours off.
A command is a module with `main(argv) -> int`; its last line is `sys.exit(cli.run(main))`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Main = Callable[[list[str] | None], int]


class Failed(Exception):
    """A command could not do its work: `what` went wrong, and what the person may `do` about it. Never a secret."""

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what)
        self.what, self.do = what, do


def run(main: Main, argv: list[str] | None = None) -> int:
    """Run a command's `main`, and turn what stops it into words and an exit status."""
    try:
        return main(argv)
    except Failed as failed:
        errors = console(stderr=True)
        errors.print(f"error: {failed.what}", style="red")
        if failed.do:
            errors.print(failed.do)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def console(stderr: bool = False) -> Console:
    """Where a command prints: words stay as they are, and are not cut at the edge of the window."""
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def progress(on: Console) -> Progress:
    """A bar for work of more than a second; where nobody watches, only its end is printed."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=on, disable=not on.is_terminal)
