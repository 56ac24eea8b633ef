"""The reaction to every answer of the documentation's tables, and to those nobody has seen yet."""

from firmware.core.outcomes import (
    CONFLICT,
    DROP,
    FORBIDDEN,
    INVALID,
    NOT_FOUND,
    OK,
    PAYMENT_REQUIRED,
    RATE_LIMITED,
    REAUTH,
    RETRY,
    TOO_LARGE,
    classify,
)

# docs/protocol.md, Response codes: HTTP status, code, reaction.
ROWS = (
    (200, 2000, OK), (201, 2000, OK), (400, 4000, DROP), (401, 4001, REAUTH), (402, 4002, PAYMENT_REQUIRED),
    (403, 4003, FORBIDDEN), (404, 4004, NOT_FOUND), (409, 4009, CONFLICT), (413, 4013, TOO_LARGE),
    (415, 4015, DROP), (422, 4022, INVALID), (429, 4029, RATE_LIMITED), (503, 5003, RETRY),
)  # fmt: skip


def test_the_reactions_are_different_things():
    reactions = (
        OK, DROP, REAUTH, PAYMENT_REQUIRED, FORBIDDEN, NOT_FOUND, CONFLICT, TOO_LARGE, INVALID, RATE_LIMITED,
        RETRY,
    )  # fmt: skip
    assert len(set(reactions)) == 11


def test_every_row_of_the_table():
    for status, code, reaction in ROWS:
        assert classify(status, code) == reaction, (status, code)


def test_without_a_code_the_status_speaks():
    for status, _, reaction in ROWS:
        assert classify(status, None) == reaction, status


def test_a_known_code_outranks_the_status():
    for status, code, reaction in (
        (403, 4002, PAYMENT_REQUIRED),  # the oldest generation says so of an inactive subscription
        (403, 4013, TOO_LARGE),
        (400, 4022, INVALID),
        (401, 4000, DROP),
        (500, 4009, CONFLICT),
        (200, 4029, RATE_LIMITED),
        (200, 5003, RETRY),
        (404, 5003, RETRY),
    ):
        assert classify(status, code) == reaction, (status, code)


def test_a_code_of_success_does_not_make_an_error_good():
    for status, _, reaction in ROWS[2:]:
        assert classify(status, 2000) == reaction, status


def test_an_unknown_code_leaves_it_to_the_status():
    for code in (0, -1, 1999, 2001, 2999):
        for status, _, reaction in ROWS:
            assert classify(status, code) == reaction, (status, code)
    for code in (4099, 4122, 4401, 4999, 5000, 5999, 9999, 10**9):
        for status, _, reaction in ROWS[2:]:
            assert classify(status, code) == reaction, (status, code)


def test_an_unknown_code_under_a_success_counts_for_its_class():
    for code, reaction in (
        (2001, OK), (4010, DROP), (4099, DROP), (4122, DROP), (4999, DROP), (5000, RETRY), (5022, RETRY),
        (5999, RETRY), (9999, RETRY), (10**9, RETRY),
    ):  # fmt: skip
        assert classify(200, code) == reaction, code


def test_statuses_outside_the_tables():
    for status, reaction in (
        (100, RETRY), (199, RETRY), (202, OK), (204, OK), (299, OK), (300, RETRY), (301, RETRY), (302, RETRY),
        (304, RETRY), (405, DROP), (407, RETRY), (408, RETRY), (410, DROP), (418, DROP), (421, RETRY),
        (425, RETRY), (426, RETRY), (451, RETRY), (499, DROP), (500, RETRY), (501, RETRY), (502, RETRY),
        (504, RETRY), (599, RETRY),
    ):  # fmt: skip
        assert classify(status, None) == reaction, status
