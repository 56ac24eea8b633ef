"""Finding and fetching the interpreter: against a package mirror in a folder, with the real apt, without a network."""

import hashlib
import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from tools.common import Failed
from tools.env import aptroot, interpreter
from tools.env.aptroot import AptError

needs_apt = pytest.mark.skipif(
    not (shutil.which("apt-get") and shutil.which("dpkg-deb")),
    reason="fetching is for Debian-family machines",
)


def fake_interpreter(path, answer):
    """A program that answers the probe like this."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{answer}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


@pytest.fixture
def bare_path(tmp_path, monkeypatch):
    """A PATH on which nobody has put a MicroPython; returns the first folder of it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    others = [word for word in os.environ["PATH"].split(":") if not Path(word, "micropython").exists()]
    monkeypatch.setenv("PATH", ":".join([str(folder), *others]))
    return folder


# find


def test_the_one_on_path_is_taken_when_it_is_new_enough(bare_path, tmp_path):
    program = fake_interpreter(bare_path / "micropython", "1 24 0 64")
    found = interpreter.find(cache=tmp_path / "cache")
    assert (found.argv, found.version, found.bits, found.origin) == (
        [str(program)],
        (1, 24, 0),
        64,
        str(program),
    )


@pytest.mark.parametrize("answer", ["1 23 9 64", "", "MicroPython v1.25.0 on 2025", "1 25 64"])
def test_an_interpreter_that_is_too_old_or_invalid_is_not_used(bare_path, tmp_path, answer):
    fake_interpreter(bare_path / "micropython", answer)
    with pytest.raises(Failed, match="no MicroPython here"):
        interpreter.find(cache=tmp_path / "cache")


def test_the_smaller_word_size_is_preferred_and_either_can_be_asked_for(bare_path, tmp_path):
    cache = tmp_path / "cache"
    fake_interpreter(bare_path / "micropython", "1 26 0 64")
    fake_interpreter(cache / "amd64/root/usr/bin/micropython", "1 25 0 64")
    small = fake_interpreter(cache / "i386/root/usr/bin/micropython", "1 25 0 32")
    assert interpreter.find(cache=cache).argv == [str(small)]
    assert interpreter.find(64, cache).version == (1, 26, 0)
    assert [found.bits for found in interpreter.available(cache)] == [32, 64]
    small.unlink()
    assert interpreter.find(cache=cache).bits == 64
    with pytest.raises(Failed, match="no 32-bit MicroPython"):
        interpreter.find(32, cache)


@pytest.mark.parametrize(
    ("release", "suite"),
    [
        ({"ID": "debian", "VERSION_ID": "12", "VERSION_CODENAME": "bookworm"}, ("trixie", "bookworm")),
        ({"ID": "debian", "VERSION_CODENAME": "forky"}, ("forky", "forky")),
        (
            {"ID": "linuxmint", "ID_LIKE": "ubuntu debian", "VERSION_ID": "22", "UBUNTU_CODENAME": "noble"},
            ("noble",) * 2,
        ),
    ],
)
def test_which_suite_has_it(release, suite):
    assert aptroot.suites(release, 13) == suite


@pytest.mark.parametrize("release", [{}, {"ID": "fedora", "VERSION_ID": "42", "VERSION_CODENAME": "x"}])
def test_other_systems_are_distinguished(release):
    with pytest.raises(AptError, match="not a Debian-family system"):
        aptroot.suites(release, 13)


# fetch, from a mirror in a folder

CONTROL = "Package: {name}\nVersion: 1\nArchitecture: {arch}\nMaintainer: nobody\nDescription: a test\n{more}"


def add_package(mirror, name, arch, content, more=""):
    """Build a .deb with these files in the mirror's pool; returns its stanza of the package index."""
    build = mirror / "build" / name
    for path, text in content.items():
        fake_interpreter(build / path, text)
    control = CONTROL.format(name=name, arch=arch, more=more)
    (build / "DEBIAN").mkdir(parents=True)
    (build / "DEBIAN" / "control").write_text(control)
    deb = mirror / f"{name}_1_{arch}.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", build, deb], check=True)
    digest = hashlib.sha256(deb.read_bytes()).hexdigest()
    return f"{control}Filename: {deb.name}\nSize: {deb.stat().st_size}\nSHA256: {digest}\n\n"


SOURCES = {
    "sources.list": """# deb http://commented.test/debian {own} main
deb http://extra.test/ stable tools
deb [arch=other trusted=yes] file:{mirror} {own} contrib main # note
""",
    "sources.list.d/a.sources": """# a comment
Types: deb
URIs: http://off.test/debian
Suites: {own}
Components: main
Enabled: no

Types: deb deb-src
URIs: file:{mirror}
# another one
Suites: {own} {own}-updates
Components: main
Architectures: other
Trusted: yes
""",
}


@pytest.fixture(params=SOURCES)
def machine(tmp_path, request):
    """Folders (mirror, etc, cache) of a machine whose own mirror has a MicroPython that says it is 1.25."""
    suite, own = aptroot.suites(aptroot.release(), 13)
    arch = aptroot.debian_arch()
    mirror, sources = tmp_path / "mirror", tmp_path / "etc" / request.param
    answer = {"usr/bin/micropython": f"1 25 0 {64 if arch.endswith('64') else 32}"}
    index = add_package(mirror, "micropython", arch, answer, "Depends: libtest1\n")
    index += add_package(mirror, "libtest1", arch, {"usr/lib/libtest.so.1": "x"})
    folder = mirror / "dists" / suite
    names = [f"{part}/binary-{arch}/Packages" for part in ("main", "contrib")]
    for name, text in zip(names, (index, ""), strict=True):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(text)
    sums = [
        f" {hashlib.sha256(t.encode()).hexdigest()} {len(t)} {n}"
        for n, t in zip(names, (index, ""), strict=True)
    ]
    (folder / "Release").write_text(
        f"Suite: {suite}\nCodename: {suite}\nComponents: main contrib\nArchitectures: {arch}\n"
        "Date: Sat, 21 Nov 2026 06:00:00 UTC\nSHA256:\n" + "\n".join(sums) + "\n"
    )
    sources.parent.mkdir(parents=True)
    sources.write_text(SOURCES[request.param].format(mirror=mirror, own=own))
    return mirror, tmp_path / "etc", tmp_path / "cache"


@needs_apt
def test_fetch_brings_the_package_and_its_libraries_once(bare_path, machine):
    mirror, etc, cache = machine
    own = 64 if aptroot.debian_arch().endswith("64") else 32
    (found,) = interpreter.fetch(own, cache, etc)
    assert found.version == (1, 25, 0) and found.argv[-1].startswith(str(cache))
    root = cache / aptroot.debian_arch() / "root"
    assert (root / "usr/lib/libtest.so.1").exists()
    shutil.rmtree(mirror)
    assert interpreter.fetch(own, cache, etc) == [found]
    assert sorted(path.name for path in cache.iterdir()) == [".lock", root.parent.name]


@needs_apt
@pytest.mark.parametrize("harm", ["tampered", "gone", "unsigned"])
def test_a_failed_or_untrusted_download_leaves_no_files_and_one_message(bare_path, machine, harm):
    mirror, etc, cache = machine
    if harm == "tampered":
        deb = next(mirror.glob("libtest1*.deb"))
        deb.write_bytes(deb.read_bytes()[:-1] + b"x")
    elif harm == "gone":
        shutil.rmtree(mirror / "dists")
    else:
        for sources in etc.rglob("*.*"):
            if sources.is_file():
                sources.write_text(
                    sources.read_text().replace(" trusted=yes", "").replace("Trusted: yes\n", "")
                )
    with pytest.raises(Failed) as raised:
        interpreter.fetch(None, cache, etc)
    assert raised.value.what.startswith("MicroPython could not be fetched: ") and "install" in raised.value.do
    assert [path.name for path in cache.iterdir()] == [".lock"]


@needs_apt
def test_a_package_that_does_not_run_is_not_kept(machine):
    _, etc, cache = machine
    cache.mkdir()
    with pytest.raises(Failed, match="does not run here"):
        aptroot.fetch("micropython", "MicroPython", cache, etc, since=13, works=lambda root: False)
    assert not list(cache.iterdir())


def test_a_mirror_is_trusted_by_the_keys_of_its_entry(tmp_path):
    key = "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mDMEtest\n -----END PGP PUBLIC KEY BLOCK-----"
    folder = tmp_path / "sources.list.d"
    folder.mkdir()
    file = folder / "a.sources"
    file.write_text(f"Types: deb\nURIs: http://mirror.test/\nSuites: old\nComponents: main\n{key}\n")
    assert aptroot.sources(tmp_path, "old", "new") == (
        ".sources", f"Types: deb\nSuites: new\nURIs: http://mirror.test/\nComponents: main\n{key}\n"
    )  # fmt: skip
    file.rename(folder / "a.list").write_text(
        "deb [signed-by=/x.gpg arch=amd64] http://mirror.test/ old main\n"
    )
    assert (
        aptroot.sources(tmp_path, "old", "new")[1] == "deb [signed-by=/x.gpg ] http://mirror.test/ new main\n"
    )
    with pytest.raises(AptError, match="'older'"):
        aptroot.sources(tmp_path, "older", "new")
