"""Fetches an nginx, which stands in front of the simulated cloud in tests, and says how to start it.

It is unpacked from the machine's own package mirror into `.cache/nginx/` (Debian family, no root needed). `argv` never
uses the network.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.repository import ROOT

CACHE = ROOT / ".cache" / "nginx"
_APT = Path("/etc/apt")
_PROGRAM = "usr/sbin/nginx"


def argv(cache: Path = CACHE) -> list[str]:
    """How to start it; options are to follow. Raises Failed."""
    if not (cache / "root" / _PROGRAM).exists():
        raise Failed("no nginx here", "Run realer fetch nginx.")
    return aptroot.argv(cache / "root", _PROGRAM)


def fetch(cache: Path = CACHE, etc: Path = _APT) -> list[str]:
    """Make sure that it is there. Raises Failed."""
    with aptroot.only_one_at_a_time(cache, _say):
        if not (cache / "root" / _PROGRAM).exists():
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as temp:
                try:
                    suite, _ = aptroot.codename(aptroot.release())
                    _say(f"fetching it ({suite}) from this machine's own apt mirror ...")
                    arch = aptroot.debian_arch()
                    root = aptroot.unpack_package("nginx-light", suite, arch, etc, suite, Path(temp))
                except aptroot.AptError as error:
                    raise Failed(f"nginx could not be fetched: {error}") from None
                shutil.rmtree(cache / "root", ignore_errors=True)
                root.rename(cache / "root")
    return argv(cache)


def _say(text: str) -> None:
    print(f"nginx: {text}", file=sys.stderr, flush=True)
