"""Keeps short strings of the units that only the start needs out of the interpreter's tables.

MicroPython puts a string of up to ten characters into its tables of names as soon as the code that has it is loaded,
and never takes it out: 8 bytes and its letters on the heap, for good. In these units it becomes a part of one long
string, which goes with the unit (docs/decisions/0019).
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from tools.build.mpy import INTERNED

_BOARDS = "firmware.boards."
_START = ("firmware.app", "firmware.config_file", "firmware.settings", "firmware.start")
_WORDS = "argv"
"""What a unit calls the parts: a name that MicroPython has in its ROM and no code here uses."""
_BETWEEN = "\n"


def listed(units: Mapping[str, str]) -> dict[str, str]:
    """`units`, sources by name, with items of a list in place of the strings that no other unit names anyway."""
    named = {unit: set(_names(ast.parse(text))) for unit, text in units.items()}
    stays = set().union(*(found for unit, found in named.items() if not _at_start(unit)))
    return {unit: _unit(text, stays) if _at_start(unit) else text for unit, text in units.items()}


def _at_start(unit: str) -> bool:
    return unit in _START or unit.startswith(_BOARDS)


def _unit(text: str, stays: set[str]) -> str:
    tree = ast.parse(text)
    names = {name for node in ast.walk(tree) for name in _identifiers(node)}
    found = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    # Every string of one character is in those tables as soon as it is made.
    words = sorted(w for w in found - stays - names if 1 < len(w) <= INTERNED and _BETWEEN not in w)
    if not words:
        return text
    lister = _Lister(words)
    body = [lister.visit(node) for node in tree.body]
    first = ast.parse(f"{_WORDS} = {_BETWEEN.join(words)!r}.split({_BETWEEN!r})").body[0]
    at = next(i for i, node in enumerate(body) if not isinstance(node, ast.Import | ast.ImportFrom))
    tree.body = [*body[:at], first, *body[at:]]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n"


class _Lister(ast.NodeTransformer):
    def __init__(self, words: list[str]) -> None:
        self.places = {word: at for at, word in enumerate(words)}

    def visit_Tuple(self, node: ast.Tuple) -> ast.AST:
        """A tuple of constants is one object, whose strings are in no table."""
        return node if all(isinstance(each, ast.Constant) for each in node.elts) else self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        if not isinstance(node.value, str) or node.value not in self.places:
            return node
        return ast.Subscript(ast.Name(_WORDS, ast.Load()), ast.Constant(self.places[node.value]), ast.Load())


def _names(tree: ast.AST) -> Iterator[str]:
    """All that the interpreter's tables get of a unit."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        yield from _identifiers(node)


def _identifiers(node: ast.AST) -> Iterator[str]:
    for field in ("id", "attr", "arg", "name", "asname", "module"):
        value = getattr(node, field, None)
        if isinstance(value, str):
            yield value
