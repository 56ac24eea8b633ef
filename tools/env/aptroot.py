"""One Debian package with everything it needs, unpacked into a folder, without touching the system.

Owns: reading the machine's own apt sources, asking that same mirror for another suite, unpacking. Everything
apt writes goes into a private folder, the list of installed packages is empty (so that apt fetches the
libraries too), and signatures are verified with the keys the machine already trusts. Needs no root.
Refuses: to know any mirror's name, to install anything, to switch a signature check off.
"""

from __future__ import annotations

import fcntl
import platform
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

_KEPT_OPTIONS = ("signed-by", "trusted", "check-valid-until")
"""Options of a source that say how far the machine trusts its mirror; the others choose what to list."""


class AptError(Exception):
    """The package could not be had; the text says why in one line."""


@dataclass(frozen=True)
class Source:
    """One `deb` entry: where, which suites and components, and how it is trusted."""

    uris: tuple[str, ...]
    suites: tuple[str, ...]
    components: tuple[str, ...]
    options: dict[str, str] = field(default_factory=dict)

    def line(self, suite: str, keys: Path) -> str:
        """This mirror as a one-line entry for another suite. A key given in full is written to `keys`."""
        options = {name: text for name, text in self.options.items() if name in _KEPT_OPTIONS}
        if "BEGIN PGP" in options.get("signed-by", ""):
            keys.write_text(options["signed-by"])
            options["signed-by"] = str(keys)
        given = " ".join(f"{name}={text}" for name, text in sorted(options.items()))
        uri = re.sub("^file:", "copy:", self.uris[0])  # apt would leave a `file:` package where it lies
        where = f"{uri} {suite} {' '.join(self.components)}"
        return f"deb [{given}] {where}\n" if given else f"deb {where}\n"


def parse_list(text: str) -> list[Source]:
    """Entries of a `sources.list` file (one line each)."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)]\s+)?(\S+)\s+(\S+)\s+([^#]+)", line)
        if match:
            given, uri, suite, components = match.groups()
            pairs = (word.partition("=") for word in (given or "").split())
            options = {name.lower(): value for name, _, value in pairs}
            found.append(Source((uri,), (suite,), tuple(components.split()), options))
    return found


def parse_deb822(text: str) -> list[Source]:
    """Entries of a `.sources` file (stanzas of `Name: value`, continued by indented lines)."""
    found = []
    text = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, str] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1].isspace():
                fields[name] = fields.get(name, "") + "\n" + ("" if line.strip() == "." else line.strip())
            else:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.strip()
        words = {key: tuple(fields.get(key, "").split()) for key in ("types", "uris", "suites", "components")}
        if "deb" in words["types"] and words["uris"] and fields.get("enabled", "yes").lower() != "no":
            found.append(Source(words["uris"], words["suites"], words["components"], fields))
    return found


def machine_sources(etc: Path) -> list[Source]:
    """Every source this machine uses, in apt's own order."""
    paths = [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]
    parsers = {".list": parse_list, ".sources": parse_deb822}
    return [
        source
        for path in paths
        if path.is_file() and path.suffix in parsers
        for source in parsers[path.suffix](path.read_text())
    ]


def pick(sources: list[Source], codename: str) -> Source:
    """The machine's main mirror: the source that holds its own release and the component `main`."""
    for source in sources:
        if (
            "main" in source.components
            and codename in source.suites
            and not source.uris[0].startswith("cdrom:")
        ):
            return source
    raise AptError(f"no apt source of this machine holds the release {codename!r} with the component 'main'")


def unpack_package(package: str, suite: str, arch: str, source: Source, work: Path) -> Path:
    """Fetch `package` of `suite` for `arch` with all it depends on; returns the folder it is unpacked in.

    `work` must be an empty folder of the caller's; everything stays inside it.
    """
    state, archives, root = work / "apt", work / "apt/archives", work / "root"
    for folder in (state / "lists/partial", archives / "partial", root):
        folder.mkdir(parents=True)
    (state / "status").touch()
    (state / "sources.list").write_text(source.line(suite, state / "mirror-key.asc"))
    settings = {
        "Dir::State": state,
        "Dir::State::Lists": state / "lists",
        "Dir::State::status": state / "status",
        "Dir::Cache": state,
        "Dir::Cache::archives": archives,
        "Dir::Etc::SourceList": state / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
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


def codename(release: dict[str, str]) -> tuple[str, list[str]]:
    """The machine's own suite, and the family of systems it belongs to. Raises AptError outside Debian's."""
    family = f"{release.get('ID', '')} {release.get('ID_LIKE', '')}".split()
    own = release.get("UBUNTU_CODENAME") or release.get("VERSION_CODENAME", "")
    if not own or not {"debian", "ubuntu", "raspbian"} & set(family):
        raise AptError("this is not a Debian-family system")
    return own, family


def debian_arch() -> str:
    try:
        return subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    except (OSError, subprocess.CalledProcessError):
        return platform.machine()


@contextmanager
def only_one_at_a_time(cache: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Hold a folder (created when missing) against other runs that would fill it too."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another run that is fetching ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _run(command: list[str]) -> None:
    try:
        done = subprocess.run(command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    except FileNotFoundError:
        raise AptError(f"this machine has no {command[0]}") from None
    if done.returncode:
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.startswith(("E:", "dpkg"))]
        raise AptError(said[0] if said else f"{command[0]} ended with status {done.returncode}")
