"""Invariants of desired values: applied in order, in their window and range, the latest last, and acknowledged.

Here are the desired values by `pin_port`, the desired states that the device received, and what it applied. Pure; see
`invariants.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tools.kinds import span
from tools.sim.findings import Findings

LATE_S = 300.0
"""How long after it was replaced a desired value may still take effect: it may be under way all that time, over a slow
network or in a session that a broker keeps."""


@dataclass
class DesiredValue:
    value: float
    until: float = float("inf")  # when the next one replaced it


@dataclass
class ReceivedState:
    """A desired state with an identity that the device's link returned. `answer`: the status of its acknowledgement;
    `cut`: the power was cut since."""

    port: str
    line: str
    sequence: int | None
    closes: float
    answer: str = ""
    excuse: str = ""
    cut: bool = False


class DesiredStates:
    """`outputs`: items of the configuration by pin_port."""

    def __init__(self, found: Findings, outputs: dict[str, dict[str, Any]]) -> None:
        self._found, self._outputs = found, outputs
        self._desired: dict[str, list[DesiredValue]] = {port: [] for port in outputs}
        self._applied = dict.fromkeys(outputs, 0)  # index of the desired value
        self._polled = dict.fromkeys(outputs, False)  # what it applied last had no identity
        self._sequence: dict[str, int] = {}
        self._newest: dict[str, int] = {}
        self.received: dict[str, ReceivedState] = {}

    def desire(self, port: str, value: float) -> None:
        """The desired value from now on."""
        values = self._desired[port]
        if values:
            values[-1].until = self._found.now()
        values.append(DesiredValue(value))

    def receive(
        self, port: str, command_id: object, desired_id: str, sequence: int | None, valid_s: float | None
    ) -> None:
        """A desired state of that command reached the device's controller. Numbers count for each command."""
        self._found.record(f"received {desired_id[-6:]}, number {sequence}, for pin {port}")
        closes = float("inf") if valid_s is None else self._found.now() + valid_s
        if desired_id not in self.received:
            line = f"{port}/{command_id}"
            newest = self._newest.get(line, 0)
            old = sequence is not None and sequence <= newest
            self._newest[line] = max(newest, sequence or 0)
            self.received[desired_id] = ReceivedState(
                port, line, sequence, closes, excuse="not newer" if old else ""
            )
        elif sequence is not None:
            self._correct(self.received[desired_id], sequence, closes)

    def _correct(self, state: ReceivedState, sequence: int, closes: float) -> None:
        """One transport carried a false number, which looked old, and now another one carries the right one."""
        if state.excuse == "not newer" and sequence > self._newest.get(state.line, 0):
            state.sequence, state.closes, state.excuse = sequence, closes, ""
            self._newest[state.line] = sequence

    def demanded(self, port: str, value: float, desired_id: str | None) -> None:
        """An output applies a desired value, from that desired state or from a poll."""
        violated, now, cfg = self._found.violated, self._found.now(), self._outputs[port]
        low, high, step = span(cfg) or (0, 1, 1)
        if not low <= value <= high or (
            step and abs((value - low) / step - round((value - low) / step)) > 0.001
        ):
            violated(f"{cfg['name']} applies {value}, which is out of range")
            return
        state = self.received.get(desired_id or "")
        if state and now >= state.closes:
            violated(f"{cfg['name']} applies {desired_id} {now - state.closes:.0f} s after its window")
        if state and state.sequence is not None:
            # What was applied and not acknowledged when the power was cut comes again.
            again = state.cut and not state.answer
            if state.sequence < self._sequence.get(state.line, 0) + (not again):
                violated(f"{cfg['name']} applies {desired_id}, number {state.sequence}, out of order")
            self._sequence[state.line] = state.sequence
        numbered = state is not None and state.sequence is not None
        self._in_order(port, value, numbered and self._polled[port])
        self._polled[port] = state is None

    def resumed(self, port: str, value: float) -> None:
        """After safe state an output applies again what it applied before. A desired value from that time, whose window
        closed before the device received it, is unknown to the device."""
        values = self._desired[port]
        if not values or values[self._applied[port]].value != value:
            self._found.violated(
                f"{self._outputs[port]['name']} resumes {value}, which is not what it applied last"
            )

    def _in_order(self, port: str, value: float, overtaken: bool) -> None:
        """`overtaken`: a polled value, which has no number, may have come before a message of an older one. The device
        cannot know: it applies them in the order of arrival, until the message of the newer one is there too."""
        violated, now, name = self._found.violated, self._found.now(), self._outputs[port]["name"]
        values = self._desired[port]
        fits = [i for i, desired in enumerate(values) if desired.value == value]
        late = [i for i in fits if values[i].until > now - LATE_S]
        fresh = [i for i in late if i >= self._applied[port]] or (late[-1:] if overtaken else [])
        if fresh:
            self._applied[port] = fresh[0]
        elif not fits:
            violated(f"{name} applies {value}, which was never desired")
        elif fits[-1] < self._applied[port]:
            violated(f"{name} applies {value} again, which was replaced by what it applied already")
        else:
            violated(f"{name} applies {value}, {now - values[fits[-1]].until:.0f} s after it was replaced")

    def answer(self, desired_id: str, status: str, follows: bool) -> None:
        """The device answers. `follows`: whether the output now has that value."""
        state = self.received.get(desired_id)
        if state is None:
            self._found.violated(f"{desired_id} is acknowledged, and was never received")
            return
        state.answer = status
        if status == "applied" and not follows:
            self._found.violated(f"{desired_id} is reported as applied, and the relay is in another state")
        late = self._found.now() - state.closes
        if status == "applied" and late > self._found.tick_s:
            self._found.violated(f"{desired_id} was applied {late:.0f} s after its window")

    def excuse(self, why: str) -> None:
        """What was received and not acknowledged yet will not be: the power is cut."""
        for state in self.received.values():
            state.excuse, state.cut = state.excuse or why, True

    def bind(self, lines: set[str]) -> None:
        """The device read a catalog with these lines ("pin_port/command id"). A command that is gone acknowledges
        nothing any more, and begins anew when another one has been in its place."""
        for state in self.received.values():
            if state.line not in lines:
                state.excuse = state.excuse or "the command is gone"
        taken = {line.partition("/")[0] for line in lines}
        for line in set(self._sequence) - lines:
            if line.partition("/")[0] in taken:
                del self._sequence[line]

    def pending(self) -> list[str]:
        """What was received and has still to be acknowledged."""
        return [name for name, state in self.received.items() if not state.answer and not state.excuse]

    def check_end(self) -> None:
        for name in self.pending():
            self._found.violated(
                f"{name} for pin {self.received[name].port} was received and never acknowledged"
            )
        self.received = {}
