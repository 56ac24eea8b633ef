"""The texts that values become, the numbers that texts become, and a secret that cannot be shown by accident."""

from firmware.core.models import Command, Desired, Report, Secret, decimal, iso, number

TEXT = "test-secret-not-real"


def test_decimal_text():
    for value, text in (
        (21.5, "21.5"), (1, "1.0"), (0.0, "0.0"), (-0.0, "0.0"), (-0.0004, "0.0"), (-0.5, "-0.5"),
        (100.0, "100.0"), (18.125, "18.125"), (120000.0, "120000.0"), (1e-9, "0.0"), (-40, "-40.0"),
        (1234567, "1234567.0"),
    ):  # fmt: skip
        assert decimal(value) == text, (value, decimal(value))


def test_numbers_are_finite_floats():
    for raw, value in (
        (1, 1.0),
        (0.0, 0.0),
        (-3, -3.0),
        (18.5, 18.5),
        ("18.5", 18.5),
        ("1", 1.0),
        ("0.0", 0.0),
        ("-12.25", -12.25),
        ("007", 7.0),
        ("1234567890.12345", 1234567890.12345),
    ):
        got = number(raw)
        assert type(got) is float and abs(got - value) <= abs(value) * 1e-6, raw


def test_rejects_non_numeric_values():
    for raw in (
        True,
        False,
        None,
        "",
        "-",
        ".",
        ".5",
        "5.",
        "1.2.3",
        "--1",
        "+1",
        "1e3",
        " 5",
        "5 ",
        "0x10",
        "1_0",
        "nan",
        "inf",
        "-inf",
        "on",
        "1,5",
        "12345678901234567",
        "0." + "0" * 20000,
        "1" * 20000,
        "\u0663",  # a digit, but not of ASCII
        "\U0001d7d9",
        [],
        [1],
        {},
        {"value": 1},
        (1,),
        b"1",
        float("nan"),
        float("inf"),
        float("-inf"),
        1e15,
        -1e15,
        10**30,
        -(10**400),
    ):
        assert number(raw) is None, raw


def test_times_as_text():
    for unix_s, text in (
        (0, "1970-01-01T00:00:00Z"),
        (82800, "1970-01-01T23:00:00Z"),
        (68169599, "1972-02-28T23:59:59Z"),
        (68169600, "1972-02-29T00:00:00Z"),
        (68256000, "1972-03-01T00:00:00Z"),
        (951782399, "2000-02-28T23:59:59Z"),
        (951868799, "2000-02-29T23:59:59Z"),
        (951868800, "2000-03-01T00:00:00Z"),
        (1704067199, "2023-12-31T23:59:59Z"),
        (1709164800, "2024-02-29T00:00:00Z"),
        (1777025700, "2026-04-24T10:15:00Z"),
        (1798761599, "2026-12-31T23:59:59Z"),
        (1798761600, "2027-01-01T00:00:00Z"),
        (2147483648, "2038-01-19T03:14:08Z"),
        (4102444799, "2099-12-31T23:59:59Z"),
        (4107542399, "2100-02-28T23:59:59Z"),
        (4107542400, "2100-03-01T00:00:00Z"),
        (13574563200, "2400-02-29T00:00:00Z"),
        (253402300799, "9999-12-31T23:59:59Z"),
    ):
        assert iso(unix_s) == text, iso(unix_s)


def test_every_day_follows_the_one_before():
    lengths = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    unix_s = 0
    for year in range(1970, 2111):
        for month in range(12):
            for day in range(lengths[month] + (month == 1 and year % 4 == 0 and year != 2100)):
                assert iso(unix_s)[:10] == "%04d-%02d-%02d" % (year, month + 1, day + 1)
                unix_s += 86400


def test_rows_are_compared_by_value():
    row = Command(1, "relay", "6", None, None, None, None)
    assert row == Command(1, "relay", "6", None, None, None, None)
    assert row != Command("1", "relay", "6", None, None, None, None)
    assert Desired(1, "1.0", None, None, None).value == "1.0"
    assert Report("m", "sensor", 7, "1.0", None, 5, None, None, None)[4:6] == (None, 5)


def test_a_secret_is_masked_in_every_text_form():
    secret = Secret(TEXT)
    assert str(secret) == repr(secret) == "***"
    assert "%s %r" % (secret, secret) == "*** ***"
    assert "{} {}".format(secret, [secret]) == "*** [***]"  # noqa: UP032
    assert f"{secret}" == "***"
    assert str({"password": secret}) == "{'password': ***}"


def test_reveal_returns_the_text():
    assert Secret(TEXT).reveal() == TEXT
