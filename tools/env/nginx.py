"""Fetches an nginx, which stands in front of the simulated cloud in tests, and says how to start it.

It is unpacked from the machine's own package mirror into `.cache/nginx/` (Debian family, no root needed). `argv` never
uses the network.
"""

from __future__ import annotations

from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.repository import ROOT

CACHE = ROOT / ".cache" / "nginx"
_PROGRAM = "usr/sbin/nginx"


def argv(cache: Path = CACHE) -> list[str]:
    """How to start it; options are to follow. Raises Failed."""
    if not (cache / "root" / _PROGRAM).exists():
        raise Failed("no nginx here", "Run realer fetch nginx.")
    return aptroot.argv(cache / "root", _PROGRAM)


def fetch(cache: Path = CACHE, etc: Path = aptroot.ETC) -> list[str]:
    """Make sure that it is there. Raises Failed."""
    with aptroot.only_one_at_a_time(cache, "nginx"):
        if not (cache / "root" / _PROGRAM).exists():
            aptroot.fetch("nginx-light", "nginx", cache, etc)
    return argv(cache)
