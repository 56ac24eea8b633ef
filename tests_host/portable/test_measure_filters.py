"""Median and mean of the middle."""

from firmware.core.measure import median, middle_mean


def test_median():
    for samples, middle in (
        ([5], 5),
        ([1, 2], 1.5),
        ([9, 1, 5], 5),
        ([4, 1, 3, 2], 2.5),
        ([3, 3, 3, 0, 99], 3),
        (list(range(15, 0, -1)), 8),
    ):
        assert median(samples) == middle


def test_middle_mean():
    for samples, mean in (
        ([5], 5),
        ([1, 2], 1.5),
        ([9, 1, 5], 5),
        ([0, 10, 12, 99], 11),
        ([0, 10, 11, 12, 99], 11),
        ([0, 0, 10, 12, 99, 99], 11),
        ([-99, 0, 0, 1, 2, 3, 4, 99, 99], 2),
    ):
        assert middle_mean(samples) == mean


def test_a_third_of_outliers_on_one_side_leaves_no_trace():
    for n in range(3, 16):
        for outlier in (0, 3300000):
            samples = [1500000] * (n - n // 3) + [outlier] * (n // 3)
            assert middle_mean(samples) == 1500000, n


def test_the_samples_stay_as_they_were():
    samples = [3, 1, 2]
    median(samples)
    middle_mean(samples)
    assert samples == [3, 1, 2]


def test_none_and_too_many_are_mistakes():
    for filtered in (median, middle_mean):
        for samples in ([], [1] * 16):
            try:
                filtered(samples)
            except ValueError:
                continue
            raise AssertionError("%d samples were taken" % len(samples))
