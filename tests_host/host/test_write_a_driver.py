"""The page about drivers: a kind of sensor and one of outputs that are added by it, in a copy of the repository, work,
and need no other file."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tools.repository import ROOT

pytestmark = [pytest.mark.gate, pytest.mark.waits]

PAGE = (ROOT / "docs/write-a-driver.md").read_text()
LEFT_OUT = shutil.ignore_patterns(".git", ".venv", ".cache", "__pycache__", ".*_cache", "node_modules")
WORDS = {
    "battery": ("kind", "required", "## buttons[]"),
    "delayed": ("mode", "`switch`", "### Keys of `schedule`"),
}
"""Kind -> the key whose word it is, how the default of that key is written, and before which heading its table goes."""
READ = """
import asyncio, json
from tools.env import interpreter
from tools.fixture.system import SystemFixture

def more(config):
    config["outputs"][0] |= {"mode": "delayed", "delay_s": 2}
    config["sensors"].append({"kind": "battery", "gpio": 32, "pin_port": "70", "name": "cells", "ratio": 4})

async def main():
    async with SystemFixture(interpreter.find(), edit=more) as fixture:
        await fixture.online()
        asked = fixture.want("6", 1)
        await fixture.until("the pump is reported", lambda: fixture.reported("6") == "1.0", 20)
        print(json.dumps([fixture.switched("pump", True, asked) - asked, (await fixture.status())["readings"]]))

asyncio.run(main())
"""


BLOCKS = re.findall(r'^```\w+ title="(.+?)"\n(.*?)^```$', PAGE, re.MULTILINE | re.DOTALL)
"""(path, text) of the files on the page."""


def named() -> set[str]:
    """The files in its table."""
    rows = re.findall(r"^\| (`.+?) \|", PAGE, re.MULTILINE)
    return {
        name for row in rows for name in re.findall(r"`(.+?)`", row) if "/" in name or name.endswith(".json")
    }


def contents(tree: Path) -> dict[str, bytes]:
    return {
        path.relative_to(tree).as_posix(): path.read_bytes()
        for path in tree.rglob("*")
        if path.is_file() and not {".cache", "__pycache__"} & set(path.parts)
    }


def run(tree: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=tree, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def add(tree: Path) -> None:
    """Do what the page says."""
    for name, text in BLOCKS:
        path = tree / name
        if name == "docs/configuration.md":
            word = re.search("`(.+?)`", text)[1]
            key, preset, after = WORDS[word]
            page = path.read_text().replace(f"\n{after}\n", f"\n{text}\n{after}\n")
            page = re.sub(
                rf"^(\| `{key}` \| .*?)( \| {preset})", rf"\1, `{word}`\2", page, flags=re.MULTILINE
            )
            path.write_text(page)
        else:
            assert not path.exists()
            path.write_text(text)
    rules = tree / "firmware/core/config_rules.py"
    text = re.sub(r"^(kind \S+)", r"\1|battery", rules.read_text(), flags=re.MULTILINE)
    rules.write_text(re.sub(r"^(mode switch\S+)", r"\1|delayed", text, flags=re.MULTILINE))
    run(tree, "-m", "tools", "package", "--write")


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Path]:
    """(content by path before, the copy with both kinds)."""
    tree = tmp_path_factory.mktemp("driver") / "tree"
    shutil.copytree(ROOT, tree, ignore=LEFT_OUT)
    (tree / ".cache").symlink_to(ROOT / ".cache")
    before = contents(tree)
    add(tree)
    return before, tree


def test_adding_a_kind_touches_the_files_that_the_page_names_and_no_other(trees):
    before, tree = trees
    after = contents(tree)
    assert {name for name in after if after[name] != before.get(name)} == named()
    assert not before.keys() - after.keys()


def test_the_gates_accept_it(trees):
    _, tree = trees
    run(tree, "-m", "tools.checks.layers")
    run(tree, "-m", "tools.build.sizes")
    run(tree, "-m", "ruff", "check", "-q", *(name for name, _ in BLOCKS if name.endswith(".py")))
    portable = [name for name, _ in BLOCKS if name.startswith("tests_host/portable/")]
    run(tree, "-m", "pytest", "-q", "-p", "no:hypothesispytest", "-k", "documented or battery or delayed",
        "tests_host/host/test_docs.py", *portable)  # fmt: skip


def test_a_board_has_both(trees):
    _, tree = trees
    (tree / "read.py").write_text(READ)
    delay_s, readings = json.loads(run(tree, "read.py").splitlines()[-1])
    (tree / "read.py").unlink()
    assert delay_s > 2
    readings = dict(map(tuple, readings))
    assert abs(readings["cells"] - 10) < 0.2 and readings["room"] is not None
