"""Asks the questions of `realer config` at the terminal; answers can be taken back, and survive Ctrl-C.

A run consists of answers that were given already and of questions that are asked. To take an answer back means to
forget it and run again; to continue after Ctrl-C means to run with the earlier answers.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import questionary
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings, merge_key_bindings

from tools.cloud.site import write_private

_BACK = "c-b"
HELP = "Enter accepts the grey answer, Ctrl-B goes back one question, Ctrl-C stops and keeps the answers."

Check = Callable[[str], bool | str]
"""True, or what is wrong with a text."""


class Back(Exception):
    """The person wants the question before."""


def _answer(question: questionary.Question) -> Any:
    """What the person at the terminal answers. Ctrl-C and a signal to end are a KeyboardInterrupt, Ctrl-D where nothing
    is typed is an EOFError, Ctrl-B is Back."""
    keys, app = KeyBindings(), question.application

    @keys.add(_BACK, eager=True)
    def _(event: Any) -> None:
        event.app.exit(exception=Back())

    @keys.add("<sigint>", eager=True)  # a list and a yes or no of questionary ignore it, and Ctrl-D
    def _(event: Any) -> None:
        event.app.exit(exception=KeyboardInterrupt())

    @keys.add("c-d", eager=True, filter=Condition(lambda: not app.current_buffer.text))
    def _(event: Any) -> None:
        event.app.exit(exception=EOFError())

    app.key_bindings = merge_key_bindings([app.key_bindings or KeyBindings(), keys])
    return question.unsafe_ask()


class Answers:
    """The answers so far, by question, in order. `file`: where they are kept meanwhile, readable by their owner only;
    None keeps them nowhere. `start`: the configuration that the questions begin with."""

    def __init__(self, start: Any, say: Callable[[str], None], file: Path | None = None) -> None:
        self.start = copy.deepcopy(start)
        self.given: dict[str, Any] = {}
        self.former: dict[str, Any] = {}
        self._say, self._file = say, file
        self._asked: dict[str, int] = {}
        self._untold: list[str] = []

    def begin(self) -> Any:
        """Before each run: a copy of the configuration to begin with."""
        self._asked.clear()
        self._untold.clear()
        return copy.deepcopy(self.start)

    def back(self) -> None:
        """Forget the latest answer, which is what its question shows then."""
        if self.given:
            key, answer = self.given.popitem()
            self.former[key] = answer

    def say(self, text: str) -> None:
        """Tell the person, in front of the next question that is put."""
        self._untold.append(text)

    def flush(self) -> None:
        for text in self._untold:
            self._say(text)
        self._untold.clear()

    def text(self, path: str, name: str, default: str, check: Check) -> str:
        """`default` is shown in grey, and is the answer to nothing."""

        def ask(former: str | None) -> str:
            shown = former or default
            grey = [("class:placeholder", shown)] if shown else None
            checked = lambda text: check(text or shown)  # noqa: E731
            return _answer(questionary.text(name, validate=checked, placeholder=grey)) or shown

        return self._put(path, check, ask)

    def secret(self, path: str, name: str, check: Check) -> str:
        return self._put(path, check, lambda _: _answer(questionary.password(name, validate=check)))

    def choice(self, path: str, name: str, words: Sequence[tuple[str, str]], default: str) -> str:
        """`words`: each with a line of explanation, which may be empty."""
        known = [word for word, _ in words]
        choices = [questionary.Choice(f"{w}: {about}" if about else w, value=w) for w, about in words]

        def ask(former: str | None) -> str:
            first = former or default
            return _answer(questionary.select(name, choices, default=first if first in known else None))

        return self._put(path, known.__contains__, ask)

    def yes(self, question: str, default: bool) -> bool:
        def ask(former: bool | None) -> bool:
            return _answer(questionary.confirm(question, default=default if former is None else former))

        return self._put(question, lambda answer: isinstance(answer, bool), ask)

    def _put(self, question: str, check: Callable[[Any], Any], ask: Callable[[Any], Any]) -> Any:
        """The answer that was given already, if it still holds, else one that is given now."""
        self._asked[question] = self._asked.get(question, 0) + 1
        key = f"{question} #{self._asked[question]}"
        if key in self.given and check(self.given[key]) is True:
            self._untold.clear()
            return self.given[key]
        self.flush()
        answer = ask(self.former.get(key))
        self.given.pop(key, None)
        self.given[key] = answer
        self.keep()
        return answer

    # On disk

    def keep(self) -> None:
        if self._file:
            write_private(self._file, json.dumps({"start": self.start, "given": self.given}))

    def resume(self) -> bool:
        """Take over what an earlier run left. Whether there was something."""
        try:
            if not self._file:
                return False
            left = json.loads(self._file.read_text())
            self.start, self.given = left["start"], dict(left["given"])
        except (OSError, ValueError, TypeError, KeyError):
            return False
        return bool(self.given)

    def again(self) -> bool:
        """Whether the person wants to go on with what `resume` found."""
        return _answer(questionary.confirm("Continue where it stopped last time?", default=True))

    def forget(self) -> None:
        if self._file:
            self._file.unlink(missing_ok=True)
