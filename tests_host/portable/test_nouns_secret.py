"""A secret that cannot be shown by accident."""

from firmware.core.nouns import Secret

TEXT = "test-secret-not-real"


def test_every_way_to_text_gives_asterisks():
    secret = Secret(TEXT)
    assert str(secret) == repr(secret) == "***"
    assert "%s %r" % (secret, secret) == "*** ***"
    assert "{} {}".format(secret, [secret]) == "*** [***]"  # noqa: UP032
    assert f"{secret}" == "***"
    assert str({"password": secret}) == "{'password': ***}"


def test_the_text_is_there_for_the_one_call_that_needs_it():
    assert Secret(TEXT).reveal() == TEXT
