"""Checks the import arrows (docs/ARCHITECTURE.md) and the house rules that a compiler does not see.

It checks which part of the device, and which folder of the tools, may import which; it searches for circles of imports;
and it finds constructs that are valid Python and wrong here, mostly because MicroPython compiles them and then behaves
differently (docs/two-interpreters.md). It reads syntax trees and imports nothing of what it checks.
`python -m tools.checks.layers` exits 1 when there are findings.
"""

import ast
import graphlib
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tools.repository import ROOT, device_files, host_files, imported

ARROWS = {
    "app": {"lan", "schedules", "updater", "portal", "device"}
    | {"links", "cloud", "drivers", "runtime", "core", "lib", "version"},
    "start": {"app", "device", "config_file", "settings", "roots", "safe_mode", "runtime", "version"},
    "roots": {"core", "lib"},
    "persistence_writing": {"runtime", "core", "lib"},
    "device": {"start", "safe_mode", "persistence_writing", "drivers", "runtime", "core", "version"},
    "settings": {"boards", "core"},
    "boards": set(),
    "sensors": {"core"},
    "outputs": {"core"},
    "config_file": {"core"},
    "lan": {"drivers", "runtime"},
    "schedules": {"core"},
    "updater": {"update_steps", "runtime", "core", "lib"},
    "update_steps": {"update", "update_rescue", "runtime", "core", "lib"},
    "update_rescue": {"update_client", "core", "lib"},
    "update": {"update_client", "update_rom", "update_whole", "drivers", "runtime", "core", "lib"},
    "update_client": {"lib"},
    "update_rom": {"core"},
    "update_whole": {"core"},
    "portal": {"portal_site", "device", "core"},
    "portal_site": {"settings", "drivers", "core", "lib", "version"},
    "safe_mode": {"portal", "runtime", "core"},
    "links": {"links", "cloud", "core", "lib", "version"},
    "cloud": {"cloud", "core"},
    "drivers": {"drivers", "core"},
    "runtime": {"runtime", "core"},
    "core": {"core"},
    "lib": {"lib"},
    "main": {"device", "heap", "core"},
    "heap": set(),
    "boot": set(),
    "version": set(),
    "__init__": set(),
}
HOST_ARROWS = {
    "env": set(),
    "build": set(),
    "serial": {"build"},
    "cloud": {"env"},
    "virtual_board": {"build", "env", "sensors"},
    "doctor": set(),
    "outputs": set(),
    "sensors": set(),
    "hostshim": set(),
    "pictures": {"virtual_board"},
    "fixture": {"build", "cloud", "env", "virtual_board"},
    "sim": {"cloud", "virtual_board"},
    "checks": {"build", "cloud", "dashboard", "env", "fixture", "sim", "virtual_board"},
    "dashboard": {"cloud", "env", "fixture", "virtual_board"},
    "cli": {"build", "checks", "cloud", "dashboard", "env", "fixture", "serial", "virtual_board"},
}
"""Folder of the tools -> the others that it may import; `common` and `repository` are for all."""
PURE = {"micropython", "struct", "json", "math", "binascii", "collections", "hashlib", "re"}
LIBRARY = PURE | {"asyncio", "errno", "gc", "io", "os", "select", "socket", "ssl", "sys", "time", "tls"}
HARDWARE = {"machine", "network", "esp32", "neopixel", "onewire", "dht", "bluetooth", "espnow", "vfs"}
MODULES = {
    "drivers": LIBRARY | HARDWARE | {"_thread"},
    "boot": {"machine", "json", "os", "sys", "time", "vfs"},
    "main": LIBRARY | {"machine"},
    "heap": LIBRARY | {"esp32", "_thread"},
}
"""What a part may import besides our own files; LIBRARY where nothing is said, PURE for the pure parts."""

LIB_RIM = {
    "client.py", "files.py", "loader.py", "opening.py", "resolver.py", "sockets.py", "standalone.py", "stream.py",
    "tasks.py",
}  # fmt: skip
"""The files of lib that wait or touch the flash, named alike in every package. All others are sans-I/O: bytes in,
events out."""

CATCH_ALL_FILES = {"main.py", "firmware/runtime/supervisor.py", "firmware/safe_mode.py"}
PRINT_FILES = {"boot.py", "main.py", "firmware/heap.py", "firmware/runtime/log.py"}
BY_NAME = {
    "firmware/app.py", "firmware/settings.py", "firmware/core/config_rules.py", "firmware/drivers/board.py",
}  # fmt: skip
START_FILES = {"boot.py", "main.py"}
VALUE_CALLS = {"const", "namedtuple", "tuple", "frozenset", "bytes", "calcsize", "compile"}
"""What may be called while a module is imported: makers of constants (`compile` is that of `re`)."""

NAMED_CALLS = {"getattr", "setattr", "hasattr"}
"""What looks an attribute up by text; drivers may put that together, for constants of the chip."""


@dataclass(frozen=True)
class Finding:
    path: PurePosixPath
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One device file: where it lies, which part of the device it belongs to, its syntax tree."""

    root: Path
    path: PurePosixPath
    tree: ast.Module

    @property
    def area(self) -> str:
        if self.path.parts[0] == "firmware":
            return self.path.parts[1].removesuffix(".py")
        return self.path.parts[0].removesuffix(".py")

    @property
    def pure(self) -> bool:
        return self.area in ("core", "cloud", "sensors", "outputs") or (
            self.area == "lib" and self.path.name not in LIB_RIM
        )


Note = tuple[ast.AST, str]


def lib_file(root: Path, name: str) -> str | None:
    """The file name inside lib that an imported name stands for, None when it is not one of lib's."""
    parts = name.split(".")
    if not any((root / "lib" / (parts[0] + end)).exists() for end in ("", ".py")):
        return None
    while not (root / "lib" / "/".join(parts)).with_suffix(".py").exists() and len(parts) > 1:
        parts.pop()
    return parts[-1] + ".py"


def check_imports(source: Source) -> Iterator[Note]:
    for node, name in imported(source.tree):
        top, _, rest = name.partition(".")
        if not top:
            yield node, "relative import: write the full name"
        elif top == "firmware":
            target = rest.partition(".")[0]
            if target not in ARROWS[source.area]:
                yield node, f"{source.area} may not import {target} (arrows)"
        elif rim := lib_file(source.root, name):
            if "lib" not in ARROWS[source.area]:
                yield node, f"{source.area} may not import lib (arrows)"
            elif source.area != "lib" and rim == "standalone.py":
                yield node, f"{name} makes connections without TLS: not for the firmware"
            elif source.area == "lib" and source.pure and rim in LIB_RIM:
                yield node, f"a sans-I/O file of lib may not import {name}, which waits"
        elif top not in (PURE if source.pure else _modules(source)):
            yield node, f"{source.area} may not import {top}{' (it is pure)' if source.pure else ''}"


def _modules(source: Source) -> set[str]:
    standalone = source.area == "lib" and source.path.name == "standalone.py"
    return LIBRARY | {"network"} if standalone else MODULES.get(source.area, LIBRARY)


def check_catch_alls(source: Source) -> Iterator[Note]:
    if source.path.as_posix() in CATCH_ALL_FILES:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler):
            caught = ast.walk(node.type) if node.type else ()
            names = {n.id for n in caught if isinstance(n, ast.Name)}
            if not node.type or names & {"Exception", "BaseException"}:
                yield node, "catch-all: name the errors, or let the supervisor have them"


def check_import_time(source: Source) -> Iterator[Note]:
    """Importing a file makes constants, classes and functions: no instances, no effects."""
    if source.path.as_posix() in START_FILES:
        return
    if source.path.name == "__init__.py" and source.tree.body:
        yield source.tree.body[0], "an __init__.py stays empty: importing one part must not load others"
    for node in run_at_import(source.tree):
        if isinstance(node, ast.Call) and called(node) not in VALUE_CALLS:
            yield node, f"call of {called(node)}() at import: build it where it is used"


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """What below `node` runs when the file is imported: class bodies do, function bodies do not."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from run_at_import(child)


def called(node: ast.Call) -> str:
    return str(getattr(node.func, "id", None) or getattr(node.func, "attr", "?"))


def check_names(source: Source) -> Iterator[Note]:
    may_print = source.path.as_posix() in PRINT_FILES
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Name):
            continue
        if node.id == "print" and not may_print:
            yield node, "print: only the log, boot.py and main.py write to the console"
        elif node.id == "__import__" and source.path.as_posix() not in BY_NAME:
            names = ", ".join(sorted(BY_NAME))
            yield node, f"__import__: only {names} load by name, so that the arrows can be checked"
        elif node.id == "__slots__":
            yield node, "__slots__ does nothing on MicroPython"


def check_dialect(source: Source) -> Iterator[Note]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Raise) and node.cause:
            yield node, "raise ... from: chains nothing on MicroPython and warns; put the cause in the text"
        elif isinstance(node, ast.Delete) and any(isinstance(n, ast.Slice) for n in ast.walk(node)):
            yield node, "del x[a:b]: fails for a bytearray on MicroPython; assign an empty slice"
        elif isinstance(node, ast.AsyncFunctionDef) and any(isinstance(n, ast.Yield) for n in ast.walk(node)):
            yield node, "async generator: MicroPython compiles it and then fails"
        elif source.area != "drivers" and isinstance(node, ast.Call) and called(node) in NAMED_CALLS:
            if not isinstance(node.args[1], ast.Constant | ast.Name):
                what = f"{called(node)} of a name that is put together"
                yield node, f"{what}: the bundler would not know it (0019)"
        elif isinstance(node, ast.AsyncWith):
            yield (
                node,
                "async with: leaving it takes memory; where that ends, a lock stays locked; try, finally",
            )
        elif isinstance(node, ast.Attribute) and node.attr in ("wait_for", "wait_for_ms"):
            yield node, f"{node.attr}: where memory ends it loses an error or a task; Clock.within does not"


CHECKS = (check_imports, check_catch_alls, check_import_time, check_names, check_dialect)


def module_name(path: PurePosixPath) -> str:
    """What an import calls that file."""
    parts = path.with_suffix("").parts
    return ".".join(parts[1:] if parts[0] == "lib" else parts).removesuffix(".__init__")


def check_circles(trees: dict[PurePosixPath, ast.Module], late: bool) -> Iterator[Finding]:
    """Circles of the imports at the top of these files, of all their imports where `late`: each one once."""
    paths = {module_name(path): path for path in trees}
    places: dict[str, dict[str, int]] = {module: {} for module in paths}
    for module, path in paths.items():
        run = {node for node in run_at_import(trees[path]) if isinstance(node, ast.Import | ast.ImportFrom)}
        for node, name in imported(trees[path]):
            target = name if name in paths else name.rpartition(".")[0]
            if target in paths and target != module and (late or node in run):
                places[module].setdefault(target, getattr(node, "lineno", 1))
    while circle := _circle(places):
        module, target = circle[:2]
        yield Finding(paths[module], places[module].pop(target), f"circle of imports: {' -> '.join(circle)}")


def _circle(imports: Mapping[str, Iterable[str]]) -> list[str]:
    """A circle in `imports`, its first module at its end again; [] where there is none."""
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        found: list[str] = error.args[1]
        return found[::-1]
    return []


def check_host(trees: dict[PurePosixPath, ast.Module]) -> Iterator[Finding]:
    """The arrows between the folders of the tools."""
    for path, tree in trees.items():
        if path.parts[0] != "tools" or len(path.parts) < 3:
            continue
        folder = path.parts[1]
        if folder not in HOST_ARROWS:
            yield Finding(path, 1, f"tools/{folder} has no arrows: see HOST_ARROWS")
            continue
        barred = HOST_ARROWS.keys() - {folder, *HOST_ARROWS[folder]}
        for node, name in imported(tree):
            if name.startswith("tools.") and (target := name.split(".")[1]) in barred:
                text = f"tools/{folder} may not import tools/{target} (arrows)"
                yield Finding(path, getattr(node, "lineno", 1), text)


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def check_attributes(trees: dict[PurePosixPath, ast.Module]) -> Iterator[Finding]:
    """An attribute is created in `__init__` or by the class: so one look shows what an object has. What is assigned to
    another object has to be an attribute of some class here. No method is assigned over, except with None, which frees
    the memory of one that is not called any more."""
    classes, origins = {}, {}
    for path, tree in trees.items():
        module = module_name(path)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                classes[module, node.name] = node
            elif isinstance(node, ast.ImportFrom):
                origins.update(
                    {(module, binds): (node.module or "", binds) for binds in (a.name for a in node.names)}
                )

    def created(module: str, name: str) -> set[str]:
        key = origins.get((module, name), (module, name))
        if key not in classes:
            return set()
        names = {base.id for base in classes[key].bases if isinstance(base, ast.Name)}
        return set(_created(classes[key])).union(*(created(key[0], base) for base in names))

    everything = set().union(*(created(*key) for key in classes))
    methods = {item.name for each in classes.values() for item in each.body if isinstance(item, _FUNCTIONS)}
    for path, tree in trees.items():
        own = {id(n): created(module_name(path), c.name) for c in ast.walk(tree) if isinstance(c, ast.ClassDef)
               for method in c.body for n in _stores(method)}  # fmt: skip
        freed = {id(target) for node in ast.walk(tree) if isinstance(node, ast.Assign) for target in node.targets
                 if isinstance(node.value, ast.Constant) and node.value.value is None}  # fmt: skip
        for node in _stores(tree):
            if node.attr in own.get(id(node), everything) or (id(node) in freed and node.attr in methods):
                continue
            method = "is a method, not to be assigned over"
            wrong = method if node.attr in methods else "is not created in __init__"
            yield Finding(path, node.lineno, f"{node.attr} {wrong}")


def _created(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, _FUNCTIONS):
            if item.name == "__init__":
                yield from (store.attr for store in _stores(item))
        else:
            yield from (
                n.id for n in ast.walk(item) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            )


def _stores(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Attributes that are assigned below `tree`; of a method only those of its own object."""
    me = tree.args.args[0].arg if isinstance(tree, _FUNCTIONS) and tree.args.args else ""
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)):
            continue
        if not me or (isinstance(node.value, ast.Name) and node.value.id == me):
            yield node


def parsed(root: Path, paths: list[PurePosixPath]) -> dict[PurePosixPath, ast.Module]:
    """SyntaxError when a file is not Python."""
    return {path: ast.parse((root / path).read_text(encoding="utf-8"), filename=str(path)) for path in paths}


def check(root: Path) -> list[Finding]:
    """All findings in the device code below `root`, and circles in the host code, by file and line. SyntaxError when a
    file is not Python."""
    device, host = parsed(root, device_files(root)), parsed(root, host_files(root))
    findings = [*check_circles(device, late=False), *check_circles(host, late=True), *check_host(host)]
    findings += check_attributes(device)
    for path, tree in device.items():
        source = Source(root, path, tree)
        if source.area not in ARROWS:
            findings.append(Finding(path, 1, f"{source.area} is no part of the device: see the arrows"))
            continue
        notes = (note for rule in CHECKS for note in rule(source))
        findings += [Finding(path, getattr(node, "lineno", 1), text) for node, text in notes]
    return sorted(findings, key=lambda f: (f.path, f.line))


def main() -> int:
    findings = check(ROOT)
    for finding in findings:
        print(finding)
    device, host = len(device_files(ROOT)), len(host_files(ROOT))
    print(f"layers: {device} device files, {host} host files, {len(findings)} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
