"""Whatever a cloud answers: the words of the Realer API end in a result of safe shape or in a LinkError."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from firmware.cloud import (
    keys,
    mqtt_catalog,
    mqtt_credentials,
    mqtt_messages,
    mqtt_topics,
    realer,
    realer_feed,
    responses,
)
from firmware.cloud import realino_dialect as realino
from firmware.core import outcomes
from firmware.core.errors import LinkError
from firmware.core.models import Catalog, Secret

WORDS = st.sampled_from(
    ["created", "idempotent", "conflict", "rate_limited", "service_unavailable", "relay", "6", "1.0", "2700", "binary",
     "customary"])  # fmt: skip
KEYS = st.sampled_from(
    ["code", "error", "type", "message", "details", "commands", "sensors", "results", "items", "id", "kind", "pin_port",
     "value", "message_id", "status", "access_token", "expires_in", "renew_after", "token_type", "value_type",
     "value_type_range_min", "value_type_range_max", "value_type_range_step"])  # fmt: skip
NUMBERS = (
    st.integers(-(10**40), 10**40) | st.floats() | st.sampled_from([2000, 4001, 4009, 4029, 5003, 0, 1, 3600])
)
SCALARS = st.none() | st.booleans() | NUMBERS | WORDS | st.text(max_size=8)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)
ITEMS = st.lists(st.dictionaries(KEYS, SCALARS | ANYTHING, max_size=8) | ANYTHING, max_size=4)
BODIES = ANYTHING | st.fixed_dictionaries(
    {}, optional={"code": SCALARS, "error": ANYTHING, "commands": ITEMS, "sensors": ITEMS, "results": ITEMS}
)
STATUSES = st.integers(200, 599) | st.sampled_from(
    [200, 201, 400, 401, 402, 403, 404, 409, 413, 422, 429, 503]
)


KIND = b"\xff" * 500
"""A media type as long as http1 keeps one, of bytes that take the most room in a message."""
LONGEST_TEXT = 400
"""Forty bytes of the media type and forty of the body, four characters each, and the words around them."""


class Answer:
    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body, self.retry_after_s = status, bytearray(body), 7
        self.kind = KIND


def plain(value: Any) -> bool:
    """Whether it can be compared, hashed and printed on a small stack."""
    return type(value) in (str, int, float)


def nested(depth: int) -> list:
    inner: list = []
    for _ in range(depth):
        inner = [inner]
    return inner


def checked(status: int, body: bytes) -> None:
    try:
        outcome, parsed, reported, wait_s = responses.parse_response("commands", Answer(status, body))
    except LinkError as error:
        outcome, parsed, reported, wait_s = outcomes.RETRY, None, str(error), error.retry_after_s
    assert wait_s == 7 and len(reported) < LONGEST_TEXT
    if outcome == outcomes.OK:
        assert isinstance(parsed, dict) and status < 300, "no success without the status of one"


@given(STATUSES, st.binary(max_size=60))
def test_any_bytes_have_an_outcome(status: int, body: bytes) -> None:
    checked(status, body)


@given(STATUSES, BODIES)
def test_any_json_has_an_outcome(status: int, body: Any) -> None:
    checked(status, json.dumps(body).encode())


@given(STATUSES, BODIES, st.integers(0, 200))
def test_a_body_cut_anywhere_has_an_outcome(status: int, body: Any, at: int) -> None:
    checked(status, json.dumps(body).encode()[:at])


@given(
    BODIES
    | st.fixed_dictionaries(
        {"access_token": st.text(max_size=9), "expires_in": SCALARS, "renew_after": SCALARS | ANYTHING}
    )
)
def test_a_token_is_usable_or_refused(body: Any) -> None:
    try:
        token, expires_s, renew_s = keys.grant(body)
    except LinkError:
        return
    assert isinstance(token, Secret) and token.reveal().isascii() and token.reveal().isprintable()
    assert token.reveal() and " " not in token.reveal()
    assert type(expires_s) is int and expires_s >= 1 and type(renew_s) is int


@given(BODIES | st.builds(lambda items: {"commands": items, "sensors": items}, ITEMS))
def test_a_catalog_has_rows_of_scalars_or_is_refused(body: Any) -> None:
    for parse in (realer.commands, realer.sensors):
        try:
            found = parse(body)
        except LinkError:
            continue
        rows, expected = found if parse is realer.commands else (found, [])
        for row in rows:
            assert plain(row.id) and plain(row.kind) and type(row.pin_port) is str and type(row.error) is str
            assert row.error or (row.pin_port and row.id != "")
        for desired in expected:
            assert plain(desired.value) and desired.command_id in [row.id for row in rows if not row.error]


@given(BODIES | st.builds(lambda items: {"results": items}, ITEMS))
def test_results_are_known_outcomes_under_scalar_names(body: Any) -> None:
    for message_id, (outcome, reported) in realer_feed.results(body).items():
        assert (
            plain(message_id)
            and outcome in (outcomes.OK, outcomes.CONFLICT, outcomes.RETRY, outcomes.DROP)
            and len(reported) <= 160
        )


PLAN = ("plan_requests_period_interval", "plan_requests_data_transfer", "subscription_status")
LOGINS = st.fixed_dictionaries(
    {"id": SCALARS, "commands": ITEMS, "sensors": ITEMS}, optional=dict.fromkeys(PLAN, ANYTHING)
)


@given(BODIES | LOGINS, BODIES)
def test_a_realino_login_has_rows_of_scalars_or_is_refused(login: Any, poll: Any) -> None:
    try:
        device, catalog, interval_s, most_bytes, subscription = realino.account(login)
    except LinkError:
        return
    assert type(device) is int and interval_s == interval_s and most_bytes == most_bytes
    assert subscription is None or plain(subscription)
    for row in catalog.commands:
        assert plain(row.id) and plain(row.kind) and type(row.pin_port) is str
        assert row.error or None not in (row.low, row.high, row.step)
    try:
        _, expected = realino.commands(poll, catalog.commands)
    except LinkError:
        return
    for desired in expected:
        assert plain(desired.value) and desired.command_id in [r.id for r in catalog.commands if not r.error]


def test_json_nested_deeper_than_the_stack_is_refused() -> None:
    deep = nested(100_000)
    rows, expected = realer.commands(
        {"commands": [{"id": deep, "error": deep}, {"id": 1, "pin_port": "6", "kind": deep, "value": deep}]}
    )
    assert [bool(row.error) for row in rows] == [True, False] and expected[0].value == "" and rows == [*rows]
    results = realer_feed.results({"results": [{"message_id": "m", "status": deep, "error": {"type": deep}}]})
    assert results["m"][0] == outcomes.DROP


MQTT = st.fixed_dictionaries(
    {},
    optional={
        "protocol": st.just("mqtt-5.0") | ANYTHING,
        "broker_url": st.just("mqtts://b.test") | ANYTHING,
        "feed_data_ack_topic": st.just("acks") | ANYTHING,
        "credential_endpoint": st.just({"endpoint": "/x", "http_method": "POST", "body": {}}) | ANYTHING,
    },
)
ROUTES = st.lists(
    st.fixed_dictionaries(
        {"source_type": st.sampled_from(["sensor", "command"]) | ANYTHING, "source_id": ANYTHING},
        optional={
            "mqtt": st.fixed_dictionaries(
                {}, optional={"feed_data_topic": ANYTHING, "desired_topic": ANYTHING}
            )
        },
    )
    | ANYTHING,
    max_size=4,
)


@given(BODIES | st.fixed_dictionaries({"mqtt": MQTT, "mqtt_routes": ROUTES | ANYTHING}))
def test_an_mqtt_catalog_has_texts_or_is_refused(body: Any) -> None:
    try:
        mqtt = mqtt_catalog.catalog(body)
    except LinkError:
        return
    assert mqtt.version in (4, 5) and 0 < mqtt.port < 65536
    for (kind, name), route in mqtt.routes.items():
        assert kind in ("sensor", "command") and type(name) is str
        for topic in (route.feed, route.desired or "-", mqtt.acks):
            assert topic and not set(topic) & set("+#\0")
    mqtt_topics.with_routes(Catalog([], []), mqtt.routes)


CREDENTIALS = (
    "mqtt_client_id",
    "mqtt_username",
    "mqtt_credential",
    "expires_in",
    "renew_after",
    "session_hard_expires_in",
)


@given(BODIES | st.fixed_dictionaries({"mqtt": st.fixed_dictionaries(dict.fromkeys(CREDENTIALS, SCALARS))}))
def test_credentials_are_usable_or_refused(body: Any) -> None:
    try:
        found = mqtt_credentials.credentials(body)
    except LinkError:
        return
    assert found.client_id and found.username and found.password.reveal()
    assert type(found.expires_s) is int and 0 <= found.renew_s < found.expires_s


@given(st.binary(max_size=60) | BODIES.map(lambda body: json.dumps(body).encode()))
def test_a_message_is_parsed_or_raises_value_error(payload: bytes) -> None:
    for parse in (lambda data: mqtt_messages.desired(1, data), mqtt_messages.acknowledgement):
        try:
            found = parse(payload)
        except ValueError:
            continue
        if parse is mqtt_messages.acknowledgement:
            assert type(found[0]) is str and found[1] in (
                outcomes.OK,
                outcomes.CONFLICT,
                outcomes.RETRY,
                outcomes.DROP,
            )
        else:
            assert plain(found.value) and found.desired_id and found.valid_s >= 0
