"""Restores the names of the sources in a traceback of bundled code (docs/decisions/0019).

This is right for a board that runs the firmware of this tree. The line number is always 1 and means nothing
(docs/decisions/0007).
"""

from __future__ import annotations

import functools
import re

from tools.build.bundler import sources
from tools.build.mangler import Mangler
from tools.build.mpy import CompileError
from tools.repository import ROOT

_FRAME = re.compile(r'(  File "(?:.*/)?(\w+)(?:\.py)?", line \d+, in )(\w+)')


def readable(line: str) -> str:
    """A line of a board's output, as it should be shown."""
    frame = _FRAME.fullmatch(line)
    return frame[1] + _functions().get(frame[2], {}).get(frame[3], frame[3]) if frame else line


@functools.cache
def _functions() -> dict[str, dict[str, str]]:
    """By unit, what a function is called in the sources; linking takes seconds, so not before it is needed.

    Nothing for a tree that cannot be bundled at the moment: the board says what it says all the same.
    """
    try:
        return Mangler(sources(ROOT)).functions()
    except (CompileError, SyntaxError):
        return {}
