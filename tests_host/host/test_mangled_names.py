"""The names that bundled code goes by: known to every MicroPython, and the same ones after a change elsewhere."""

import ast
import builtins
import subprocess
import tempfile
from collections import Counter
from itertools import chain
from pathlib import Path

import pytest

from tools.build.bundler import sources
from tools.build.mangled_names import ARGUMENTS, ATTRIBUTES, COMMON, TOPS, Group, chosen
from tools.build.mangler import Mangler
from tools.build.mpy import compiled
from tools.env import interpreter, stock
from tools.repository import ROOT

NAMES = sorted({*chain(*ATTRIBUTES, *TOPS), *ARGUMENTS})
SCRIPT = """
import micropython
names = %r
micropython.qstr_info()
for name in names:
    hasattr(micropython, name)
micropython.qstr_info()
hasattr(micropython, "not_yet_known")
micropython.qstr_info()
print([name for name in %r if name in dir(__import__("builtins"))])
"""
UNITS = ("device", "settings", "links.https_iot", "links.mqtt", "links.transport_steps")


@pytest.mark.parametrize("found", interpreter.available(), ids=lambda found: f"{found.bits}bit")
def test_the_packaged_micropython_has_them_all(found):
    """It counts what it had to learn."""
    text = SCRIPT % (NAMES, list(chain(*TOPS)))
    done = subprocess.run([*found.argv, "-c", text], capture_output=True, text=True, check=True)
    before, after, another, builtin = done.stdout.splitlines()
    assert before == after != another
    assert builtin == "[]"


@pytest.mark.parametrize("group", ["stubs", "stubs-oldest"])
def test_the_stock_image_of_an_esp32_has_them_all(group):
    """Its published stubs tell, or the compiler, which has a number for what every image must have."""
    there = set()
    for path in stock.stubs(ROOT / ".cache" / group, group):
        if "stdlib" not in path.parts or path.name in ("builtins.pyi", "__init__.pyi"):
            nodes = ast.walk(ast.parse(path.read_text()))
            there |= {name for node in nodes for name in (getattr(node, "name", ""), getattr(node, "id", ""))}
    assert set(NAMES) - there - set(numbered(NAMES)) == set()
    assert "not_yet_known" not in there


def test_the_compiler_has_numbers_for_those_that_are_liked_best():
    assert numbered(["append", "realer", "isinstance"]) == ["append", "isinstance"]
    for names in (TOPS[0], ATTRIBUTES[0], ARGUMENTS):
        assert numbered(names) == list(names)


def numbered(names):
    """Those for which a `.mpy` file has a number, so every MicroPython that loads it has them."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "names.py")
        source.write_text("".join(f"x.{name}\n" for name in names))
        written = compiled(source)
    return [name for name in names if b"%c%s\0" % (2 * len(name), name.encode()) not in written]


def test_names_are_unique_and_no_top_is_an_argument_or_a_builtin():
    assert max(Counter(chain(*TOPS)).values()) == max(Counter(chain(*ATTRIBUTES)).values()) == 1
    assert not set(chain(*TOPS)) & {*ARGUMENTS, *dir(builtins)}
    assert not {"args", "close", "errno", "read", "send", "throw", "value", "write"} & set(NAMES)


def test_names_in_a_group_are_distinct_and_avoid_kept_names():
    keys = {("unit", f"n{number}") for number in range(300)}
    kept = set(TOPS[0][:20])
    new = chosen([Group(keys, kept), Group({("", "n1"), ("unit", "n2")}, set())])
    assert len({new[key] for key in keys}) == 300 and not kept & {new[key] for key in keys}
    assert new["", "n1"] != new["unit", "n2"]


def test_private_and_new_names_displace_no_name_of_higher_rank():
    shared = {("unit", f"n{number}") for number in range(40)} | {("unit", "clock")}
    before = chosen([Group(shared, set())])
    after = chosen([Group(shared | {("unit", f"_n{number}") for number in range(40)}, set())])
    assert {key: after[key] for key in before} == before
    for number in range(40):
        after = chosen([Group(shared | {("unit", f"new{number}")}, set())])
        assert after["unit", "clock"] == before["unit", "clock"]
        assert sum(after[key] != before[key] for key in before) <= 8


@pytest.mark.thorough
def test_a_change_leaves_the_names_of_other_units_alone():
    """Twenty changes, planted in the real units, and what of them a board would have to be sent. Nothing but the unit
    itself where no new name is brought along; with a new method or without an old one most often too. (With names by
    how often they are used it was 45 other units in all, 26 of them at once.)"""
    units = sources(ROOT)
    before = Mangler(units)
    frequent_names_are_common(before)
    old = before.texts()
    changed = {}
    for plant in (a_line, a_local, a_method, no_method):
        for number, unit in enumerate(f"firmware.{name}" for name in UNITS):
            tree = ast.parse(units[unit])
            plant(number, tree)
            new = Mangler(units | {unit: ast.unparse(tree)}).texts()
            others = [name for name in new if new[name] != old[name] and name != unit]
            changed.setdefault(plant.__name__, []).append(len(others))
            assert new[unit] != old[unit] or plant is a_local
    assert changed["a_line"] == changed["a_local"] == [0] * len(UNITS)
    counts = changed["a_method"] + changed["no_method"]
    assert max(counts) <= 10 and sum(counts) <= 20, changed


def methods(tree):
    """Of each class those that might have another name."""
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            yield each, [m for m in each.body if hasattr(m, "args") and m.name[:2] != "__"]


def a_method_of(number, tree):
    found = [(kind, method) for kind, inside in methods(tree) for method in inside]
    return found[number * 7 % len(found)] if found else (None, tree.body[-1])


def a_line(number, tree):
    """It asks for attributes and a builtin, and says a word."""
    line = "if len(repr('some new text')) > 5:\n    return sorted([])"
    a_method_of(number, tree)[1].body[:0] = ast.parse(line).body


def a_local(number, tree):
    """It is called as others are, old or new ones."""
    name = ("fresh", "sin", "append", "clock", "isinstance")[number]
    function = a_method_of(number, tree)[1]
    function.body.append(ast.parse(f"{name} = 1").body[0])


def a_method(number, tree):
    text = f"def resend_{number}(self, again):\n    return again"
    kind = a_method_of(number, tree)[0]
    (kind or tree).body.append(ast.parse(text).body[0])


def no_method(number, tree):
    kind, function = a_method_of(number, tree)
    (kind or tree).body.remove(function)
    (kind or tree).body.append(ast.Pass())


def frequent_names_are_common(mangler):
    uses = Counter()
    for unit, tree in mangler.trees.items():
        nodes = list(ast.walk(tree))
        keys = {("", node.attr) for node in nodes if isinstance(node, ast.Attribute)}
        uses.update(keys | {mangler.origin(unit, node.id) for node in nodes if isinstance(node, ast.Name)})
    many = {name for (unit, name), count in uses.items() if count >= 9 and (unit, name) in mangler.new}
    assert many and many <= COMMON, "add them to COMMON"
