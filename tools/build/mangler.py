"""Gives the names of bundled units to names that cost a device nothing (docs/decisions/0019).

A name that is not in the interpreter's ROM takes eight bytes of a device's heap and its length, for good. A name that
only our code uses becomes one that every MicroPython has in ROM. Two attributes may share one where no class has both,
two functions where no unit has both, so that a traceback can still be read (`functions`). `mangled_names` chooses the
names. Local names are not part of what a board gets; they are numbered, so that they hide nothing.

A name stays where other code looks for it: `KEPT`, what a text names, what is passed by keyword, `...Error`, which is
logged, and attributes that objects of MicroPython have too (`SHARED`; a test compares it with the published stubs).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import TypeGuard

from tools.build.mangled_names import ARGUMENTS, Group, Key, chosen
from tools.build.scopes import (
    FUNCTIONS,
    IMPORTS,
    BundleError,
    Loop,
    Scoped,
    all_arguments,
    binds,
    bound,
    targets,
)

KEPT = frozenset({
    "Backoff", "Clock", "Device", "Log", "PROFILE", "RULES", "VERSION", "driver", "grow", "log", "run", "state",
})  # fmt: skip
"""What main.py asks the firmware for, what is loaded by name, and what looks at a board from outside, tests and
benchmarks included."""
SHARED = frozenset({
    "_closed", "_run", "accept", "add", "all", "append", "board", "broken", "choice", "close", "context", "copy",
    "count", "data", "disconnect", "drive", "dup", "duty", "end", "expired", "full", "get", "index", "items",
    "link", "listen", "load", "lock", "measure", "next", "offset", "path", "pid", "pin", "ping", "poll", "post",
    "publish", "raw", "read", "read_uv", "reason", "release", "request", "reset_cause", "select", "server",
    "session", "set", "setup", "shutdown", "size", "sleep_ms", "sort", "start", "stop", "streams", "subscribe",
    "sync", "tasks", "ticks_ms", "tuple", "write",
})  # fmt: skip
"""Attributes of ours that something in MicroPython or a chip's modules has as well: whose is meant cannot be seen."""
_ASKING = ("getattr", "hasattr", "setattr", "delattr")


class Mangler:
    """New names for `units`, texts by name. `new`: by Key; `arguments`: for those of a function and what is in it."""

    def __init__(self, units: Mapping[str, str]):
        self.trees = {unit: ast.parse(text) for unit, text in units.items()}
        self._nodes = {unit: list(ast.walk(tree)) for unit, tree in self.trees.items()}
        nodes = [node for each in self._nodes.values() for node in each]
        self.keywords = {node.arg for node in nodes if isinstance(node, ast.keyword) and node.arg}
        self._kept = KEPT | SHARED | self.keywords | set(_texts(nodes))
        self.imported = {unit: dict(_imported(tree, units)) for unit, tree in self.trees.items()}
        self._tops = {unit: bound(tree.body) for unit, tree in self.trees.items()}
        hidden = self.keywords.union(*(self._foreign(unit) for unit in units))
        self.arguments = tuple(name for name in ARGUMENTS if name not in hidden)
        self.new = chosen([*self._classes(_asked(nodes)), *self._units()])

    def texts(self) -> dict[str, str]:
        """The units by their new names. Uses the trees up: ask it last, and once."""
        trees = {unit: _Renamer(self, unit).visit(tree) for unit, tree in self.trees.items()}
        return {unit: ast.unparse(tree) + "\n" for unit, tree in trees.items()}

    def functions(self) -> dict[str, dict[str, str]]:
        """What the functions of units were called, by new name, for each last part of a unit's name, which is what a
        traceback shows."""
        found: dict[str, dict[str, str]] = {}
        for unit, tree in self.trees.items():
            names = found.setdefault(unit.rpartition(".")[2], {})
            names.update({self.new.get(key, key[1]): key[1] for key in _functions(unit, tree)})
        return found

    def attribute(self, name: str) -> str:
        return self.new.get(("", name), name)

    def top(self, unit: str, name: str) -> str:
        return self.new.get(self.origin(unit, name), name)

    def origin(self, unit: str, name: str) -> Key:
        """Where what a unit calls so is at home."""
        return self.imported[unit].get(name, (unit, name))

    def _ours(self, key: Key) -> bool:
        unit, name = key
        if unit:
            return not name.endswith("Error") and name not in KEPT
        return not name.startswith("__") and name not in self._kept

    def _group(self, keys: set[Key], kept: AbstractSet[str] = frozenset()) -> Group:
        ours = set(filter(self._ours, keys))
        return Group(ours, {name for _, name in keys - ours} | kept)

    def _attributes(self, names: set[str], kept: AbstractSet[str] = frozenset()) -> Group:
        return self._group({("", name) for name in names}, kept)

    def _foreign(self, unit: str) -> set[str]:
        """What the top of a unit binds that is not ours."""
        imports = {binds(a) for n in self.trees[unit].body if isinstance(n, IMPORTS) for a in n.names}
        return imports - set(self.imported[unit])

    def _units(self) -> Iterator[Group]:
        """What is to be told apart in a unit: what its top binds, and its functions, methods included."""
        for unit, tree in self.trees.items():
            foreign = self._foreign(unit)
            yield self._group({self.origin(unit, name) for name in self._tops[unit] - foreign}, foreign)
            yield self._group(_functions(unit, tree))

    def _classes(self, asked: set[str]) -> Iterator[Group]:
        """What is to be told apart in a class: its attributes and those of its bases, and what its body reads. What is
        set from outside, or may be looked for in two objects, is told apart from everything; so is what is `asked`."""
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
                        self.origin(unit, each.id) for each in node.bases if isinstance(each, ast.Name)
                    ]
                    anywhere |= own[me] if "__getattr__" in own[me] else set()
                    yield self._body(unit, node)
            anywhere |= {n.attr for n in nodes if _is_store(n) and n not in inside}

        def whole(me: Key) -> set[str]:
            return own.get(me, set()).union(*map(whole, bases.get(me, ())))

        if any("__getattr__" in names for names in own.values()):
            used = {n.attr for nodes in self._nodes.values() for n in nodes if isinstance(n, ast.Attribute)}
            asked = asked | {name for name in used if not self._ours(("", name))}
        yield self._attributes(anywhere, asked)
        for me in own:
            yield self._attributes(whole(me) | anywhere, asked)

    def _body(self, unit: str, node: ast.ClassDef) -> Group:
        """What must not hide each other in the body of a class: the attributes it binds, and what it reads."""
        names = bound(node.body)
        read = {
            n.id for part in _run_at_once(node) for n in ast.walk(part) if isinstance(n, ast.Name)
        } - names
        tops = {self.origin(unit, name) for name in read & self._tops[unit]}
        nested = node not in self.trees[unit].body
        kept = (read - self._tops[unit]) | self._foreign(unit) | (set(ARGUMENTS) if nested else set())
        return self._group({("", name) for name in names} | tops, kept)


class _Renamer(Scoped):
    """Puts the new names in place of the old ones, in one unit."""

    def __init__(self, mangler: Mangler, unit: str):
        super().__init__()
        self.mangler, self.unit = mangler, unit

    def top(self, name: str) -> str:
        return self.mangler.top(self.unit, name)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        node.id = self.named(node.id)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        node.attr = self.mangler.attribute(node.attr)
        return self.generic_visit(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.ImportFrom:
        for alias in node.names:
            here = self.named(binds(alias))
            if node.module in self.mangler.trees:
                alias.name = self.mangler.top(node.module, alias.name)
            alias.asname = here if here != alias.name else None
        return node

    def visit_Import(self, node: ast.Import) -> ast.Import:
        for alias in node.names:
            here = self.named(binds(alias))
            if here != binds(alias) and not alias.asname and "." in alias.name:
                raise BundleError(f"{self.unit}: import {alias.name} at the top, or with `as`")
            alias.asname = here if here != alias.name else None
        return node

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> ast.AST:
        node.name = node.name and self.named(node.name)
        return self.generic_visit(node)

    def class_scope(self, node: ast.ClassDef) -> Mapping[str, str]:
        return {name: self.mangler.attribute(name) for name in bound(node.body)}

    def function_scope(self, arguments: ast.arguments, own: list[ast.AST]) -> Mapping[str, str]:
        """What costs heap, the names of arguments and of functions, gets such as are known; the others a number."""
        taken = {new for scope in self.scopes for new in scope.values()}
        free = (name for name in self.mangler.arguments if name not in taken)
        names = [each.arg for each in all_arguments(arguments)]
        kept = {name: name for name in names if name in self.mangler.keywords}
        names += sorted(node.name for node in own if isinstance(node, (*FUNCTIONS, ast.ClassDef)))
        try:
            new = {name: next(free) for name in dict.fromkeys(names) if name not in kept}
        except StopIteration:
            raise BundleError(f"{self.unit}: more than {len(ARGUMENTS)} arguments in each other") from None
        others = set(super().function_scope(arguments, own)) - set(new) - set(kept)
        return {**self._numbered(others), **new, **kept}

    def loop_scope(self, node: Loop) -> Mapping[str, str]:
        return self._numbered(targets(node))

    def _numbered(self, names: Iterable[str]) -> dict[str, str]:
        """Names for local ones, other than those around; nobody else's begin like this."""
        before = sum(len(scope) for scope in self.scopes)
        return {name: f"_{before + number}" for number, name in enumerate(sorted(names))}


def _functions(unit: str, tree: ast.Module) -> set[Key]:
    """The functions and methods of a unit."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    methods = {("", node.name) for each in classes for node in each.body if isinstance(node, FUNCTIONS)}
    return methods | {(unit, node.name) for node in tree.body if isinstance(node, FUNCTIONS)}


def _members(node: ast.ClassDef) -> tuple[set[str], set[ast.Attribute]]:
    """What a class defines, and where its methods do so."""
    names = bound(node.body)
    stores: set[ast.Attribute] = set()
    for method in node.body:
        if isinstance(method, FUNCTIONS) and method.args.args:
            me = method.args.args[0].arg
            stores |= {n for n in ast.walk(method) if _is_store(n) and getattr(n.value, "id", "") == me}
    return names | {store.attr for store in stores}, stores


def _is_store(node: ast.AST) -> TypeGuard[ast.Attribute]:
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
            yield from ((binds(alias), (node.module or "", alias.name)) for alias in node.names)


def _asked(nodes: list[ast.AST]) -> set[str]:
    """What objects are asked for that may not have it."""
    calls = [n for n in nodes if isinstance(n, ast.Call) and getattr(n.func, "id", "") in _ASKING]
    names = (call.args[1].value for call in calls if isinstance(call.args[1], ast.Constant))
    return {name for name in names if isinstance(name, str)}


def _run_at_once(node: ast.ClassDef) -> Iterator[ast.AST]:
    """What is evaluated within the scope of a class, and a little more."""
    for each in node.body:
        if isinstance(each, FUNCTIONS):
            yield from (*each.decorator_list, *each.args.defaults, *filter(None, each.args.kw_defaults))
        else:
            yield each
