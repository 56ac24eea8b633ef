"""The host's side of a plain switch; `tools/kinds.py` says what is looked for here."""

from __future__ import annotations

MEANING = "the cloud says 0 or 1"
ABOUT: dict[str, str] = {}
