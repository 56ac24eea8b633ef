"""The compile gate and the size limits, on a made-up device tree."""

from itertools import chain
from pathlib import Path, PurePosixPath

import pytest

from firmware.core import romslot
from tools import kinds
from tools.build import bundle_cache, payload, sizes
from tools.build.bundler import Program, unit_path
from tools.build.mpy import compiled


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
def test_code_that_the_oldest_micropython_cannot_compile_is_an_error(measured, text: str):
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


@pytest.mark.parametrize(("lines", "broken", "better"), [(30, 0, 0), (31, 0, 1), (40, 0, 1), (41, 1, 0)])
def test_function_lengths(measured, lines: int, broken: int, better: int):
    for doc in (0, 1, 20):
        output = sizes.over([measured(function(lines, doc))])
        assert [len(texts) for texts in output] == [broken, better]


@pytest.mark.parametrize(("lines", "broken"), [(400, 0), (401, 1)])
def test_file_lengths(measured, lines: int, broken: int):
    assert len(sizes.over([measured("A = 1\n" * lines)])[0]) == broken


@pytest.mark.parametrize(("extra", "broken"), [(0, 0), (1, len(sizes.MPY_BYTES))])
def test_every_row_has_its_limit(extra: int, broken: int):
    totals = {row: limit + extra for row, limit in sizes.MPY_BYTES.items()}
    assert len(sizes.too_large(totals)) == broken
    assert set(totals) == set(Program(sizes.ROOT).rows)


@pytest.fixture(scope="module")
def rows() -> dict[str, sizes.Row]:
    return sizes.rows(sizes.ROOT)


def test_a_row_counts_resident_units_and_the_largest_loaded_set(rows):
    bundled = {name: len(code) for name, code in bundle_cache.bundled(sizes.ROOT).items()}
    found = rows["realer-https"]
    starters = {name: len(compiled(sizes.ROOT / name)) for name in ("boot.py", "main.py")}
    stays = starters | {name: bundled[name] for name in ("firmware/device.mpy", "firmware/polling.mpy")}
    assert found.stays == stays
    sums = [
        sum(bundled[name] for name in moment if name not in stays)
        - (bundled[found.link] if "firmware/settings.mpy" in moment else 0)
        for moment in found.moments
    ]
    assert found.most == sum(stays.values()) + max(sums) == sizes.totals(sizes.ROOT)["realer-https"]
    assert len(set(sums)) > 3


def test_the_halves_of_a_link_are_not_counted_together(rows):
    for row, found in rows.items():
        moments = [{name.rpartition("/")[2] for name in moment} for moment in found.moments]
        mqtt = [moment for moment in moments if "mqtt.mpy" in moment]
        assert bool(mqtt) == (row.split("-")[1] in ("mqtt", "auto") and not row.startswith("realino"))
        assert not [name for moment in mqtt for name in moment if name.startswith("https")]
        https = {name for moment in moments for name in moment if name.startswith("https")}
        both = {"https_bootstrap.mpy", "https_realino.mpy"}
        desired = {"auto": both, "thinger": set(), "realer": {"https_iot.mpy"}}
        api = row.split("-")[0]
        assert https == desired.get(api, {f"https_{api}.mpy"})


def test_every_unit_is_counted_or_optional(rows):
    program = Program(sizes.ROOT)
    counted = sizes.ON_DEMAND | {unit_path(name) for name in [*program.kinds, *program.buses]}
    for found in rows.values():
        counted |= found.stays.keys() | set().union(*found.moments)
    units = {
        name for name in bundle_cache.bundled(sizes.ROOT) if name.endswith(".mpy")
    }  # texts are in no memory
    assert counted - {"boot.py", "main.py"} == units, "say in tools/build/sizes.py when"


def test_an_update_that_an_older_firmware_fetches_has_the_kinds_of_its_sensors():
    """Its traits name the row and the options only; both kinds that it can have come without a condition."""
    conditions = payload.conditions(sizes.ROOT)
    for kind, always in (("thermistor", True), ("ldr_sensor", True), ("ds18b20", False)):
        needed = romslot.needed(conditions.get(f"firmware/sensors/{kind}.mpy"), ["realer-https"])
        assert needed is always, kind


def test_a_configuration_gets_the_units_that_its_row_loads(rows):
    """What a ROM partition has no room for is chosen by these conditions."""
    conditions = payload.conditions(sizes.ROOT)
    for row, found in rows.items():
        for unit in {*found.stays, *chain(*found.moments)} - {"boot.py", "main.py"}:
            assert row in conditions.get(unit, row).split(","), (row, unit)
    for unit, desired in conditions.items():
        words = {f"{folder}.{word}" for folder in ("sensors", "outputs") for word in kinds.words(folder)}
        assert set(desired.split(",")) <= {*rows, *words, "portal", "update", "lan"}, unit
