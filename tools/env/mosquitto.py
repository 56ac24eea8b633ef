"""Finds a mosquitto for the simulated cloud, and fetches one where the machine's package manager can.

`find` looks at PATH, at the usual sbin folders and at `.cache/mosquitto/`, and never uses the network. `fetch` fills
the cache (Debian family, no root needed). One older than 2.0 has no dynamic-security plugin and is not used.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.repository import ROOT

OLDEST = (2, 0)
CACHE = ROOT / ".cache" / "mosquitto"
_SBIN = ("/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin")
_PLUGIN = "mosquitto_dynamic_security.so"
_INSTALL = "install mosquitto 2.0 or newer (package `mosquitto` of Debian, of Ubuntu or of Homebrew)"


@dataclass(frozen=True)
class Mosquitto:
    """One that answered. `argv`: how to start it; `plugin`: its dynamic-security plugin; `origin`: where it is."""

    argv: list[str]
    plugin: Path
    version: str
    origin: str

    def __str__(self) -> str:
        return f"mosquitto {self.version}, {self.origin}"


def find(cache: Path = CACHE, path: str | None = None) -> Mosquitto:
    """The first that will do; what the system has wins over the cache. Raises Failed."""
    for found in _candidates(cache, path):
        return found
    raise Failed("no usable mosquitto here", f"Run realer fetch, or {_INSTALL}.")


def fetch(cache: Path = CACHE, etc: Path = aptroot.ETC, path: str | None = None) -> Mosquitto:
    """Make sure there is one. Raises Failed when in the end there is none."""
    with aptroot.only_one_at_a_time(cache, "mosquitto"):
        for found in _candidates(cache, path):
            return found
        aptroot.fetch("mosquitto", "mosquitto", cache, etc, f"Please {_INSTALL}.")
    return find(cache, path)


def _candidates(cache: Path, path: str | None) -> Iterator[Mosquitto]:
    folders = os.pathsep.join([os.environ.get("PATH", ""), *_SBIN]) if path is None else path
    program = shutil.which("mosquitto", path=folders)
    if program:
        yield from _probe([program], Path(program), program)
    program = str(cache / "root/usr/sbin/mosquitto")
    if Path(program).exists():
        argv = aptroot.argv(cache / "root", "usr/sbin/mosquitto")
        yield from _probe(argv, Path(program), f"{cache.parent.name}/{cache.name}")


def _probe(argv: list[str], program: Path, origin: str) -> Iterator[Mosquitto]:
    """Start it once. Yields nothing when it does not start, is too old, or comes without the plugin."""
    try:
        done = subprocess.run([*argv, "-h"], check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return
    version = re.search(r"mosquitto version (\d+)\.(\d+)\S*", done.stdout + done.stderr)
    prefixes = (program.parent.parent, program.resolve().parent.parent)
    plugins = [
        path for prefix in prefixes for top in ("lib*", "lib*/*") for path in prefix.glob(f"{top}/{_PLUGIN}")
    ]
    if version and tuple(map(int, version.groups())) >= OLDEST and plugins:
        yield Mosquitto(argv, plugins[0], version.group().split()[-1], origin)
