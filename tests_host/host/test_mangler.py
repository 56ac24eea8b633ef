"""New names for bundled code: that it still does the same, and that nothing foreign is renamed."""

import ast
import dis
import io
import itertools
import sys
import types

import pytest
from rich.console import Console

from tools.build.bundler import sources
from tools.build.mangled_names import ATTRIBUTES, TOPS
from tools.build.mangler import SHARED, Mangler
from tools.build.scopes import BundleError
from tools.env import stock
from tools.repository import ROOT
from tools.serial import board_log, tracebacks

_USED = ("asyncio", "builtins", "collections", "io", "json", "os", "re", "ssl", "struct", "sys")
"""Of the standard library's stubs those of modules that the firmware uses; the others are of the type checker."""


@pytest.fixture
def run(monkeypatch):
    """Import units by their new names; returns what `main.run` returns."""

    def named(**texts):
        for name, text in Mangler(texts).texts().items():
            module = types.ModuleType(name)
            monkeypatch.setitem(sys.modules, name, module)
            exec(text, vars(module))
        return sys.modules["main"].run()

    return named


def test_names_in_getattr_texts(run):
    text = """
from collections import namedtuple
Pair = namedtuple("Pair", "left right")
class Front:
    def __init__(self, behind):
        self.behind = behind
        self.mine = "front"
    def __getattr__(self, name):
        return getattr(self.behind, name)
class Behind:
    def __init__(self):
        self.deep = "behind"
        self.shown = "by text"
    def speak(self, loud=False):
        return self.deep
def run():
    front = Front(Behind())
    return front.mine, front.speak(loud=True), front.deep, getattr(front, "shown"), Pair(1, right=2)._replace(left=3)
"""
    assert run(main=text) == ("front", "behind", "behind", "by text", (3, 2))


def test_errors_keep_their_name(run):
    text = """
class OwnError(Exception):
    def __init__(self, text, detail):
        super().__init__(text)
        self.detail = detail
def run():
    try:
        raise OwnError("words", 5)
    except OwnError as error:
        return repr(error), error.detail
"""
    assert run(main=text) == ("OwnError('words')", 5)


def test_names_of_another_unit(run):
    first = "class Thing:\n    def answer(self):\n        return helper(self)\ndef helper(thing):\n    return 'first'\n"
    second = """
from first import Thing, helper as other
class Child(Thing):
    def answer(self):
        return super().answer() + own()
def own():
    return "second"
def late():
    from first import helper
    return helper(None)
"""
    main = "from second import Child, late\ndef run():\n    return Child().answer(), late()\n"
    assert run(first=first, second=second, main=main) == ("firstsecond", "first")


def test_too_many_arguments_are_an_error():
    arguments = ", ".join(f"value_{n}" for n in range(40))
    with pytest.raises(BundleError, match="arguments"):
        Mangler({"main": f"def run({arguments}):\n    return 1\n"}).texts()


def test_local_names_hide_no_module_name(run, monkeypatch):
    """A local name may be one that something else gets: here every top and attribute there is."""
    names = [name for part in ATTRIBUTES for name in part if name != "len"]
    lines = "".join(f"    {name} = 'local'\n    out.append({name})\n" for name in names)
    text = f"""
import json
class Thing:
    def __init__(self, first):
        self.first = first
    def shown(self):
        return self.first
def helper(thing):
    out = []
{lines}
    import json as {names[0]}
    try:
        raise KeyError(thing)
    except KeyError as {names[1]}:
        out.append({names[1]}.args[0].shown() + other({names[0]}))
    out += [{names[2]} + other(json) for {names[2]} in "ab"]
    class Inner:
        def shown(self):
            return other(json) + thing.shown()
    def {names[3]}(more):
        return thing.shown() + more + Inner().shown()
    return len(out), out[-3:], {names[3]}("!")
def other(module):
    return module.dumps("o")
def run():
    return helper(Thing("f"))
"""
    assert run(main=text) == (len(names) + 3, ['f"o"', 'a"o"', 'b"o"'], 'f!"o"f')


def test_a_class_body_does_not_hide_the_names_it_reads(run):
    """With so many of both, some attribute and some top would like the same name."""
    tops = "".join(f"def top{n}(value=None):\n    return 'top{n}'\n" for n in range(40))
    body = "".join(
        f"    def way{n}(self, made=top{n}()):\n        return made\n    made{n} = top{n}() + str(len('ab'))\n"
        for n in range(40)
    )
    use = "".join(f"    out.append((it.made{n}, it.way{n}()))\n" for n in range(40))
    text = f"{tops}class Thing:\n{body}def run():\n    it = Thing()\n    out = []\n{use}    return out\n"
    assert run(main=text) == [(f"top{n}2", f"top{n}") for n in range(40)]


def test_attributes_read_by_text_keep_their_names(run):
    """`hasattr` is asked for every name that an attribute may get."""
    asked = " or ".join(f"hasattr(it, {name!r})" for part in ATTRIBUTES for name in part)
    text = f"""
class Thing:
    def __init__(self):
        self.own = 1
def run():
    it = Thing()
    return {asked}
"""
    assert run(main=text) is False


def test_a_base_class_shares_no_name_with_its_subclass(run):
    text = """
class Front:
    def __init__(self, behind):
        self.behind = behind
        self.one = self.two = self.three = self.four = 1
    def __getattr__(self, name):
        return getattr(self.behind, name)
def run():
    front = Front(["b", "a"])
    front.sort()
    front.reverse()
    front.insert(0, "c")
    return front.pop(), front.index("b"), front.count("c"), front.copy()
"""
    assert run(main=text) == ("a", 1, 1, ["c", "b"])


def test_a_module_in_a_package_is_imported_at_the_top():
    with pytest.raises(BundleError, match=r"import os\.path"):
        Mangler({"main": "def run():\n    import os.path\n    return os\n"}).texts()


@pytest.mark.gate
def test_the_whole_firmware(monkeypatch):
    """One test, because bundling takes seconds."""
    units = sources(ROOT)
    mangler = Mangler(units)
    it_makes_a_difference(mangler)
    no_attribute_of_anything_foreign_is_renamed(mangler)
    functions_are_distinct(mangler)
    monkeypatch.setattr(tracebacks, "_functions", mangler.functions)
    tracebacks_are_shown_by_the_old_names(mangler)
    it_does_the_same(mangler, units)


def it_makes_a_difference(mangler):
    """Everything has a name that costs nothing; the fewer, the smaller the tables."""
    assert len(set(mangler.new.values())) < len(mangler.new) / 3
    for (unit, _), new in mangler.new.items():
        assert new in itertools.chain(*(TOPS if unit else ATTRIBUTES)), (
            "add names that are known to mangled_names"
        )


def it_does_the_same(mangler, units):
    """Compiled here, both forms are the same instructions; each name in them is the other one's, without exception."""
    for unit, text in mangler.texts().items():
        old = compile(units[unit], unit, "exec", dont_inherit=True, optimize=0)
        compare(mangler, unit, old, compile(text, unit, "exec", dont_inherit=True, optimize=0))


def compare(mangler, unit, old, new, in_class=False, around=None):
    """`around`: what the local names of the function around became."""
    assert old.co_flags == new.co_flags and old.co_argcount == new.co_argcount
    local = {name: around[name] for name in old.co_freevars if around and name in around}
    pairs = list(zip(dis.get_instructions(old), dis.get_instructions(new), strict=True))
    for was, now in pairs:
        where = f"{unit}: {was} became {now}"
        assert was.opname == now.opname, where
        if was.opname in ("LOAD_GLOBAL", "STORE_GLOBAL"):
            assert mangler.top(unit, was.argval) == now.argval, where
        elif was.opname in ("LOAD_NAME", "STORE_NAME"):
            allowed = {mangler.top(unit, was.argval)} | (
                {mangler.attribute(was.argval)} if in_class else set()
            )
            assert now.argval in allowed, where
        elif was.opname in ("LOAD_ATTR", "STORE_ATTR", "DELETE_ATTR", "LOAD_METHOD"):
            assert mangler.attribute(was.argval) == now.argval, where
        elif was.opname == "IMPORT_FROM":
            assert now.argval in (was.argval, *mangler.new.values()), where
        elif was.opname in ("LOAD_CLOSURE", "MAKE_CELL"):
            pass  # in the order of their names
        elif was.opcode in (*dis.haslocal, *dis.hasfree):
            assert local.setdefault(was.argval, now.argval) == now.argval, where
        elif was.opcode in dis.hasconst and not isinstance(was.argval, str | tuple | types.CodeType):
            assert was.argval == now.argval, where
    assert len(set(local.values())) == len(local), f"{unit}: {old.co_name}"
    for was, now in pairs:
        if isinstance(was.argval, types.CodeType):
            compare(mangler, unit, was.argval, now.argval, is_class(pairs, was), local)


def is_class(pairs, was):
    """Whether that code object is a class body: what makes it a class stands right before."""
    at = [pair[0] for pair in pairs].index(was)
    return any(pair[0].opname == "LOAD_BUILD_CLASS" for pair in pairs[max(at - 2, 0) : at])


def functions_are_distinct(mangler):
    functions = mangler.functions()
    named = {}
    for unit, tree in mangler.trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                named |= {(unit, mangler.attribute(n.name)): n.name for n in node.body if hasattr(n, "args")}
        named |= {(unit, mangler.top(unit, n.name)): n.name for n in tree.body if hasattr(n, "args")}
    assert len(named) > 600
    for (unit, new), old in named.items():
        assert functions[unit.rpartition(".")[2]].get(new, new) == old


def no_attribute_of_anything_foreign_is_renamed(mangler):
    theirs = set()
    for path in stock.stubs():
        if "stdlib" not in path.parts or set(path.with_suffix("").parts) & set(_USED):
            theirs |= {name for node in ast.walk(ast.parse(path.read_text())) for name in defined(node)}
    assert {"read_uv", "wrap_socket", "append", "ifconfig", "drain"} <= theirs
    ours = {name for unit, name in mangler.new if not unit}
    assert not ours & theirs, "add them to SHARED"
    assert SHARED <= theirs, "take them out of SHARED: nothing else has them"


def defined(node):
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, ast.alias):
        yield node.asname or node.name


def tracebacks_are_shown_by_the_old_names(mangler):
    new = mangler.attribute("authorize")
    assert new != "authorize"
    line = '  File "https_iot", line 1, in %s'
    shown = Console(file=io.StringIO(), width=100)
    board_log.show(line % new, shown)
    assert shown.file.getvalue().rstrip() == line % "authorize"
    assert tracebacks.readable('  File "asyncio/core.py", line 1, in run_until_complete').endswith("complete")
    assert tracebacks.readable(f"2026-11-21T06:00:00Z E {new}").endswith(new)


def test_a_tree_that_cannot_be_bundled_still_maps_tracebacks(monkeypatch, tmp_path):
    monkeypatch.setattr(tracebacks, "ROOT", tmp_path)
    tracebacks._functions.cache_clear()
    line = '  File "device", line 1, in rfind'
    try:
        assert tracebacks.readable(line) == line
    finally:
        tracebacks._functions.cache_clear()
