"""Finds a Chromium for the tests of the setup portal, and installs one where the machine's package manager can.

Its libraries are too many to be unpacked into a folder, so it is the system's: found on PATH, or installed there
(Debian family, as root or with a sudo that asks no password). It runs without a window and without a profile.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

from tools.common import Failed

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-proxy-server",
)  # fmt: skip
"""For root, for a machine without graphics, and for a closed network."""
_PACKAGES = ("chromium-headless-shell", "chromium")
_INSTALL = "install Chromium (package `chromium` of Debian, of Ubuntu or of Homebrew)"


def find(path: str | None = None) -> str:
    """The program, the smallest first. Raises Failed."""
    for name in NAMES:
        if program := shutil.which(name, path=path):
            return program
    raise Failed("no Chromium here", f"Run realer fetch chromium, or {_INSTALL}.")


def fetch(path: str | None = None, root: bool | None = None, run: Callable[..., bool] | None = None) -> str:
    """Make sure there is one. Raises Failed when in the end there is none. `path`: where programs are looked for;
    `root`: whether we are; `run(*argv)`: whether a command ended well."""
    run = run or _run
    try:
        return find(path)
    except Failed:
        pass
    as_root = [] if (os.geteuid() == 0 if root is None else root) else ["sudo", "-n"]
    if not shutil.which("apt-get", path=path) or (as_root and not shutil.which("sudo", path=path)):
        raise Failed("no Chromium here", f"Please {_INSTALL}.")
    print("browser: installing Chromium with apt-get ...", file=sys.stderr, flush=True)
    install = [*as_root, "apt-get", "-qq", "install", "-y", "--no-install-recommends"]
    run(*as_root, "apt-get", "-qq", "update")
    if not any(run(*install, package) for package in _PACKAGES):
        raise Failed("Chromium could not be installed with apt-get", f"Please {_INSTALL}.")
    return find(path)


def _run(*argv: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return not subprocess.run(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment
    ).returncode
