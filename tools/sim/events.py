"""Invariants of events: each one that a device accepted is stored by the cloud exactly once, or lost for a known
reason.

It follows each event from the outbox to the cloud, by its `message_id`. Pure; see `invariants.py`.
"""

from __future__ import annotations

from collections.abc import Iterable

from tools.sim.findings import Findings

BATCH = 20
"""What one request takes: so many newer events may wait at any moment."""
WAITING, ACCEPTED, REFUSED, DROPPED, LOST = "waiting", "accepted", "refused", "dropped", "lost"


class Events:
    """`state`: message_id: one of the words above. LOST: a power cut came before it was written down."""

    def __init__(self, found: Findings) -> None:
        self._found = found
        self.state: dict[str, str] = {}
        self._past: set[str] = set()
        self._expected: set[str] = set()
        self._stored: set[str] = set()
        self._answers: dict[str, str] = {}  # desired_id: message_id

    def posted(self, message_id: str, desired_id: str | None) -> None:
        """A new event is in the outbox."""
        violated = self._found.violated
        if message_id in self.state or message_id in self._past:
            violated(f"{message_id} is the name of an earlier event")
        self.state[message_id] = WAITING
        if desired_id is not None:
            earlier = self._answers.setdefault(desired_id, message_id)
            if earlier != message_id:
                violated(f"{desired_id} was answered as {earlier} and again as {message_id}")

    def again(self, message_id: str) -> None:
        """An event that was acknowledged waits once more: the cloud asked again."""
        if message_id not in self.state and message_id not in self._past:
            self._found.violated(f"{message_id} is sent again, and never was")
        self.state[message_id] = WAITING

    def dropped(self, message_id: str, command: bool, readings_left: bool) -> None:
        """The outbox was full."""
        self.state[message_id] = DROPPED
        if command and readings_left:
            self._found.violated(f"{message_id} was dropped, a command report, before a reading")

    def answered(self, message_id: str, ok: bool) -> None:
        """The cloud acknowledged it to the device, or refused it."""
        self.state[message_id] = ACCEPTED if ok else REFUSED

    def cut(self, unwritten: Iterable[str]) -> None:
        """The plug is about to be pulled: what is not written down yet may be lost."""
        for message_id in unwritten:
            self.state[message_id] = LOST

    def came_back(self, reports: Iterable[str], dropped: int) -> None:
        """What waits after a start. So many were `dropped`, for those came back too that were acknowledged in the
        minute before the cut."""
        waiting = set(reports)
        for message_id in sorted(waiting):
            if message_id not in self.state and message_id not in self._past:
                self._found.violated(f"{message_id} came back, and never was")
            self.state[message_id] = WAITING
        missing = [i for i, state in self.state.items() if state == WAITING and i not in waiting]
        for message_id in missing:
            self.state[message_id] = DROPPED
        for message_id in missing[dropped:]:
            self._found.violated(f"{message_id} was written down and did not come back")

    # what the cloud records

    def stored(self, message_id: str) -> None:
        if message_id in self._stored:
            self._found.violated(f"{message_id} was stored twice")
        if message_id not in self.state and message_id not in self._past:
            self._found.violated(f"{message_id} was stored, and never was an event")
        self._stored.add(message_id)

    def has(self, message_id: str) -> None:
        """The cloud has it, or a newer one of the same source, which is all that one without identities asks for."""
        self._stored.add(message_id)

    def conflicts(self, message_id: str) -> None:
        self._found.violated(f"{message_id} was sent with two contents")

    # in a time without faults

    def expect(self) -> None:
        """What waits now is expected to arrive. Newer events come all the time, so some wait whenever one looks."""
        self._expected = self._waiting()

    def behind(self) -> bool:
        """Whether something expected waits still, or too much does."""
        waiting = self._waiting()
        return not self._expected.isdisjoint(waiting) or len(waiting) > BATCH

    def _waiting(self) -> set[str]:
        return {i for i, state in self.state.items() if state == WAITING}

    def check_end(self) -> None:
        for message_id, state in self.state.items():
            due = state == ACCEPTED or (state == WAITING and message_id in self._expected)
            if due and message_id not in self._stored:
                self._found.violated(f"{message_id} is {state}, and the cloud does not have it")
        if len(self._waiting()) > BATCH:
            self._found.violated(f"{len(self._waiting())} events wait, a request takes {BATCH}")
        self._past |= set(self.state)
        self.state = {i: s for i, s in self.state.items() if s == WAITING and i not in self._stored}
