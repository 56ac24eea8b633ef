"""What a device makes of what the owner wishes: the latest, in order, in its window, in range, and answered.

Owns the owner's wishes by `pin_port`, the desired states the device heard of, and what it obeyed. Pure; see `judge.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.sim.findings import Findings

LATE_S = 300.0
"""How long after it was replaced a wish may still take effect: it may be under way all that time, over a slow network
or in a session that a broker keeps."""


@dataclass
class Wish:
    value: float
    until: float = float("inf")  # when the next one replaced it


@dataclass
class Heard:
    """A desired state with an identity that the device's link handed over. `answer`: what was said to it."""

    port: str
    line: str
    sequence: int | None
    closes: float
    answer: str = ""
    excuse: str = ""


class Wishes:
    """`outputs`: items of the configuration by pin_port."""

    def __init__(self, found: Findings, outputs: dict[str, dict[str, Any]]) -> None:
        self._found, self._outputs = found, outputs
        self._wishes: dict[str, list[Wish]] = {port: [] for port in outputs}
        self._obeyed = dict.fromkeys(outputs, 0)  # index of the wish
        self._polled = dict.fromkeys(outputs, False)  # what it obeyed last had no identity
        self._sequence: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self.heard: dict[str, Heard] = {}

    def wish(self, port: str, value: float) -> None:
        """The owner wants it from now on."""
        wishes = self._wishes[port]
        if wishes:
            wishes[-1].until = self._found.now()
        wishes.append(Wish(value))

    def hear(
        self, port: str, command_id: object, desired_id: str, sequence: int | None, valid_s: float | None
    ) -> None:
        """A desired state of that command reached the decisions of the device. Numbers count for each command."""
        self._found.tell(f"heard {desired_id[-6:]}, number {sequence}, for pin {port}")
        closes = float("inf") if valid_s is None else self._found.now() + valid_s
        if desired_id not in self.heard:
            line = f"{port}/{command_id}"
            newest = self._newest.get(line, 0)
            old = sequence is not None and sequence <= newest
            self._newest[line] = max(newest, sequence or 0)
            self.heard[desired_id] = Heard(port, line, sequence, closes, excuse="not newer" if old else "")
        elif sequence is not None:
            self._correct(self.heard[desired_id], sequence, closes)

    def _correct(self, heard: Heard, sequence: int, closes: float) -> None:
        """One transport told a false number, which looked old, and now another one tells the right one."""
        if heard.excuse == "not newer" and sequence > self._newest.get(heard.line, 0):
            heard.sequence, heard.closes, heard.excuse = sequence, closes, ""
            self._newest[heard.line] = sequence

    def demanded(self, port: str, value: float, desired_id: str | None) -> None:
        """An output begins to obey the cloud, because of that desired state or of a value that was polled."""
        wrong, now, cfg = self._found.wrong, self._found.now(), self._outputs[port]
        low, high, step = cfg.get("min", 0), cfg.get("max", 1), cfg.get("step", 1)
        if not low <= value <= high or (
            step and abs((value - low) / step - round((value - low) / step)) > 0.001
        ):
            wrong(f"{cfg['name']} obeys {value}, which is out of range")
            return
        heard = self.heard.get(desired_id or "")
        if heard and now >= heard.closes:
            wrong(f"{cfg['name']} obeys {desired_id} {now - heard.closes:.0f} s after its window")
        if heard and heard.sequence is not None:
            if heard.sequence <= self._sequence.get(heard.line, 0):
                wrong(f"{cfg['name']} obeys {desired_id}, number {heard.sequence}, out of order")
            self._sequence[heard.line] = heard.sequence
        numbered = heard is not None and heard.sequence is not None
        self._in_order(port, value, numbered and self._polled[port])
        self._polled[port] = heard is None

    def resumed(self, port: str, value: float) -> None:
        """After a lapse an output obeys again what was done before it. What was wished meanwhile, and whose window
        closed before anybody heard of it, is unknown to the device."""
        wishes = self._wishes[port]
        if not wishes or wishes[self._obeyed[port]].value != value:
            self._found.wrong(
                f"{self._outputs[port]['name']} resumes {value}, which is not what it obeyed last"
            )

    def _in_order(self, port: str, value: float, overtaken: bool) -> None:
        """`overtaken`: a polled value, which has no number, may have come before a message of an older wish. Nothing
        tells the device: it obeys in the order of arrival, until the message of the newer one is there too."""
        wrong, now, name = self._found.wrong, self._found.now(), self._outputs[port]["name"]
        wishes = self._wishes[port]
        fits = [i for i, wish in enumerate(wishes) if wish.value == value]
        late = [i for i in fits if wishes[i].until > now - LATE_S]
        fresh = [i for i in late if i >= self._obeyed[port]] or (late[-1:] if overtaken else [])
        if fresh:
            self._obeyed[port] = fresh[0]
        elif not fits:
            wrong(f"{name} obeys {value}, which nobody wished")
        elif fits[-1] < self._obeyed[port]:
            wrong(f"{name} obeys {value} again, which was replaced by what it obeyed already")
        else:
            wrong(f"{name} obeys {value}, {now - wishes[fits[-1]].until:.0f} s after it was replaced")

    def answer(self, desired_id: str, status: str, follows: bool) -> None:
        """The device answers. `follows`: whether the output is now as that desired state wants it."""
        heard = self.heard.get(desired_id)
        if heard is None:
            self._found.wrong(f"{desired_id} is answered, and never was heard")
            return
        heard.answer = status
        if status == "applied" and not follows:
            self._found.wrong(f"{desired_id} is said to be applied, and the relay is another way")
        late = self._found.now() - heard.closes
        if status == "applied" and late > self._found.tick_s:
            self._found.wrong(f"{desired_id} was applied {late:.0f} s after its window")

    def excuse(self, why: str) -> None:
        """What was heard and not answered yet will not be: the power is cut."""
        for heard in self.heard.values():
            heard.excuse = heard.excuse or why

    def adopt(self, lines: set[str]) -> None:
        """The device read a catalog with these lines ("pin_port/command id"). A command that is gone answers no more,
        and begins anew when another one has been in its place."""
        for heard in self.heard.values():
            if heard.line not in lines:
                heard.excuse = heard.excuse or "the command is gone"
        taken = {line.partition("/")[0] for line in lines}
        for line in set(self._sequence) - lines:
            if line.partition("/")[0] in taken:
                del self._sequence[line]

    def settle(self) -> None:
        for desired_id, heard in self.heard.items():
            if not heard.answer and not heard.excuse:
                self._found.wrong(f"{desired_id} for pin {heard.port} was heard and never answered")
        self.heard = {}
