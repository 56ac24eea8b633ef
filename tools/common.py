"""What all commands of `realer` share: how they fail, print and show long work.

Exit status of every command: 0 done, 1 refused or failed (the problem and the remedy are on standard error), 2 wrong
usage, 130 stopped with Ctrl-C. A terminal that closes, SIGTERM and a reader that closes the pipe (`| head`) end a
command in order, as Ctrl-C does; the status is then 129, 143 or 141, except where the command ends that way normally.
Colours and moving bars appear only on a terminal; NO_COLOR turns colours off. A command is a module with `main(argv) ->
int`.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import io
import json
import math
import os
import re
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import IO, Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

Main = Callable[[list[str] | None], int]
_OUTPUT_S = 120


class Failed(Exception):
    """A command could not do its work: `what` went wrong, and what the person may `do` about it. Never a secret."""

    def __init__(self, what: str, do: str = "") -> None:
        super().__init__(what)
        self.what, self.do = what, do


def run(main: Main, argv: list[str] | None = None) -> int:
    """Run a command's `main`, and turn what stops it into words and an exit status."""
    ending = _Ending()
    _any_streams()
    try:
        with ending.watched():
            try:
                return main(argv)
            finally:
                sys.stdout.flush()
    except Failed as failed:
        return _fail(failed)
    except BrokenPipeError:
        _to_nobody(sys.stdout)
        return 128 + signal.SIGPIPE
    except OSError as error:
        return _fail(_of_files(error))
    except (KeyboardInterrupt, EOFError):  # the latter: Ctrl-D at a question
        number = signal.SIGPIPE if _Console.gone else ending.number
        if number is None:
            print("stopped", file=sys.stderr)
        return 128 + (number or signal.SIGINT)


def _fail(failed: Failed) -> int:
    errors = console(stderr=True)
    errors.print(f"error: {failed.what}", style="red")
    if failed.do:
        errors.print(failed.do)
    return 1


def _any_streams() -> None:
    """Let a command print anything: to a terminal that lacks a letter, and to a stream that was closed (`>&-`)."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


_REMEDIES = {
    errno.ENOSPC: "Make room on that disk, and try again.",
    errno.EROFS: "Name a place that can be written to.",
    errno.EISDIR: "Name a file, not a folder.",
    errno.ENOTDIR: "A file is where a folder is needed: name another place.",
    errno.EEXIST: "A file is where a folder is needed: name another place.",
    errno.ENOENT: "Check the path: its folder has to be there.",
} | dict.fromkeys((errno.EACCES, errno.EPERM), "Look whose it is with ls -l, or name another place.")


def _of_files(error: OSError) -> Failed:
    """What is wrong with a file, a folder or the disk, in words. Any other error of the system is raised again."""
    name = error.filename2 or error.filename
    if name is None and error.errno != errno.ENOSPC:
        raise error
    if name is None:
        _to_nobody(sys.stdout)  # which may be what is full
    words = error.strerror or str(error)
    return Failed(f"{name}: {words}" if name else words, _REMEDIES.get(error.errno or 0, ""))


class _Ending:
    """Makes of the signals that ask for an end what Ctrl-C is. `number`: the one that came."""

    def __init__(self) -> None:
        self.number: int | None = None
        self._process = os.getpid()

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        before = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGHUP, signal.SIGTERM):
                if signal.getsignal(number) == signal.SIG_DFL:  # whoever ignores it, such as nohup, means it
                    before[number] = signal.signal(number, self._came)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _came(self, number: int, frame: FrameType | None) -> None:
        if os.getpid() != self._process:  # a worker, which was begun meanwhile and has this from its parent
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        if self.number is not None:
            return  # it ends already; a closing terminal says so more than once
        self.number = number
        if number == signal.SIGHUP:
            for stream in (sys.stdout, sys.stderr):
                if stream.isatty():
                    _to_nobody(stream)
        stop()


def stop() -> None:
    """As if Ctrl-C had been pressed, also where that is ignored because this runs in the background."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        raise KeyboardInterrupt
    signal.raise_signal(signal.SIGINT)


def _to_nobody(stream: IO[str]) -> None:
    """What is written from now on is gone."""
    nobody = os.open(os.devnull, os.O_WRONLY)
    with contextlib.suppress(OSError, ValueError):  # no real file
        os.dup2(nobody, stream.fileno())
    os.close(nobody)


class _Console(Console):
    """One whose reader may go, such as `head`: that ends the command as Ctrl-C does. `gone`: it went."""

    gone = False

    def on_broken_pipe(self) -> None:
        _Console.gone = self.quiet = True
        _to_nobody(self.file)
        stop()


def console(stderr: bool = False) -> Console:
    """Where a command prints: words stay as they are, and are not cut at the edge of the window."""
    return _Console(stderr=stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def parser(command: str, description: str, **more: Any) -> argparse.ArgumentParser:
    """That of `realer COMMAND`."""
    return argparse.ArgumentParser(prog=f"realer {command}", description=description, **more)


def number(low: float, high: float = math.inf, of: type[int] | type[float] = int) -> Callable[[str], Any]:
    """The type of an option that takes numbers from `low` to `high`."""

    def parsed(text: str) -> float:
        try:
            value: float = of(text)
        except ValueError:
            value = math.nan
        if not low <= value <= high:
            kind = "whole numbers" if of is int else "numbers"
            span = f"from {low} on" if high == math.inf else f"{low}..{high}"
            raise argparse.ArgumentTypeError(f"found {text!r}, allowed: {kind} {span}")
        return value

    return parsed


def command(*places: str) -> Callable[[str], list[str]]:
    """The type of an option that takes a command of the owner's, as its words; `places` have to be in it."""

    def words(text: str) -> list[str]:
        missing = [place for place in places if place not in text]
        if missing:
            raise argparse.ArgumentTypeError(f"{missing[0]} is missing in {text!r}")
        try:
            found = shlex.split(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r}: {error}") from None
        if not found:
            raise argparse.ArgumentTypeError("no command")
        return found

    return words


def keep_others(out: Path, begins: str) -> None:
    """Raise Failed if the file to write is there and is another one than a former run would have written, which begins
    so, or if it cannot be written at all."""
    if not out.parent.is_dir():
        raise Failed(f"{out.parent} is no folder", "Name a file in one that is there.")
    if out.is_dir() or (out.exists() and out.read_bytes()[: len(begins)] not in (b"", begins.encode())):
        raise Failed(f"{out} is there and is something else", "Name another file, or move that one away.")


def heap(text: str) -> str:
    """The type of an option that takes the size of a heap, such as 4m."""
    if not re.fullmatch(r"[1-9]\d*[kKmM]?", text):
        raise argparse.ArgumentTypeError(f"found {text!r}, allowed: a number of bytes, such as 400k or 4m")
    return text


PORT = number(0, 65535)
"""A TCP port to listen at, 0 for any."""


def add_json(parser: argparse.ArgumentParser) -> None:
    """The option of a long run whose results are lines of JSON."""
    parser.add_argument(
        "--json", action="store_true", help="lines of JSON on a terminal, too, as into a pipe"
    )


class LongRun:
    """A run of minutes to hours: on a terminal a moving bar and a line for people from each result, into a pipe or with
    `--json` nothing but the results as JSON lines. `steps`: how many there are."""

    def __init__(self, what: str, steps: float, as_json: bool) -> None:
        self._console = console()
        self._bar = progress(self._console)
        self._bar.disable = self._bar.disable or as_json
        self._steps = steps
        self._what = what

    def __enter__(self) -> LongRun:
        self._bar.start()
        self._task = self._bar.add_task(self._what, total=self._steps)
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def begins(self, what: str) -> None:
        """What is worked on now."""
        self._bar.update(self._task, description=what)

    def step(self, count: float = 1) -> None:
        """So much more is done."""
        self._bar.advance(self._task, count)

    def result(self, found: dict[str, Any]) -> None:
        if self._bar.disable:
            print(json.dumps(found), flush=True)
            return
        good = found.get("ok", True)
        words = "   ".join(f"{name} {_short(value)}" for name, value in found.items() if name != "ok")
        self._console.print(f"{'ok' if good else 'NOT OK':<7}{words}", style="" if good else "red")

    def print(self, text: str) -> None:
        self._console.print(text)


def _short(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} {_short(one)}" for name, one in value.items()) + "}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def output_of(argv: list[str], name: str) -> str:
    """What a command of the owner's printed. Raises Failed, which calls the command `name` and has what it printed as
    errors."""
    try:
        done = subprocess.run(
            argv, capture_output=True, text=True, timeout=_OUTPUT_S, stdin=subprocess.DEVNULL
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = error.strerror if isinstance(error, OSError) else f"no end in {_OUTPUT_S} s"
        raise Failed(f"{name}: {reason}") from None
    if done.returncode:
        raise Failed(f"{name} failed, with status {done.returncode}", done.stderr.strip())
    return done.stdout


def progress(on: Console) -> Progress:
    """A bar for work of more than a second; where nobody watches, only its end is printed."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=on, disable=not on.is_terminal)


def count(number: int, word: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {word}{'' if number == 1 else 's'}"
