"""A mark of rows that no row has is an error when the file is collected."""

import pytest

pytest_plugins = ["pytester"]

_FILE = """
import pytest

pytestmark = pytest.mark.{of_file}

@pytest.mark.{mark}
@pytest.mark.parametrize("size", ["32bit", "64bit-a", "64bit-b"])
def test_rows(size):
    pass

def test_other():
    pass
"""


@pytest.fixture
def collected(pytester):
    pytester.makeconftest("from tests_host.conftest import pytest_configure, pytest_make_collect_report")

    def run(mark, *arguments, of_file='gate("32")'):
        path = pytester.makepyfile(test_marked=_FILE.format(mark=mark, of_file=of_file))
        return pytester.runpytest_inprocess(*arguments or [path], "-p", "no:cacheprovider")

    return run


@pytest.mark.parametrize(
    ("mark", "prefix"), [('gate("64bit", "31bit")', "31bit"), ('thorough("bit")', "bit")]
)
def test_a_mark_of_no_row_is_an_error_that_names_test_and_prefix(collected, mark, prefix):
    result = collected(mark)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*test_marked.py::test_rows: no row begins with '{prefix}'*"])


def test_a_mark_of_a_file_has_to_fit_a_row_of_any_of_its_tests(collected):
    result = collected('gate("64bit")', of_file='thorough("32bit", "16bit")')
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*test_marked.py: no row begins with '16bit'*"])


@pytest.mark.parametrize(
    ("arguments", "passed", "deselected"),
    [((), 4, 0), (("test_marked.py::test_rows[32bit]",), 1, 0), (("-k", "32bit"), 1, 3)],
)
def test_a_mark_of_rows_is_no_error_when_only_others_are_selected(collected, arguments, passed, deselected):
    collected('gate("64bit")', *arguments).assert_outcomes(passed=passed, deselected=deselected)
