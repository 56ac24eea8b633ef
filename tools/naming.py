"""Gives the names of linked units to names that cost a device less, or nothing (docs/decisions/0019).

A name that is not in the ROM of the interpreter takes eight bytes of a device's heap and its length, for good. What is
ours alone gets a name that every MicroPython has in its ROM, or one of a letter or two. Two attributes may share one
where no class has both, two functions where no unit has both: so a traceback can be read all the same (`functions`).

What others look for keeps its name: `KEPT`, what a text names, what is passed by keyword, `...Error`, which is logged,
and attributes that objects of MicroPython have too (`SHARED`; a test holds it against the published stubs).
"""

from __future__ import annotations

import ast
import builtins
import itertools
import keyword
import string
from collections import Counter
from collections.abc import Iterator, Mapping

from tools.mpy import known_names
from tools.scopes import FUNCTIONS, IMPORTS, LinkageError, Scoped, all_arguments, binds, bound

KEPT = frozenset({"Backoff", "Clock", "Device", "Log", "VERSION", "grow", "run", "say", "state"})
"""What main.py asks the firmware for, and what looks at a board from outside, tests and benchmarks included."""
SHARED = frozenset({
    "_closed", "accept", "add", "all", "append", "board", "broken", "close", "context", "copy", "count", "data",
    "disconnect", "drive", "dup", "end", "full", "get", "index", "items", "link", "listen", "load", "lock", "measure",
    "next", "offset", "path", "pid", "pin", "ping", "poll", "post", "publish", "raw", "read", "read_uv", "reason",
    "release", "request", "reset_cause", "server", "session", "set", "shutdown", "size", "sleep_ms", "sort", "start",
    "stop", "streams", "subscribe", "sync", "tasks", "ticks_ms", "tuple", "write",
})  # fmt: skip
"""Attributes of ours that something in MicroPython or a chip's modules has as well: whose is meant cannot be seen."""
_SPECIAL = frozenset({"args", "close", "errno", "send", "throw", "value"})
"""What MicroPython itself asks an object for: nothing else may be called so."""
_ARGUMENTS = 16

Key = tuple[str, str]
"""What is renamed: the unit and a name at its top, or "" and an attribute."""


class Naming:
    """New names for `units`, texts by name. `new`: by Key; `arguments`: for those of a function and what is in it."""

    def __init__(self, units: Mapping[str, str]):
        self.trees = {unit: ast.parse(text) for unit, text in units.items()}
        self._nodes = {unit: list(ast.walk(tree)) for unit, tree in self.trees.items()}
        nodes = [node for each in self._nodes.values() for node in each]
        self.keywords = {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
        self._kept = KEPT | SHARED | self.keywords | set(_texts(nodes))
        self.imported = {unit: dict(_imported(tree, units)) for unit, tree in self.trees.items()}
        uses = Counter(name for node in nodes for name in _names(node))
        free = _free(set(uses))
        self.arguments = tuple(itertools.islice(free, _ARGUMENTS))
        self.new = self._chosen([*self._classes(), *self._units()], uses, tuple(free))

    def texts(self) -> dict[str, str]:
        """The units by their new names. Uses the trees up: ask it last, and once."""
        trees = {unit: _Renamer(self, unit).visit(tree) for unit, tree in self.trees.items()}
        return {unit: ast.unparse(tree) + "\n" for unit, tree in trees.items()}

    def functions(self) -> dict[str, dict[str, str]]:
        """By the last part of a unit's name, which a traceback shows, what its functions were called, by new name."""
        found = {}
        for unit, tree in self.trees.items():
            keys = _functions(unit, tree)
            found[unit.rpartition(".")[2]] = {self.new.get(key, key[1]): key[1] for key in keys}
        return found

    def attribute(self, name: str) -> str:
        return self.new.get(("", name), name)

    def top(self, unit: str, name: str) -> str:
        return self.new.get(self.origin(unit, name), name)

    def origin(self, unit: str, name: str) -> Key:
        """Where what a unit calls so is at home."""
        return self.imported[unit].get(name, (unit, name))

    def _chosen(self, apart: list[set[Key]], uses: Counter[str], free: tuple[str, ...]) -> dict[Key, str]:
        """For every key the first name that nothing it has to be told apart from has; the most used choose first."""
        groups: dict[Key, list[int]] = {}
        for number, group in enumerate(apart):
            for key in group:
                groups.setdefault(key, []).append(number)
        taken: list[set[str]] = [set() for _ in apart]
        new = {}
        for key in sorted(groups, key=lambda key: (-uses[key[1]], key)):
            names = free if key[0] else (*self.arguments, *free)
            choice = next(name for name in names if all(name not in taken[n] for n in groups[key]))
            new[key] = choice
            for number in groups[key]:
                taken[number].add(choice)
        return new

    def _ours(self, key: Key) -> bool:
        unit, name = key
        if unit:
            return not name.endswith("Error") and name not in KEPT
        return not name.startswith("__") and name not in self._kept

    def _attributes(self, names: set[str]) -> set[Key]:
        return {key for name in names if self._ours(key := ("", name))}

    def _units(self) -> Iterator[set[Key]]:
        """What is to be told apart in a unit: what its top binds, and its functions, methods included."""
        for unit, tree in self.trees.items():
            imports = {binds(alias) for n in tree.body if isinstance(n, IMPORTS) for alias in n.names}
            names = bound(tree.body) - imports | set(self.imported[unit])
            yield {key for name in names if self._ours(key := self.origin(unit, name))}
            yield set(filter(self._ours, _functions(unit, tree)))

    def _classes(self) -> Iterator[set[Key]]:
        """What is to be told apart in a class: its attributes and those of its bases. What is set from outside, or may
        be looked for in two objects, is told apart from everything."""
        own: dict[Key, set[str]] = {}
        bases: dict[Key, list[Key]] = {}
        anywhere: set[str] = set()
        for unit, nodes in self._nodes.items():
            inside: set[ast.AST] = set()
            for node in nodes:
                if isinstance(node, ast.ClassDef):
                    me = unit, node.name
                    own[me], stores = _members(node)
                    inside |= stores
                    bases[me] = [
                        self.origin(unit, base.id) for base in node.bases if isinstance(base, ast.Name)
                    ]
                    anywhere |= own[me] if "__getattr__" in own[me] else set()
            anywhere |= {n.attr for n in nodes if _is_store(n) and n not in inside}

        def whole(me: Key) -> set[str]:
            return own.get(me, set()).union(*map(whole, bases.get(me, ())))

        yield self._attributes(anywhere)
        for me in own:
            yield self._attributes(whole(me) | anywhere)


class _Renamer(Scoped):
    """Puts the new names in place of the old ones, in one unit."""

    def __init__(self, naming: Naming, unit: str):
        super().__init__()
        self.naming, self.unit = naming, unit

    def top(self, name: str) -> str:
        return self.naming.top(self.unit, name)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.named(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.naming.attribute(node.attr)
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        if node.module in self.naming.trees:
            for alias in node.names:
                here = self.named(binds(alias))
                alias.name = self.naming.top(node.module, alias.name)
                alias.asname = here if here != alias.name else None
        return node

    def class_scope(self, node: ast.ClassDef) -> Mapping[str, str]:
        return {name: self.naming.attribute(name) for name in bound(node.body)}

    def function_scope(self, arguments: ast.arguments, own: list[ast.AST]) -> Mapping[str, str]:
        """Local names cost nothing, but for those of arguments and of functions."""
        taken = {new for scope in self.scopes for new in scope.values()}
        free = (name for name in self.naming.arguments if name not in taken)
        names = [each.arg for each in all_arguments(arguments)]
        names += [node.name for node in own if isinstance(node, FUNCTIONS)]
        try:
            new = {name: next(free) for name in names if name not in self.naming.keywords}
        except StopIteration:
            raise LinkageError(f"{self.unit}: more than {_ARGUMENTS} arguments in each other") from None
        return {**super().function_scope(arguments, own), **new}


def _functions(unit: str, tree: ast.Module) -> set[Key]:
    """The functions and methods of a unit."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = {("", node.name) for each in classes for node in each.body if isinstance(node, FUNCTIONS)}
    return methods | {(unit, node.name) for node in tree.body if isinstance(node, FUNCTIONS)}


def _members(node: ast.ClassDef) -> tuple[set[str], set[ast.AST]]:
    """What a class defines, and where its methods do so."""
    names, stores = bound(node.body), set()
    for method in node.body:
        if isinstance(method, FUNCTIONS) and method.args.args:
            me = method.args.args[0].arg
            stores |= {n for n in ast.walk(method) if _is_store(n) and getattr(n.value, "id", "") == me}
    return names | {store.attr for store in stores}, stores


def _is_store(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and not isinstance(node.ctx, ast.Load)


def _texts(nodes: list[ast.AST]) -> Iterator[str]:
    """What getattr may be asked for, and the fields of a namedtuple."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") == "namedtuple":
            yield from str(getattr(node.args[1], "value", "")).split()


def _imported(tree: ast.Module, units: Mapping[str, str]) -> Iterator[tuple[str, Key]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in units:
            yield from ((binds(alias), (node.module, alias.name)) for alias in node.names)


def _names(node: ast.AST) -> Iterator[str]:
    fields = (getattr(node, field, None) for field in ("id", "attr", "name", "arg", "asname"))
    return (name for name in fields if isinstance(name, str))


def _free(used: set[str]) -> Iterator[str]:
    """Names that nothing has: first those that cost nothing, then short ones."""
    known = {name for each in (builtins, str, bytes, list, dict, set) for name in dir(each)}
    known = sorted(name for name in known if name[0] != "_" and not keyword.iskeyword(name))
    short = (*string.ascii_letters, *map("".join, itertools.product(string.ascii_lowercase, repeat=2)))
    taken = used | _SPECIAL | set(keyword.kwlist)
    return (name for name in (*known_names(known), *short) if name not in taken)
