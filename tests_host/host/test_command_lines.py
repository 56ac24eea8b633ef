"""The commands are named as they are called: each line of a page or a message parses, and a wheel has all of them."""

import argparse
import re
import shlex
import subprocess
import sys
import zipfile

import pytest

from tools.__main__ import COMMANDS, main
from tools.checks import docs
from tools.repository import ROOT

NAMES = "|".join(name for commands in COMMANDS.values() for name in commands)
TEXTS = [path for path in docs.pages() if path.name != "CHANGELOG.md"]
TEXTS += [path for folder in ("firmware", "lib", "tools") for path in (ROOT / folder).rglob("*.py")]
LINE = re.compile(rf"(?:^ *|`)(realer (?:{NAMES})(?: [^`#\n]*?)?)(?=`|  +#|\n)", re.MULTILINE)


def lines():
    """Those with more than the command's name, where nothing is left to the reader."""
    texts = [path.read_text(encoding="utf-8") for path in TEXTS if path.suffix == ".md"]
    found = sorted({line for text in texts for line in LINE.findall(text)})
    return [line for line in found if len(line.split()) > 2 and not line.endswith("…")]


class Parsed(Exception):
    pass


@pytest.mark.parametrize("line", lines())
def test_a_line_of_a_page_is_one_that_its_command_takes(line, monkeypatch):
    parse = argparse.ArgumentParser.parse_args

    def parsed(self, argv=None, namespace=None):
        parse(self, argv, namespace)
        raise Parsed

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parsed)
    with pytest.raises(Parsed if "--help" not in line else SystemExit):
        main(shlex.split(line)[1:])


def test_pages_and_messages_have_one_spelling_of_a_command():
    """No other way to call one of them, and no command of `realer` that there is not."""
    wrong = re.compile(rf"(?:\bmake|python -m tools) (?:{NAMES})\b|\brealer (?!(?:{NAMES})\b)[a-z_]+")
    found = {path.name: wrong.findall(path.read_text(encoding="utf-8")) for path in TEXTS}
    assert {name: spelling for name, spelling in found.items() if spelling} == {}


@pytest.mark.gate
def test_what_pip_installs_works_away_from_the_repository(tmp_path):
    """A wheel, unpacked: a command of it, which needs the device's own code, and the compiler of a deploy."""
    build = [
        sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, ROOT,
    ]  # fmt: skip
    subprocess.run(build, check=True, capture_output=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (entries,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "realer = tools.__main__:main" in archive.read(entries).decode()
        page = {"page/index.html", "page/page.js", "charts/package-lock.json", "charts/.npmrc"}
        assert {f"tools/dashboard/{name}" for name in page} <= set(archive.namelist())
        archive.extractall(tmp_path / "site")
    script = f"import sys; sys.path[:] = [{str(tmp_path / 'site')!r}, *(p for p in sys.path if p)]\n"
    script += "from tools.__main__ import main\n"

    def run(code):
        command = [sys.executable, "-P", "-c", script + code]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    (tmp_path / "config.json").write_text((ROOT / "config.example.json").read_text())
    done = run("sys.exit(main(['check_config']))")
    assert "REPLACE-ME" in done.stdout and done.returncode == 1, done.stderr
    done = run("sys.exit(main(['fuzz']))")
    assert "needs the repository" in done.stderr and done.returncode == 1, done.stderr
    done = run(
        "from tools.build import payload\nfrom tools.repository import ROOT\n"
        "print(ROOT, *payload.starters(ROOT), *payload.slot_files(ROOT))"
    )
    assert done.stdout.startswith(str(tmp_path / "site/tools/device")), done.stderr
    assert {"boot.py", "main.py"} <= set(done.stdout.split()) and "firmware/device.mpy" in done.stdout
