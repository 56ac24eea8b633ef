"""`make mutate`, as far as it is ours: which files, which copy of the tree, and which tests notice. Not the mutants."""

import subprocess
import time
from pathlib import Path

from tools.checks import mutate
from tools.repository import ROOT

FAILS = ("-c", "raise SystemExit(1)")
PASSES = ("-c", "")


def test_only_decisions_of_device_code_are_mutated():
    found = mutate.modules()
    assert {"firmware/core/output.py", "firmware/links/mqtt.py", "lib/mqtt5/session.py"} <= set(found)
    assert {path.partition("/")[0] for path in found} == {"firmware", "lib"}
    assert not [path for path in found if path.startswith("firmware/drivers") or "__init__" in path]
    assert all((ROOT / path).is_file() for path in found)


def test_the_first_tests_that_fail_notice_and_later_ones_do_not_run(tmp_path: Path):
    ran = ("-c", "open('ran', 'w')")
    assert mutate.killer(tmp_path, (("one", PASSES, 20), ("two", FAILS, 20), ("three", ran, 20))) == "two"
    assert not (tmp_path / "ran").exists()
    assert mutate.killer(tmp_path, (("one", PASSES, 20), ("three", ran, 20))) == ""
    assert (tmp_path / "ran").exists()


def test_a_mutant_that_hangs_is_killed_without_leftovers(tmp_path: Path):
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"
    started = time.monotonic()
    assert mutate.killer(tmp_path, (("one", ("-c", code), 1),)) == "one"
    assert time.monotonic() - started < 20


def test_the_copy_includes_uncommitted_changes(tmp_path: Path):
    root, copy = tmp_path / "root", tmp_path / "copy"
    for name, text in (("a.py", "1"), ("lib/b.py", "2"), (".gitignore", "left.txt\n"), ("left.txt", "x")):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    subprocess.run(["git", "add", "a.py"], cwd=root, check=True)
    copy.mkdir()
    mutate.copied(copy, root)
    assert (copy / "a.py").read_text() == "1" and (copy / "lib/b.py").read_text() == "2"
    assert not (copy / "left.txt").exists()
    (copy / "a.py").write_text("mutated")
    assert (root / "a.py").read_text() == "1"


def test_a_survivor_is_shown_as_a_diff():
    assert mutate.difference("a\nb = 1\nc\n", "a\nb = 2\nc\n") == "    -b = 1\n    +b = 2"


def test_log_texts_are_not_mutated():
    text = "a = 1 % 2\nself.log('info', a + 1)\nb = 'x %d' % (a +\n 2)\nc = 3\n"
    assert list(mutate.sayings(text)) == [((2, 0), (2, 23)), ((3, 4), (4, 3))]
