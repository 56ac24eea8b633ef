"""Unpacks one Debian package with all its dependencies into a folder, without touching the system.

It takes the entry of the machine's own mirror from its apt sources, for another suite. apt writes into a private
folder. The list of installed packages there is empty, so that apt fetches the libraries too. Signatures are verified
with the keys that the machine already trusts. This needs no root and installs nothing.
"""

from __future__ import annotations

import fcntl
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.common import Failed

ETC = Path("/etc/apt")


class AptError(Exception):
    """The package could not be had; the text says why in one line."""


def fetch(
    package: str, name: str, cache: Path, etc: Path, do: str = "", arch: str = "", below: str = "", since: int = 0,
    works: Callable[[Path], bool] = lambda root: True,
) -> None:  # fmt: skip
    """Unpack a package in `cache`, try it, then move it to `below`/root there in one step. `since`: as of `suites`;
    `works(root)`: whether what was unpacked runs here. Raises Failed, which says what to `do`."""
    arch = arch or debian_arch()
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache) as temp:
        try:
            suite, own = suites(release(), since)
            say(name, f"fetching {package} for {arch} ({suite}) from this machine's own apt mirror ...")
            root = unpack_package(package, suite, arch, etc, own, Path(temp))
        except AptError as error:
            raise Failed(f"{name} could not be fetched: {error}", do) from None
        if not works(root):
            raise Failed(f"the packaged {name} for {arch} does not run here", do)
        shutil.rmtree(cache / below / "root", ignore_errors=True)
        (cache / below).mkdir(exist_ok=True)
        root.rename(cache / below / "root")


def sources(etc: Path, own: str, suite: str) -> tuple[str, str]:
    """The machine's entry for the component main of its release `own`, for another suite: ending of its file, and text.
    How far it trusts its mirror stays, what chooses from it goes. Raises AptError."""
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.suffix not in (".list", ".sources") or not path.is_file():
            continue
        text = "\n".join(line for line in path.read_text().splitlines() if not line.startswith("#"))
        entries = text.splitlines() if path.suffix == ".list" else re.split(r"\n\s*\n", text)
        for entry in entries:
            found = _list_entry(entry, own, suite) if path.suffix == ".list" else _deb822(entry, own, suite)
            if found and "cdrom:" not in found:
                # apt would leave a package of a `file:` mirror where it lies
                return path.suffix, re.sub(r"\bfile:", "copy:", found)
    raise AptError(f"no apt source of this machine holds the release {own!r} with the component 'main'")


def _list_entry(line: str, own: str, suite: str) -> str:
    """A line of a `.list` for another suite, "" if it is of another release."""
    match = re.match(r"\s*deb\s+(\[[^]]*]\s+)?(\S+)\s+(\S+)\s([^#]*\bmain\b[^#]*)", line)
    if not match or match[3] != own:
        return ""
    options = re.sub(r"\b(arch|lang|target)[+-]?=[^] ]*", "", match[1] or "")
    return f"deb {options if '=' in options else ''}{match[2]} {suite} {match[4].strip()}\n"


def _deb822(stanza: str, own: str, suite: str) -> str:
    """A stanza of a `.sources`, likewise."""
    fields = {name.lower(): value.split() for name, value in re.findall(r"(?m)^([\w-]+):(.*)$", stanza)}
    needed = {"types": "deb", "suites": own, "components": "main"}
    if fields.get("enabled") == ["no"] or any(
        word not in fields.get(key, []) for key, word in needed.items()
    ):
        return ""
    rest = re.sub(r"(?im)^(types|suites|architectures|languages|targets):.*\n?", "", stanza).strip("\n")
    return f"Types: deb\nSuites: {suite}\n{rest}\n"


def unpack_package(package: str, suite: str, arch: str, etc: Path, own: str, work: Path) -> Path:
    """Fetch `package` of `suite` for `arch` with all it depends on; returns the folder it is unpacked in.

    `etc`, `own`: where the machine's sources are, and its own suite. `work` must be an empty folder of the caller's;
    everything stays inside it.
    """
    ending, text = sources(etc, own, suite)
    state, archives, root = work / "apt", work / "apt/archives", work / "root"
    for folder in (state / "lists/partial", archives / "partial", root):
        folder.mkdir(parents=True)
    (state / "status").touch()
    (state / "sources").mkdir()
    (state / "sources" / f"mirror{ending}").write_text(text)
    settings = {
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": archives,
        "Dir::Etc::SourceList": "/dev/null",
        "Dir::Etc::SourceParts": state / "sources",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Debug::NoLocking": 1,
        "APT::Architecture": arch,
        "APT::Architectures": arch,
        "APT::Sandbox::User": "",
        "Acquire::Languages": "none",
        "Acquire::Retries": 2,
    }
    apt = [
        "apt-get",
        "-q",
        "-y",
        *(word for name, value in settings.items() for word in ("-o", f"{name}={value}")),
    ]
    _run([*apt, "update", "--error-on=any"])
    _run([*apt, "--download-only", "--no-install-recommends", "install", package])
    for deb in sorted(archives.glob("*.deb")):
        _run(["dpkg", "-x", str(deb), str(root)])
    shutil.rmtree(state)
    return root


def argv(root: Path, program: str) -> list[str]:
    """Start an unpacked program (`program`: path below `root`) through its own loader, with its own libraries."""
    loaders = sorted(path for top in ("lib*", "usr/lib*") for path in root.glob(f"{top}/ld-linux*.so*"))
    found = (path.parent for top in ("lib/*", "usr/lib/*") for path in root.glob(f"{top}/lib*.so.*"))
    libraries = sorted(set(map(str, found)))
    loader = [str(loaders[0]), "--library-path", ":".join(libraries)] if loaders else []
    return [*loader, str(root / program)]


def release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def suites(release: dict[str, str], since: int = 0) -> tuple[str, str]:
    """Which suite to take a package from that Debian has `since` a release (13 or 0), and the machine's own suite: its
    mirror is the one to ask, and one that serves an older Debian serves that too. Raises AptError outside Debian's
    family."""
    family = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    own = release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME", "")
    if not own or not {"debian", "ubuntu", "raspbian"} & set(family):
        raise AptError("this is not a Debian-family system")
    major = release.get("VERSION_ID", "").partition(".")[0]
    older = "ubuntu" not in family and major.isdigit() and int(major) < since
    return ("trixie" if older else own), own


def debian_arch() -> str:
    try:
        return subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return platform.machine()


@contextmanager
def only_one_at_a_time(cache: Path, name: str) -> Iterator[None]:
    """Hold a folder (created when missing) against other runs that would fill it too. `name`: of what is fetched."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(name, "waiting for another run that is fetching ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def say(name: str, text: str) -> None:
    print(f"{name}: {text}", file=sys.stderr, flush=True)


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise AptError(f"this machine has no {command[0]}") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith(("E:", "dpkg"))]
        raise AptError(said[0] if said else f"{command[0]} ended with status {done.returncode}")
