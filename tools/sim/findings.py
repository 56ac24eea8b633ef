"""Violations that the invariants of a simulation found, and the timeline before them."""

from __future__ import annotations

from collections.abc import Callable

_KEPT = 400


class Findings:
    """`violations` and `timeline` are texts, the latter the newest only. `now()`: virtual seconds; `tick_s`: period of
    the control loop, the tolerance of everything it does."""

    def __init__(self, now: Callable[[], float], tick_s: float) -> None:
        self.now, self.tick_s = now, tick_s
        self.violations: list[str] = []
        self.timeline: list[str] = []

    def record(self, text: str) -> None:
        self.timeline.append(f"{self.now():10.1f}  {text}")
        del self.timeline[:-_KEPT]

    def violated(self, text: str) -> None:
        self.record("VIOLATION " + text)
        self.violations.append(f"{self.now():.1f} s: {text}")
