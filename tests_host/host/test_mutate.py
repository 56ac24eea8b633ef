"""`make mutate`: which tests run for a line, and how their end is seen."""

import json

import pytest

from tools.checks import line_tests, mutate

CODE = """\
LIMIT = (
    3
)

@wrapped
def f(x):
    if (
        x
    ):
        return [
            1,
        ]
    try:
        g()
    except ValueError:
        return 2
"""
SUITE = {
    "firmware/core/limit.py": CODE,
    "tests_host/portable/test_limit.py": """\
def test_a(): pass
def test_b(): assert 0
def test_c():
    while True: pass
""",
    "tests_host/portable/test_other.py": "def test_d():\n    pass\n",
}
LINES = {
    "test_limit": {"test_a": ([11], 0.5), "test_b": ([8], 0.2), "test_c": ([8, 11], 0.3)},
    "test_other": {"": ([1, 5], 0), "test_d": ([8, 11], 0.1)},
}


@pytest.fixture
def tests(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.pytest.ini_options]\n")
    for name, text in SUITE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    for stem, found in LINES.items():
        file = f"tests_host/portable/{stem}.py"
        names = {name: f"{file}::{name}" if name else "" for name in found}
        facts = {
            "seconds": {names[name]: seconds for name, (_, seconds) in found.items() if name},
            "lines": {names[name]: {"firmware/core/limit.py": lines} for name, (lines, _) in found.items()},
        }
        (tmp_path / line_tests.key(tmp_path, file)).write_text(json.dumps(facts))
    return line_tests.Tests(tmp_path, "portable", tmp_path)


@pytest.mark.parametrize(
    ("line", "lines"),
    [(2, {1, 2, 3}), (5, {5, 6}), (8, {7, 8, 9}), (11, {10, 11, 12}), (14, {14}), (15, {15}), (17, {17})],
)
def test_a_line_stands_for_its_statement_and_for_no_body(line, lines):
    assert line_tests.statement(CODE, line) == lines


@pytest.mark.parametrize(("line", "names"), [(11, "dca"), (8, "dbc"), (14, ""), (2, "d"), (6, "d")])
def test_a_line_has_the_tests_that_execute_it_and_an_imported_one_those_of_the_file(tests, line, names):
    assert sorted(test[-1] for test in tests.of("firmware/core/limit.py", CODE, line)) == sorted(names)


def test_first_come_files_that_name_the_module_then_the_shortest(tests, tmp_path):
    file = tmp_path / line_tests.test_files(tmp_path, "portable")[0]
    facts = (tmp_path / line_tests.key(tmp_path, file)).read_text()
    file.write_text("import limit\n" + file.read_text())
    (tmp_path / line_tests.key(tmp_path, file)).write_text(facts)
    near = line_tests.Tests(tmp_path, "portable", tmp_path)
    assert [test[-1] for test in tests.of("firmware/core/limit.py", CODE, 11)] == ["d", "c", "a"]
    assert [test[-1] for test in near.of("firmware/core/limit.py", CODE, 11)] == ["c", "a", "d"]


@pytest.mark.parametrize(
    ("names", "cap_s", "spare_s", "end"),
    [
        ("a", 9, 60, ("", 1)),
        ("ab", 9, 60, ("failure", 2)),
        ("ab", 0.6, 60, ("", 1)),
        ("c", 10, 0, ("time-out", 1)),
        ("", 9, 60, ("", 0)),
    ],
)
def test_only_the_chosen_tests_run_and_no_longer_than_the_cap(tests, tmp_path, names, cap_s, spare_s, end):
    chosen = [f"tests_host/portable/test_limit.py::test_{name}" for name in names]
    assert tests.run(tmp_path, chosen, cap_s, spare_s) == end


def test_another_test_file_or_other_code_is_run_again(tests, tmp_path):
    files = line_tests.test_files(tmp_path, "portable")
    before = [line_tests.key(tmp_path, file) for file in files]
    (tmp_path / files[0]).write_text("")
    assert [line_tests.key(tmp_path, file) == old for file, old in zip(files, before, strict=True)] == [
        False,
        True,
    ]
    (tmp_path / "firmware/core/limit.py").write_text("")
    assert line_tests.key(tmp_path, files[1]) != before[1]


def test_what_the_device_says_is_not_mutated():
    text = 'a = "%d left" % (n + 1)\nself.log("I", n + 2)\nb = n % 3\n'
    spans = list(mutate.sayings(text))
    assert [start for start, _ in spans] == [(1, 4), (2, 0)]
