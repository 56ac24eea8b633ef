"""The words of the newest generation. No example of its replies is known, so these are our own reading of its prose."""

from firmware.cloud import bootstrap_dialect as bootstrap
from firmware.core.errors import LinkError
from firmware.core.models import NOTHING_NEW, SUPERSEDED
from tests_host.support.raising import raised

WRONG = (None, True, 0, -1, 1.5, "", "text", [], [[]], {}, {"a": {}}, [None, "x", 7, {"id": []}])
BODY = {
    "code": 2000,
    "available_protocols": ["https", "mqtt"],
    "catalog_revision": "cat-1",
    "runtime_revision": 7,
    "cadence": {"minimum_interval_seconds": 8, "expected_interval_seconds": 30},
    "backoff": {"initial_seconds": "4"},
    "commands": [
        {"id": "cmd_1", "value": "1.0", "value_type": "NumericRange", "kind": "relay", "pin_port": "6"}
    ],
    "sensors": [{"id": "sns_1", "kind": "thermistor", "qc": "x", "mu": "y", "pin_port": "14"}],
    "new": {"endpoints": []},
}
STATE = {
    "desired_id": "des_1",
    "command_id": "cmd_1",
    "value": "1.0",
    "valid_for_seconds": 300,
    "expires_at": "2026-04-24T10:15:00Z",
    "sequence_number": 42,
}


def described(**changes):
    body = dict(BODY)
    body.update(changes)
    return bootstrap.descriptor({key: value for key, value in body.items() if value is not ...})


ROWS = described().catalog.commands


def states(*items):
    return bootstrap.desired({"code": 2000, "desired_states": list(items)}, ROWS, {})


def test_a_descriptor():
    found = described()
    assert [tuple(row) for row in found.catalog.commands] == [("cmd_1", "relay", "6", None, None, None, "")]
    assert [tuple(row) for row in found.catalog.sensors] == [("sns_1", "thermistor", "14", "")]
    assert found[1:] == (("cat-1", 7), ["https", "mqtt"], 8, 4)


def test_revisions_are_only_compared():
    first = described()
    assert first.revisions == described(new=1).revisions
    assert first.revisions != described(catalog_revision="cat-2").revisions
    assert first.revisions != described(runtime_revision=8).revisions
    for wrong in (None, [], {}, True, ...):
        assert described(catalog_revision=wrong).revisions == ("", 7), wrong


def test_a_descriptor_without_a_catalog_has_none():
    for key in ("commands", "sensors"):
        for wrong in (None, ..., {}, "x", 7):
            assert described(**{key: wrong}).catalog is None
    assert described(commands=[], sensors=[]).catalog is not None


def test_exactly_the_listed_protocols_are_supported():
    for listed, https, mqtt in (
        (["https", "mqtt"], True, True),
        (["HTTPS", "mqtt-5.0"], True, True),
        (["mqtt"], False, True),
        ([], False, False),
        (["https", {"name": "mqtt"}, 7, None], True, False),
        (["mqttx", "httpsx"], False, False),
        (..., True, False),
        (None, True, False),
        ("mqtt", True, False),
        ({"mqtt": {}}, True, False),
    ):
        protocols = described(available_protocols=listed).protocols
        assert bootstrap.supports(protocols, "https") is https, listed
        assert bootstrap.supports(protocols, "mqtt") is mqtt, listed


def test_limits_of_another_shape_are_none():
    for wrong in WRONG + (..., {"minimum_interval_seconds": None}, {"minimum_interval_seconds": -5}):
        found = described(cadence=wrong, backoff=wrong)
        assert found[3:] == (0, 0), wrong


def test_anything_makes_a_descriptor():
    for wrong in WRONG:
        found = bootstrap.descriptor(wrong)
        assert found == (None, ("", ""), ["https"], 0, 0)


def test_commands_without_a_pending_state_have_nothing_new():
    expected, left = states(STATE)
    assert [tuple(d) for d in expected] == [("cmd_1", "1.0", "des_1", 42, 300)] and not left
    expected, left = states()
    assert [tuple(d) for d in expected] == [("cmd_1", NOTHING_NEW, None, None, None)] and not left


def test_several_states_of_one_command_are_sorted_and_the_newest_counts():
    newer = dict(STATE, desired_id="des_2", sequence_number=43)
    for items in ((STATE, newer), (newer, STATE)):
        expected, _ = states(*items)
        assert [(d.desired_id, d.valid_s) for d in expected] == [("des_1", SUPERSEDED), ("des_2", 300)]


def test_a_state_older_than_an_earlier_one_is_superseded():
    reported = {}
    for number, valid_s in ((43, 300), (42, SUPERSEDED), (43, 300), (44, 300), (43, SUPERSEDED)):
        body = {"desired_states": [dict(STATE, sequence_number=number)]}
        assert bootstrap.desired(body, ROWS, reported)[0][0].valid_s == valid_s, number


def test_states_without_a_number_come_in_the_order_of_the_list():
    expected, _ = states(*[dict(STATE, desired_id=name, sequence_number=None) for name in ("b", "a", "c")])
    assert [(d.desired_id, d.valid_s) for d in expected] == [("b", 300), ("a", 300), ("c", 300)]


def test_a_window_that_is_not_numeric_is_closed():
    for wrong in (None, "", "soon", [], {}, True, -1, 0):
        expected, _ = states(dict(STATE, valid_for_seconds=wrong))
        assert expected[0].valid_s == 0, wrong
    assert states(dict(STATE, valid_for_seconds="12.5"))[0][0].valid_s == 12.5


def test_an_invalid_sequence_number_is_none():
    for wrong in (None, "42", 4.5, [], {}, True):
        assert states(dict(STATE, sequence_number=wrong))[0][0].sequence is None, wrong


def test_a_state_without_identity_or_command_is_ignored_with_its_command():
    for wrong in (None, "", [], {}, True):
        expected, left = states(dict(STATE, desired_id=wrong))
        assert (expected, left) == ([], 1), wrong
    for wrong in (None, "", "cmd_2", 7, [], {}, True):
        expected, left = states(dict(STATE, command_id=wrong))
        assert [d.value for d in expected] == [NOTHING_NEW] and left == 1, wrong


def test_ids_may_come_as_numbers_or_text():
    rows = bootstrap.descriptor(dict(BODY, commands=[dict(BODY["commands"][0], id=1)])).catalog.commands
    for name in (1, "1"):
        expected, left = bootstrap.desired({"desired_states": [dict(STATE, command_id=name)]}, rows, {})
        assert [d.command_id for d in expected] == [1] and not left
    for name in (0, 7, "7"):
        (expected,), left = states(dict(STATE, desired_id=name))
        assert (expected.desired_id, expected.value, left) == (name, STATE["value"], 0)


def test_values_of_the_wrong_shape_become_desired_states_to_reject():
    for wrong in (None, [], {}, True):
        expected, _ = states(dict(STATE, value=wrong))
        assert expected[0].value == "" and expected[0].desired_id == "des_1"


def test_a_reply_without_the_list_is_an_error():
    for wrong in WRONG:
        raised(LinkError, bootstrap.desired, wrong, ROWS, {})
        if not isinstance(wrong, list):
            raised(LinkError, bootstrap.desired, {"desired_states": wrong}, ROWS, {})
        expected, left = bootstrap.desired({"desired_states": [wrong]}, ROWS, {})
        assert left == 1 and [d.value for d in expected] == [NOTHING_NEW]
