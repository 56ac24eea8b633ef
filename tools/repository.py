"""Where this repository lies, and which of its files go onto a device."""

from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parent.parent


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
