"""The host's side of `firmware/outputs/pulse.py`; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MEANING = "the cloud says 1, and it goes off by itself: a door strike"
ABOUT = {"pulse_ms": "After how many milliseconds does it go off by itself? 500 for most door strikes."}


def doubts(output: Mapping[str, Any], sensor: Any, unit: str) -> Iterator[tuple[str, str]]:
    if output["min_on_s"] * 1000 > output["pulse_ms"]:
        yield "min_on_s", "at most pulse_ms, which it lengthens"
