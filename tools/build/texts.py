"""Takes the texts for people out of bundled units, into a file beside each (docs/decisions/0022).

A text in a function takes an object, its letters and a place in the unit's tables on the heap, as long as the unit is
loaded: 40 bytes and more. On a board it is in `<unit>.txt`, after one byte of length, and is read when it is needed.
Keys, headers and formats without a blank are no sentences and stay.
"""

from __future__ import annotations

import ast

_LEAST, _MOST = 14, 255
_READER = "_T"
_HOME = "firmware.device"
_STAYS = (_HOME, "firmware.links.")
"""Units that are in memory for long or together with others; the rest is dropped sooner than it says something."""
_SHORT = tuple(
    "firmware.links." + name for name in ("dialing", "iot_sender", "login", "polling", "time_query")
)
"""Of these, those that say so little that a file of its own would take more of a ROM partition."""
_SOURCE = f"""
def {_READER}(path, at):
    try:
        with open(path[:-3] + "txt", "rb") as f:
            f.seek(at)
            return f.read(f.read(1)[0]).decode()
    except (OSError, IndexError):
        return "text %d" % at
"""


def taken_out(units: dict[str, str]) -> dict[str, tuple[str, bytes]]:
    """By unit its source and the content of its file, empty where it has no texts. `units`: source by name."""
    return {
        name: _unit(name, text) if name.startswith(_STAYS) and name not in _SHORT else (text, b"")
        for name, text in units.items()
    }


def _unit(name: str, text: str) -> tuple[str, bytes]:
    tree = ast.parse(text)
    taker = _Taker()
    tree = taker.visit(tree)
    home = ast.parse(_SOURCE).body if name == _HOME else []
    if taker.places and not home:
        home = [ast.ImportFrom(_HOME, [ast.alias(_READER)], 0)]
    tree.body = [*_imports(tree), *home, *(node for node in tree.body if not _is_import(node))]
    return ast.unparse(ast.fix_missing_locations(tree)) + "\n", bytes(taker.content)


class _Taker(ast.NodeTransformer):
    """Replaces texts within functions by calls of the reader."""

    def __init__(self) -> None:
        self.places: dict[str, int] = {}
        self.content = bytearray()
        self._depth = 0

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        self._within(node)
        return node

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AsyncFunctionDef:
        self._within(node)
        return node

    def _within(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._depth += 1
        node.body = [self.visit(each) for each in node.body]
        self._depth -= 1

    def visit_Constant(self, node: ast.Constant) -> ast.expr:
        text = node.value
        if not (self._depth and isinstance(text, str) and _is_sentence(text)):
            return node
        if text not in self.places:
            self.places[text] = len(self.content)
            data = text.encode()
            self.content += bytes((len(data),)) + data
        place = ast.Constant(self.places[text])
        return ast.Call(ast.Name(_READER, ast.Load()), [ast.Name("__file__", ast.Load()), place], [])


def _is_sentence(value: object) -> bool:
    return (
        isinstance(value, str)
        and len(value) >= _LEAST
        and " " in value.strip()
        and value.isprintable()
        and len(value.encode()) <= _MOST
    )


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imports(tree: ast.Module) -> list[ast.stmt]:
    return [node for node in tree.body if _is_import(node)]
