"""The portable tests once more, on the real MicroPython; and the runner that does it, on files made to fail."""

from functools import cache
from pathlib import Path

import pytest

from tools.checks import portable
from tools.env import interpreter

find = cache(interpreter.find)


@pytest.fixture(params=portable.word_sizes(), ids=lambda bits: f"{bits}-bit")
def python(request: pytest.FixtureRequest) -> interpreter.Interpreter:
    return find(request.param)


@pytest.mark.gate("32-bit-test_large")
@pytest.mark.thorough("64-bit")
@pytest.mark.parametrize("file", portable.files(), ids=lambda file: file.stem)
def test_on_micropython(file: Path, python: interpreter.Interpreter):
    outcome = portable.run(file, python)
    assert outcome.ok, f"{file.name}: {outcome}\n{outcome.text}"


def outcome_of(
    text: str, folder: Path, python: interpreter.Interpreter, limit_s: float = 30
) -> portable.Outcome:
    file = folder / "test_made.py"
    file.write_text(text)
    return portable.run(file, python, limit_s)


def test_awaits_coroutines_each_in_its_own_loop(tmp_path: Path, python: interpreter.Interpreter):
    text = """
import asyncio
ran = []
async def stray():
    await asyncio.sleep_ms(0)
    ran.append("stray")
async def test_1():
    asyncio.create_task(stray())
async def test_2():
    for _ in range(5):
        await asyncio.sleep_ms(0)
    assert not ran
async def test_3():
    assert False
"""
    outcome = outcome_of(text, tmp_path, python)
    assert (outcome.passed, outcome.failed) == (2, ("test_3",))


@pytest.mark.parametrize(
    ("text", "crash"),
    [
        ("def helper():\n    pass\n", ""),
        ("raise SystemExit(3)\n", "exit status 3"),
        ("import absent\n", "exit status 1"),
        ("def test_x(:\n", "exit status 1"),
        ("def test_x():\n    import os\n    raise SystemExit(0)\n", "exit status 0"),
    ],
    ids=["no test", "exits", "import error", "syntax error", "exits inside a test"],
)
def test_a_file_without_a_result_has_failed(
    text: str, crash: str, tmp_path: Path, python: interpreter.Interpreter
):
    outcome = outcome_of(text, tmp_path, python)
    assert not outcome.ok
    assert outcome.crash.startswith(crash)


def test_a_file_without_an_end_has_failed(tmp_path: Path, python: interpreter.Interpreter):
    outcome = outcome_of("while True:\n    pass\n", tmp_path, python, limit_s=0.5)
    assert not outcome.ok
    assert "no end" in outcome.crash
