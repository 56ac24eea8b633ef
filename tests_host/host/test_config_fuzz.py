"""Whatever a configuration file holds: the check answers, refuses what it must and shows no secret."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware.core.config_text import NotJson, parse
from tests_host.support.checking import validate

pytestmark = pytest.mark.gate

SECRET = "test-secret-not-real"
GOOD = json.loads((Path(__file__).parents[2] / "config.example.json").read_text())
GOOD["wifi"]["networks"] = [{"ssid": "bench", "password": SECRET}]
GOOD["cloud"].update(device_id="12345", client_id="cdv_00000000000000000000000001", client_secret=SECRET)

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.just(SECRET)
ANYTHING = st.recursive(
    SCALARS | st.sampled_from(["on", "low", "setpoint", "6", "https://a@b", 6, 34, 0, -1, 1e300, 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=6,
)


KINDS = {"nothing", "a list", "an object", "a text, not shown", "a number, not shown", "true", "false"}


def spots(value: Any, path: tuple = ()) -> list[tuple]:
    """The paths of everything inside of `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    found = [path] if path else []
    for key, item in inner:
        found += spots(item, (*path, key))
    return found


def replaced(path: tuple, value: Any) -> Any:
    raw = copy.deepcopy(GOOD)
    spot = raw
    for key in path[:-1]:
        spot = spot[key]
    spot[path[-1]] = value
    return raw


@given(st.sampled_from([("cloud", "client_secret"), ("wifi", "networks", 0, "password")]), ANYTHING)
def test_a_wrong_value_of_a_secret_is_not_shown(path: tuple, value: Any) -> None:
    _, problems = validate(replaced(path, value))
    assert {found for _, _, found, _ in problems} <= {"***", "nothing", "a list", "an object", '""'}


@given(st.text(max_size=60), ANYTHING)
def test_unknown_keys_never_show_their_value(key: str, value: Any) -> None:
    for path in ((key,), ("cloud", key), ("outputs", 0, key)):
        if path not in spots(GOOD):
            unknown = [p for p in validate(replaced(path, value))[1] if p[3] == "no such key"]
            assert {found for _, _, found, _ in unknown} <= KINDS


def strictly(text: str) -> Any:
    """What CPython's parser makes of it when it is as strict as the standard; None when it refuses."""

    def refuse(word: str) -> None:
        raise ValueError(word)

    try:
        value = json.loads(text, parse_constant=refuse)
        json.dumps(value, ensure_ascii=False).encode()  # no half characters
    except ValueError:
        return None
    return value


@settings(max_examples=1500)
@given(st.data())
def test_the_device_accepts_exactly_json(data: st.DataObject) -> None:
    text = data.draw(
        st.sampled_from(
            [json.dumps(GOOD, indent=1), '{"a": [1, -2.5e3, "\\u00e4\\n", {"b": null}], "c": true}']
        )
    )
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = (
            text[:at]
            + data.draw(st.sampled_from([*",:[]{}\"0-.eu\\\n\t /'", ""]))
            + text[at + data.draw(st.integers(0, 2)) :]
        )
    try:
        found = parse(text.encode())[0]
    except NotJson:
        found = None
    assert found == strictly(text)
