"""Where the published stubs are not what the chip has: what is taken out of them and put in, each with its reason.

The stubs of the modules that the ESP32 port brings (`machine`, `network`, `esp32`, `socket`, `tls`, `time`, ...) were
made from the chip itself. Those of the built-in types and of the modules below are CPython's with additions, and
promise what no MicroPython has: they are cut down to what the real 1.24.0 and 1.29.0 answered to `dir()`.
"""

from __future__ import annotations

import ast
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ASYNCIO = Path(__file__).with_name("asyncio.pyi")
_BUILTINS = "stdlib/builtins.pyi"
_OS = "stdlib/os/__init__.pyi"
_SYS = "stdlib/sys/__init__.pyi"
_FUNCTION = ast.FunctionDef | ast.AsyncFunctionDef

_TEXT = """
    center count endswith find format index isalpha isdigit islower isspace isupper join lower lstrip partition replace
    rfind rindex rpartition rsplit rstrip split splitlines startswith strip upper
"""
_BYTES = f"{_TEXT} decode fromhex hex"
_SET = "copy difference intersection isdisjoint issubset issuperset symmetric_difference union"
METHODS = {
    "str": f"{_TEXT} encode",
    "bytes": _BYTES,
    "bytearray": f"{_BYTES} append extend",
    "list": "append clear copy count extend index insert pop remove reverse sort",
    "tuple": "count index",
    "dict": "clear copy fromkeys get items keys pop popitem setdefault update values",
    "frozenset": _SET,
    "set": f"{_SET} add clear difference_update discard intersection_update pop remove symmetric_difference_update"
    " update",
    "int": "from_bytes to_bytes",
    "float": "",
    "complex": "imag real",
    "memoryview": "hex",
    "range": "",
    "type": "mro",
    "slice": "start step stop",
}
"""Built-in type -> all its methods, alike in 1.24.0 and 1.29.0. Names with two underscores are left as they are."""

BUILTINS = """
    abs all any bin callable chr compile delattr dir divmod eval exec execfile getattr globals hasattr hash help hex id
    input isinstance issubclass iter len locals max min next oct open ord pow print repr round setattr sorted sum

    ArithmeticError AssertionError AttributeError EOFError ImportError IndentationError IndexError KeyError LookupError
    MemoryError NameError NotImplementedError OSError OverflowError RuntimeError SyntaxError TypeError UnicodeError
    ValueError ZeroDivisionError
"""
"""All built-in functions, and all errors whose names end so."""

MODULES = {
    _OS: "chdir dupterm dupterm_notify getcwd ilistdir listdir mkdir mount remove rename rmdir stat"
    " statvfs umount uname unlink urandom",
    _SYS: "argv byteorder exit implementation maxsize modules path platform print_exception ps1 ps2"
    " stderr stdin stdout tracebacklimit version version_info",
    "stdlib/json/__init__.pyi": "dump dumps load loads",
    "stdlib/struct.pyi": "calcsize pack pack_into unpack unpack_from",
    "stdlib/re.pyi": "compile match search sub",
}
"""File -> all functions and values of the module; its classes are left as they are."""


class Correction(NamedTuple):
    """`name` of the class `owner`, or of the module where that is "", is as `text` says, or absent
    where there is none."""

    file: str
    owner: str
    name: str
    text: str


def _built_in(owner: str, text: str) -> Correction:
    """Of a built-in type or function, which the text defines."""
    return Correction(_BUILTINS, owner, text.removeprefix("def ").partition("(")[0], text)


COMMON = [
    # A property of the C module, which the tool that reads the chip does not see.
    Correction("tls.pyi", "SSLContext", "verify_mode", "verify_mode: int"),
    # The tool that reads the chip does not see what a function takes.
    Correction(
        "_thread.pyi",
        "",
        "start_new_thread",
        "def start_new_thread(function: object, args: tuple, kwargs: dict = ..., /) -> int: ...",
    ),
    # No unions of types: `isinstance` takes a tuple.
    Correction(_BUILTINS, "type", "__or__", ""),
    Correction(_BUILTINS, "type", "__ror__", ""),
    # Characters, and below them the bytes (MICROPY_PY_SYS_STDIO_BUFFER, which the port has).
    Correction(
        _SYS,
        "",
        "stdin",
        "class _Stdin:\n    buffer: Any\n    def read(self, size: int = ..., /) -> str: ...\n"
        "    def readline(self, size: int = ..., /) -> str: ...\nstdin: _Stdin",
    ),
    _built_in("", "def print(*values: object, sep: str = ..., end: str = ..., file: Any = ...) -> None: ..."),
]
"""True of all versions."""

BEFORE_1_25 = [
    # One prefix, no tuple of them; a start for startswith only, and no end. Measured on 1.24.0.
    *(
        _built_in(owner, text % kind)
        for owner, kind in (("str", "str"), ("bytes", "ReadableBuffer"), ("bytearray", "ReadableBuffer"))
        for text in (
            "def startswith(self, prefix: %s, start: int = ..., /) -> bool: ...",
            "def endswith(self, suffix: %s, /) -> bool: ...",
        )
    ),
    # `errors` is taken and ignored: what was to be replaced raises.
    _built_in("bytes", "def decode(self, encoding: str = ..., /) -> str: ..."),
    _built_in("bytearray", "def decode(self, encoding: str = ..., /) -> str: ..."),
    _built_in("", "def next(i: SupportsNext[_T], /) -> _T: ..."),
    # No `signed`.
    _built_in("int", "def to_bytes(self, length: int = ..., byteorder: str = ..., /) -> bytes: ..."),
]
"""True of the oldest version only."""


def correct(folder: Path, corrections: list[Correction]) -> None:
    """Change the stubs in `folder`. KeyError when a class that is to be changed is not there any more."""
    trees: dict[str, ast.Module] = {}

    def edit(file: str, owner: str, change: Change, more: str = "") -> None:
        if file not in trees:
            trees[file] = ast.parse((folder / file).read_text(encoding="utf-8"))
        _edit(trees[file], owner, change, more)

    for owner, names in METHODS.items():
        edit(_BUILTINS, owner, _only(names, _is_method))
        edit(_BUILTINS, owner, _by_place)
    edit(_BUILTINS, "", _only(BUILTINS, _is_builtin))
    edit(_BUILTINS, "", _by_place)
    for file, names in MODULES.items():
        edit(file, "", _only(names, _is_value))
    edit(_OS, "", _last_only(trees[_OS]))
    for file, owner, name, text in corrections:
        edit(file, owner, _without(name), text)
    for file, tree in trees.items():
        (folder / file).write_text(ast.unparse(tree), encoding="utf-8")
    shutil.rmtree(folder / "stdlib/asyncio")
    shutil.copy(ASYNCIO, folder / "stdlib")


Change = Callable[[ast.stmt], ast.stmt | None]
"""What becomes of a statement of a module or class; None: it goes."""


def _edit(tree: ast.Module, owner: str, change: Change, more: str) -> None:
    """Change what the class `owner` of a file, or the file itself, consists of, and add the text `more`."""
    classes = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)} if owner else {}
    place = classes[owner] if owner else tree
    place.body = _changed(place.body, change) + ast.parse(more).body or [ast.Pass()]


def _changed(body: list[ast.stmt], change: Change) -> list[ast.stmt]:
    """The statements after the change; those below an `if` too, and not those inside what is defined."""
    made: list[ast.stmt] = []
    for node in body:
        if isinstance(node, ast.If):
            node.body, node.orelse = _changed(node.body, change), _changed(node.orelse, change)
            if node.body or node.orelse:
                node.body = node.body or [ast.Pass()]
                made.append(node)
        elif (kept := change(node)) is not None:
            made.append(kept)
    return made


def _without(name: str) -> Change:
    """What defines that name goes."""
    return lambda node: None if name in _names(node) else node


def _only(names: str, kind: Callable[[ast.stmt, str], bool]) -> Change:
    """Of the definitions of a kind, those of these names stay; and so does what has two underscores."""
    there = set(names.split())

    def change(node: ast.stmt) -> ast.stmt | None:
        absent = any(kind(node, name) and name not in there for name in _names(node) if name[:2] != "__")
        return None if absent else node

    return change


def _last_only(tree: ast.Module) -> Change:
    """Of functions that are there more than once the last stays: CPython's come first, MicroPython's behind them."""
    last: dict[str, ast.stmt] = {}

    def note(node: ast.stmt) -> ast.stmt:
        if isinstance(node, _FUNCTION):
            last[node.name] = node
        return node

    def change(node: ast.stmt) -> ast.stmt | None:
        if isinstance(node, _FUNCTION):
            node.decorator_list = []
            return node if last[node.name] is node else None
        return node

    _changed(tree.body, note)
    return change


def _names(node: ast.stmt) -> list[str]:
    """What a statement of a stub defines."""
    if isinstance(node, _FUNCTION | ast.ClassDef):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


def _is_method(node: ast.stmt, _: str) -> bool:
    return isinstance(node, _FUNCTION | ast.AnnAssign)


def _is_builtin(node: ast.stmt, name: str) -> bool:
    return isinstance(node, _FUNCTION) or name.endswith(("Error", "Warning"))


def _is_value(node: ast.stmt, name: str) -> bool:
    """A function or variable, and no type or private helper of the stub itself."""
    return isinstance(node, _FUNCTION | ast.AnnAssign) and name[0] != "_"


def _by_place(node: ast.stmt) -> ast.stmt:
    """Built-in functions of C take by name only what follows a star; `open` and `compile` are no such."""
    if (
        isinstance(node, _FUNCTION)
        and node.name not in ("open", "compile")
        and not node.name.startswith("__")
    ):
        node.args.posonlyargs += node.args.args
        node.args.args = []
    return node
