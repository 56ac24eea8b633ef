"""The compile gate and the size limits, on a made-up device tree."""

from pathlib import Path, PurePosixPath

import pytest

from tools import linkcache, sizes
from tools.mpy import compiled


@pytest.fixture
def measured(tmp_path: Path):
    """Measure one device file with the given text."""

    def measure(text: str) -> sizes.Size:
        file = tmp_path / "firmware" / "core" / "x.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return sizes.measure(tmp_path, PurePosixPath("firmware/core/x.py"))

    return measure


def function(lines: int, doc: int = 0) -> str:
    """A function of so many lines, plus a docstring of so many."""
    text = ['    """' + "\n" * (doc - 1) + '    """'] if doc else []
    return "\n".join(["def f(x):", *text, *(["    x += 1"] * (lines - 1))]) + "\n"


@pytest.mark.parametrize(
    "text", ["def f(:\n", "x = [*a, 1]\n", "def f(a, /): pass\n", "match 1:\n    case _: pass\n"]
)
def test_what_the_oldest_micropython_cannot_compile_is_an_error(measured, text: str):
    size = measured(text)
    assert "SyntaxError" in size.error
    broken, _ = sizes.over([size])
    assert broken == [f"firmware/core/x.py does not compile: {size.error}"]


def test_the_size_is_that_of_the_compiled_file_wherever_the_repository_lies(measured, tmp_path: Path):
    size = measured("A = 'aaaaaaaaaaaaaaaaaaaa'\n")
    assert 40 < size.mpy < 100
    assert list(tmp_path.rglob("*.mpy")) == []
    longer = tmp_path / ("deeper" * 10)
    (longer / "firmware" / "core").mkdir(parents=True)
    (longer / size.path).write_text("A = 'aaaaaaaaaaaaaaaaaaaa'\n")
    assert sizes.measure(longer, size.path).mpy == size.mpy


def test_comments_and_docstrings_weigh_next_to_nothing(measured):
    plain = measured("def f():\n    return 1\n").mpy
    told = measured('def f():\n    """' + "Long words. " * 99 + '"""\n    # more\n    return 1\n').mpy
    assert plain <= told < plain + 4


@pytest.mark.parametrize(("lines", "broken", "wished"), [(30, 0, 0), (31, 0, 1), (45, 0, 1), (46, 1, 0)])
def test_function_lengths(measured, lines: int, broken: int, wished: int):
    for doc in (0, 1, 20):
        said = sizes.over([measured(function(lines, doc))])
        assert [len(texts) for texts in said] == [broken, wished]


@pytest.mark.parametrize(("lines", "broken"), [(250, 0), (251, 1)])
def test_file_lengths(measured, lines: int, broken: int):
    assert len(sizes.over([measured("A = 1\n" * lines)])[0]) == broken


@pytest.mark.parametrize(("extra", "broken"), [(0, 0), (1, 2)])
def test_every_row_has_its_limit(extra: int, broken: int):
    totals = {
        "realer-https": sizes.MPY_BYTES["realer-https"] + extra,
        "other-link": sizes.MPY_BYTES_OTHERS + extra,
    }
    assert len(sizes.too_large(totals)) == broken


def test_a_row_counts_what_a_board_with_it_loads_and_nothing_of_other_links():
    totals = sizes.totals(sizes.ROOT)
    linked = {name: len(code) for name, code in linkcache.linked(sizes.ROOT).items()}
    starters = sum(len(compiled(sizes.ROOT / name)) for name in ("boot.py", "main.py"))
    apart = sizes.ON_DEMAND
    shared = sum(
        size for name, size in linked.items() if name[:15] != "firmware/links/" and name not in apart
    )
    assert totals["realer-https"] == starters + shared + linked["firmware/links/realer_https.mpy"]
