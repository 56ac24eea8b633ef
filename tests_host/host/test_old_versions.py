"""The portable tests on every supported MicroPython, in node; the runner that does it, on files made to fail; and which
versions are meant."""

import json
import subprocess
from pathlib import Path

import pytest

from tools.checks import portable
from tools.common import Failed
from tools.env import npm, uplot, wasm

OLDEST = wasm.versions()[0]
SHARES = 4
"""Parts that the files of one version are dealt to, for tests that run beside each other."""


@pytest.mark.parametrize(
    "share", [*(pytest.param(n, marks=pytest.mark.thorough) for n in range(SHARES - 1)), SHARES - 1]
)
@pytest.mark.parametrize("version", wasm.chosen())
def test_the_portable_tests(version: str, share: int):
    outcomes = portable.run_in_node(portable.files()[share::SHARES], wasm.build(version))
    wrong = {test.name: outcome for test, outcome in outcomes.items() if not outcome.ok and not outcome.lacks}
    assert not wrong, "\n".join(f"{name}: {outcome}\n{outcome.text}" for name, outcome in wrong.items())
    without = {test.name: outcome.lacks for test, outcome in outcomes.items() if outcome.lacks}
    assert len(without) < len(outcomes) / 10, f"too many files that run on no old version: {without}"


def outcomes_of(
    folder: Path, *texts: str, version: str = OLDEST, limit_s: float = 30
) -> list[portable.Outcome]:
    tests = []
    for number, text in enumerate(texts):
        tests.append(folder / f"test_made{number}.py")
        tests[-1].write_text(text)
    return list(portable.run_in_node(tests, wasm.build(version), limit_s).values())


@pytest.mark.parametrize("version", wasm.chosen())
def test_has_the_version_of_its_name(version: str, tmp_path: Path):
    text = f"""
import sys
def test_version():
    assert "%d.%d.%d" % sys.implementation.version[:3] == "{version}"
def test_words_have_32_bits():
    assert sys.maxsize == 0x7FFFFFFF
"""
    (outcome,) = outcomes_of(tmp_path, text, version=version)
    assert outcome.ok, outcome.text


def test_counts_and_names_failed_tests(tmp_path: Path):
    text = "def test_a():\n    assert 1\ndef test_b():\n    assert 0\nasync def test_c():\n    1 / 0\n"
    (outcome,) = outcomes_of(tmp_path, text)
    assert (outcome.passed, outcome.failed, outcome.ok) == (1, ("test_b", "test_c"), False)
    assert "ZeroDivisionError" in outcome.text


@pytest.mark.gate
def test_a_bad_file_spoils_no_other(tmp_path: Path):
    good = "def test_x():\n    assert 1\n"
    bad = [
        "while True:\n    pass\n",
        "raise SystemExit(0)\n",
        "def test_x(:\n",
        "import absent\n",
        "def helper():\n    pass\n",
        "import uctypes\ndef test_x():\n    uctypes.bytearray_at(-16, 8)[0]\n",
    ]
    before, *between, after = outcomes_of(tmp_path, good, *bad, good, limit_s=5)
    assert before.ok and after.ok
    assert [outcome.ok for outcome in between] == [False] * len(bad)
    assert "no end" in between[0].crash and "out of bounds" in between[-1].crash
    assert not any(outcome.lacks for outcome in between)


def test_a_file_that_needs_a_chip_is_named(tmp_path: Path):
    (outcome,) = outcomes_of(tmp_path, "import machine\ndef test_x():\n    pass\n")
    assert (outcome.lacks, outcome.ok) == ("machine", False)


@pytest.mark.parametrize("version", wasm.chosen())
def test_coroutines_are_driven_as_by_the_interpreter_of_a_chip(version: str, tmp_path: Path):
    """Each in a loop of its own, with deadlines, errors of others' tasks, and streams that are cancelled."""
    text = """
import asyncio, socket
ran = []
async def stray():
    await asyncio.sleep_ms(0)
    ran.append("stray")
async def test_1():
    asyncio.create_task(stray())
async def test_2_a_new_loop_has_no_tasks_of_the_last():
    for _ in range(5):
        await asyncio.sleep_ms(0)
    assert not ran
async def test_3_a_day_passes_at_once():
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 86400)
    except asyncio.TimeoutError:
        ran.append("timeout")
    assert ran == ["timeout"]
async def test_4_an_error_reaches_the_awaiting_task():
    async def fails():
        await asyncio.sleep_ms(1)
        raise ValueError("5")
    task = asyncio.create_task(fails())
    await asyncio.sleep_ms(10)
    try:
        await task
    except ValueError as error:
        ran.append(error.args)
    assert ran[-1] == ("5",)
async def test_5_an_error_of_an_unawaited_task_goes_to_the_handler():
    handled = []
    asyncio.get_event_loop().set_exception_handler(lambda loop, context: handled.append(context["exception"]))
    async def fails():
        raise ValueError("6")
    asyncio.create_task(fails())
    await asyncio.sleep_ms(10)
    asyncio.get_event_loop().set_exception_handler(None)
    assert [type(error) for error in handled] == [ValueError]
async def test_6_the_order_of_sleepers():
    order = []
    async def sleeper(ms):
        await asyncio.sleep_ms(ms)
        order.append(ms)
    await asyncio.gather(sleeper(30), sleeper(10), sleeper(20))
    assert order == [10, 20, 30]
def test_7_run_returns_and_raises():
    async def returns():
        return 7
    assert asyncio.run(returns()) == 7
    async def exits():
        raise KeyboardInterrupt
    try:
        asyncio.run(exits())
        raise AssertionError
    except KeyboardInterrupt:
        pass
"""
    (outcome,) = outcomes_of(tmp_path, text, version=version)
    assert outcome.ok, outcome.text


def test_which_versions_are_meant():
    known = wasm.versions()
    assert (known[0], len(known) > 4) == ("1.24.0", True)
    assert wasm.chosen("ends") == wasm.chosen("") == [known[0], known[-1]]
    assert wasm.chosen("all") == known
    assert wasm.chosen("1.25.0,1.26.0") == ["1.25.0", "1.26.0"]
    with pytest.raises(Failed):
        wasm.chosen("1.23.0")


@pytest.mark.parametrize("folder", [wasm.PACKAGES, uplot.PACKAGES])
def test_the_list_of_packages_names_exact_versions_and_no_registry(folder: Path):
    lock = json.loads((folder / "package-lock.json").read_text())["packages"]
    desired = json.loads((folder / "package.json").read_text())["dependencies"]
    assert lock[""]["dependencies"] == desired
    for name, package in desired.items():
        pinned = lock[f"node_modules/{name}"]
        assert package.rpartition("@")[2] == pinned["version"]
        assert pinned["integrity"].startswith("sha512-") and "resolved" not in pinned


def test_without_node_nothing_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Failed, match="no usable node"):
        npm.node(tmp_path)
    with pytest.raises(Failed, match="no MicroPython"):
        wasm.build(OLDEST, tmp_path)


def test_a_node_that_is_too_old_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("node", "npm"):
        program = tmp_path / name
        program.write_text("#!/bin/sh\necho v12.22.9\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    assert subprocess.run(["node", "--version"], capture_output=True, text=True).stdout == "v12.22.9\n"
    with pytest.raises(Failed):
        npm.node(tmp_path)


def test_what_npm_could_not_fetch_is_said_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, text in (
        ("node", "echo v22.0.0"),
        ("npm", "echo 'npm error network is unreachable' >&2; exit 1"),
    ):
        program = tmp_path / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")
    with pytest.raises(Failed, match=r"could not fetch uPlot: .*network is unreachable"):
        npm.install(uplot.PACKAGES, "uPlot", tmp_path / "cache")
    assert not npm.modules(uplot.PACKAGES, tmp_path / "cache").exists()
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [".lock"]
