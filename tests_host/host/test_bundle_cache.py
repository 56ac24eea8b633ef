"""Bundled once, and again as soon as anything is different."""

from pathlib import Path

import pytest

from tools.build import bundler
from tools.build.bundle_cache import bundled
from tools.build.mpy import CompileError


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    texts = {
        "app": "from firmware.device import go\ndef start():\n    return go()\n",
        "device": "def go():\n    from firmware.app import start\n    return start\n",
        "settings": "",
        "safe_mode": "",
    }
    (tmp_path / "firmware").mkdir()
    for name, text in texts.items():
        (tmp_path / "firmware" / f"{name}.py").write_text(text)
    return tmp_path


def test_the_cache_returns_what_the_bundler_makes(tree: Path):
    cache = tree / "cache"
    fresh = bundler.bundled(tree)
    assert bundled(tree, cache) == fresh
    (kept,) = cache.iterdir()
    before = kept.stat().st_mtime_ns
    assert bundled(tree, cache) == fresh
    assert kept.stat().st_mtime_ns == before


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut off"])
def test_a_damaged_cache_entry_is_rebuilt(tree: Path, damage: bytes):
    cache = tree / "cache"
    fresh = bundled(tree, cache)
    for kept in cache.iterdir():
        kept.write_bytes(damage)
    assert bundled(tree, cache) == fresh


def test_a_changed_source_is_linked_again(tree: Path):
    before = bundled(tree, tree / "cache")
    with (tree / "firmware/device.py").open("a") as f:
        f.write("def more():\n    pass\n")
    after = bundled(tree, tree / "cache")
    assert before != after == bundler.bundled(tree)


def test_code_that_does_not_compile_is_not_cached(tree: Path):
    (tree / "firmware/settings.py").write_text("def f():\n    global x\n    x = 1\n")
    for _ in range(2):
        with pytest.raises(CompileError):
            bundled(tree, tree / "cache")
    assert not (tree / "cache").exists()
