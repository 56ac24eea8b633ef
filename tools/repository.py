"""Where this repository lies, and which of its files go onto a device."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_TOOLS = Path(__file__).resolve().parent
INSTALLED = (_TOOLS / "device").is_dir()
"""Whether this is what `pip install .` installed, without the tests."""
ROOT = _TOOLS / "device" if INSTALLED else _TOOLS.parent
"""The repository; where this is INSTALLED, what the commands need of it (pyproject.toml)."""


def import_device_code() -> None:
    """Let this Python import the device's packages: `firmware` and those of `lib`, with a `micropython` for CPython."""
    for folder in map(str, (ROOT, ROOT / "lib", _TOOLS / "hostshim")):
        if folder not in sys.path:
            sys.path.append(folder)


def host_files(root: Path) -> list[PurePosixPath]:
    """Every Python file of the tools and of what the tests share, relative to `root`."""
    found = [p for folder in ("tools", "tests_host/support") for p in sorted((root / folder).rglob("*.py"))]
    return [PurePosixPath(p.relative_to(root).as_posix()) for p in found]


def device_files(root: Path) -> list[PurePosixPath]:
    """Every Python file that goes onto the device, relative to `root`."""
    found = [p for p in (root / "boot.py", root / "main.py") if p.exists()]
    for folder in ("firmware", "lib"):
        found += sorted((root / folder).rglob("*.py"))
    return [PurePosixPath(p.relative_to(root).as_posix()) for p in found]


def imported(tree: ast.Module) -> Iterator[tuple[ast.AST, str]]:
    """Each imported name in full (`a.b` for `from a import b`), wherever in the file it is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from ((node, f"{origin}.{alias.name}") for alias in node.names)
