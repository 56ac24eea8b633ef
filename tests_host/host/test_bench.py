"""What the benchmarks need is there. Their figures are no tests."""

from tools.checks import figures


def test_the_programs_that_measure_beside_the_firmware_exist():
    assert all(probe.is_file() for probe in (figures.HEAP, figures.STALL))
