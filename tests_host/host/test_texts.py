"""Texts that are taken out of units into a file beside each, and read back by the real interpreter."""

import subprocess

import pytest

from tools.build import texts
from tools.build.mpy import compiled
from tools.env import interpreter

HOME = "firmware.device"
LINK = "firmware.links.x"
SAID = "the cloud said: %s (%d)"
UMLAUT = "schöner Text, länger als er Zeichen hat"
LINKED = f"""
def f(n):
    return {SAID!r} % ("no", n)

async def g():
    return {UMLAUT!r}

def again():
    return [{SAID!r}, "Content-Length", "%d%d%d%d%d%d%d%d", "short text"]

TOP = "a text that is no function's"
"""
PROGRAM = """
import sys
sys.path.insert(0, "")
from firmware.links import x
print(x.f(7), x.again(), x.TOP)
try:
    x.g().send(None)
except StopIteration as e:
    print(e.value)
"""


def run(folder):
    found = interpreter.find(32)
    (folder / "main.py").write_text(PROGRAM)
    done = subprocess.run([*found.argv, "main.py"], cwd=folder, capture_output=True, text=True, timeout=30)
    return done.stdout.splitlines(), done.stderr


@pytest.fixture
def units():
    return texts.taken_out({HOME: "X = 1\n", LINK: LINKED, "firmware.core.x": LINKED})


@pytest.fixture
def tree(tmp_path, units):
    for name, (source, content) in units.items():
        path = tmp_path / (name.replace(".", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        path.with_name(path.stem + ".txt").write_bytes(content)
    return tmp_path


def test_sentences_within_functions_go_and_all_else_stays(units):
    source, content = units[LINK]
    assert SAID not in source and UMLAUT not in source
    assert "a text that is no function's" in source and "Content-Length" in source and "short text" in source
    assert content.count(SAID.encode()) == 1  # logged twice, kept once
    size = len(SAID.encode())
    assert content[: size + 1] == bytes((size,)) + SAID.encode()
    assert content[size + 1] == len(UMLAUT.encode())


def test_units_that_are_unloaded_before_they_log_keep_their_texts(units):
    assert units["firmware.core.x"] == (LINKED, b"")


def test_texts_longer_than_255_bytes_stay():
    long = "a b" * 100
    source, content = texts.taken_out({LINK: f"def f():\n    return {long!r}\n"})[LINK]
    assert long in source and content == b""


def test_they_are_read_back_by_the_interpreter_of_a_board(tree):
    compile_units(tree)
    lines, wrong = run(tree)
    reported = [SAID, "Content-Length", "%d%d%d%d%d%d%d%d", "short text"]
    assert lines == [f"{SAID % ('no', 7)} {reported} a text that is no function's", UMLAUT], wrong


@pytest.mark.parametrize("left", [b"", None], ids=["empty", "missing"])
def test_a_file_of_texts_that_is_damaged_stops_nothing(tree, left):
    compile_units(tree)
    file = tree / "firmware" / "links" / "x.txt"
    file.unlink() if left is None else file.write_bytes(left)
    (tree / "probe.py").write_text("import firmware.links.x\nprint(firmware.links.x.again()[0])\n")
    done = subprocess.run(
        [*interpreter.find(32).argv, "probe.py"], cwd=tree, capture_output=True, text=True, timeout=30
    )
    assert done.stdout == "text 0\n", done.stderr


def compile_units(tree):
    """As on a board: the unit as .mpy, the texts beside it."""
    for source in [*tree.glob("firmware/*.py"), *tree.glob("firmware/*/*.py")]:
        source.with_suffix(".mpy").write_bytes(compiled(source))
        source.unlink()
