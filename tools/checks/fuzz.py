"""Feeds random and damaged bytes to every parser: of what a peer may send, what is on flash, and what a person typed.

A failure is an exception that the engine does not promise, an outcome that depends on how the bytes were cut, an input
that takes long, or memory that grows. The same seed makes the same inputs. `realer fuzz [--inputs N] [--seed N]
[ENGINE ...]` prints one JSON line per engine and exits 1 at the first failure, with the input that caused it.

A new engine is one row in ENGINES: good inputs to start from, and a function that raises when something is wrong.
"""

from __future__ import annotations

import gc
import io
import json
import random
import time
import tracemalloc
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from html.parser import HTMLParser
from typing import Any, ClassVar
from unittest.mock import patch

from journal import record as journal_record
from journal import recover as journal

from dnsstub import captive
from dnsstub import resolver as dns
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
from firmware.core import outcomes, setup_form
from firmware.core.config import render, validate
from firmware.core.errors import LinkError
from firmware.core.models import Catalog, Report
from http1 import message
from http1 import request as http_request
from http1.message import HttpError, Response
from iotmp import session as iotmp
from iotmp.frame import IotmpError
from mqtt5 import opening as mqtt_opening
from mqtt5.in_flight import InFlight
from mqtt5.packet import Message, MqttError
from mqtt5.session import Session
from netio.errors import NetError
from sntp import client as sntp
from tests_host.support import mqtt_server as mqtt
from tools import boards, common
from tools.cloud import thinger_wire as thinger
from tools.repository import ROOT

INPUTS = 100_000
SLOW_S = 0.5
GROWTH = 64 * 1024
LONGEST = 4096
_STEP = 1000


class Wrong(AssertionError):
    """An engine did what it must not."""


def cuts(data: bytes, chance: random.Random) -> list[bytes]:
    """`data` in pieces, often in one, sometimes in single bytes."""
    size = chance.choice((len(data) or 1, 1, chance.randint(1, 64)))
    return [data[at : at + size] for at in range(0, len(data), size)]


def received(session: Session | iotmp.Session, pieces: list[bytes]) -> Iterator[None]:
    """Give the pieces to a session, each time as much as it has space for, and then the caller its turn."""
    for piece in pieces:
        while piece:
            space = session.space()
            if not space:
                raise Wrong("no space left to receive")
            part, piece = piece[: len(space)], piece[len(space) :]
            space[: len(part)] = part
            session.received(len(part))
            yield


def mqtt_outcome(pieces: list[bytes], version: int) -> list[Any]:
    """All that an application can see, and what the server gets to hear, when these bytes follow the CONNACK."""
    session = Session(memoryview(bytearray(512)))
    mqtt_opening.begin(session, "fuzz", version=version, clean=True)
    hello = mqtt.connack(version, 0, 0, ((0x21, 3),))
    seen: list[Any] = []
    now = 0
    for _ in received(session, [hello, *pieces]):
        try:
            while event := session.next(now):
                seen.append(mqtt_event(session, event, len(seen)))
        except MqttError as error:
            return [*seen, str(error), server_side(session, version)]
    if len(session.held) > 16 or len(session.aliases) > 8:
        raise Wrong("more kept than allowed")
    return [*seen, server_side(session, version)]


def mqtt_event(session: Session, event: Any, number: int) -> Any:
    if isinstance(event, Message):
        if number % 8 or len(session.held) > 14:  # some stay unfinished, as far as the session allows
            session.done(event.receipt)
        return event.topic, event.payload, event.large, event.dup, event.receipt
    if isinstance(event, InFlight):
        return event.pid, event.codes, str(event.error)
    mqtt_opening.accept(session, *event)
    for _ in range(5):
        session.publish("a", b"b")
    mqtt_opening.subscription(session, ["c", "d"])
    return "connected"


def server_side(session: Session, version: int) -> list[dict[str, Any]]:
    return mqtt.read_all(session.take(0), version)


def in_any_pieces(outcome: Callable[[list[bytes]], Any]) -> Callable[[bytes, random.Random], None]:
    """What comes of bytes must not depend on how they were cut."""

    def run(data: bytes, chance: random.Random) -> None:
        whole, cut = outcome([data]), outcome(cuts(data, chance))
        if whole != cut:
            raise Wrong(f"in pieces {cut!r}, as a whole {whole!r}")

    return run


class Thing:
    """What an IOTMP session asks of its application."""

    kinds: ClassVar = {"relay": iotmp.INPUT, "temperature": iotmp.OUTPUT, "reset": iotmp.RUN}

    def read(self, name: str) -> Any:
        return {"relay": True, "temperature": 23.5}[name]


def iotmp_outcome(pieces: list[bytes]) -> list[Any]:
    """What is to be done, and what the server gets to hear, when these bytes follow the login."""
    session = iotmp.Session(Thing(), size=256)
    session.connect(0, "user", "device", "test-secret-not-real", 1)
    seen: list[Any] = []
    try:
        for _ in received(session, [thinger.frame("OK", sid=1), *pieces]):
            while request := session.next(0):
                seen.append(repr(request))  # NaN equals nothing
                session.answer(request.stream_id)
                session.changed(request.resource, 0)
    except IotmpError as error:
        seen.append(str(error))
    session.tick(1000)
    if len(session.streams) > 32:
        raise Wrong("more kept than allowed")
    return [*seen, thinger.read(bytes(session.take()))]


def http_outcome(pieces: list[bytes]) -> Any:
    response = Response()
    try:
        for piece in pieces:
            response.feed(piece)
            if len(response.body) > message.MAX_BODY or len(response._input) > message.MAX_HEAD:
                raise Wrong("more kept than allowed")
        response.eof()
    except HttpError as error:
        return str(error)
    return response.status, response.retry_after_s, bytes(response.body), response.keep_alive


def run_http(data: bytes, chance: random.Random) -> None:
    with patch.multiple(message, MAX_HEAD=400, MAX_BODY=500):  # so small that inputs exceed them
        in_any_pieces(http_outcome)(data, chance)


class Markup(HTMLParser):
    """`seen`: what a browser takes for more than text: elements, names of attributes, scripts, comments."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, ...]] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        self.seen.append(("/", tag))

    def handle_data(self, data: str) -> None:
        if self.cdata_elem:
            self.seen.append((self.cdata_elem, data))

    def handle_comment(self, data: str) -> None:
        self.seen.append(("!", data))

    def handle_decl(self, decl: str) -> None:
        self.seen.append(("!", decl))

    handle_pi = unknown_decl = handle_comment


def portal_outcome(pieces: list[bytes]) -> Any:
    """What the setup portal makes of a visitor: the configuration and the page."""
    request = http_request.Request()
    raw: dict[str, Any] = {}
    try:
        for piece in pieces:
            if not request.done:
                request.feed(piece)
            if len(request._input) > http_request.MAX_HEAD + http_request.MAX_BODY + LONGEST:
                raise Wrong("more kept than allowed")
        if not request.done:
            return None
        setup_form.fill(raw, http_request.form(request.body))
    except (http_request.RequestError, ValueError) as error:
        return str(error)
    wrong = setup_form.field_errors(raw)
    found = setup_form.listed([(name, b"", 1, -50, 3, 0) for name in (request.body, request.target)])
    page = "".join(setup_form.page(raw, request.host, "1.0", "token", wrong, request.target, found))
    like = setup_form.page({}, "", "1.0", "token", dict.fromkeys(wrong, ""), "", [""] * len(found))
    if Markup(page).seen != Markup("".join(like)).seen:
        raise Wrong("what came from outside is part of the page")
    return request.method, request.target, request.host, raw, page


def run_captive(data: bytes, chance: random.Random) -> None:
    reply = captive.answer(data, bytes(4))
    if reply is not None and not (17 <= len(reply) <= len(data) + 16 and reply[:2] == data[:2]):
        raise Wrong(f"answers {reply!r}")


def run_dns(data: bytes, chance: random.Random) -> None:
    try:
        addresses, ttl_s = dns.parse(data, 7, "api.realer.test")
    except NetError as error:
        if error.kind != "dns":
            raise
        return
    demand(addresses and 0 <= ttl_s <= 3600, (addresses, ttl_s))


def run_sntp(data: bytes, chance: random.Random) -> None:
    try:
        if sntp.parse(data, 7, 1_700_000_000) < 1_700_000_000:
            raise Wrong("a time before the floor")
    except NetError as error:
        if error.kind != "sntp":
            raise


def run_journal(data: bytes, chance: random.Random) -> None:
    """Whatever lies on the flash, what is read is what was framed, and nothing behind damage."""
    source = io.BytesIO(data)
    found = list(journal.records(source.read))
    whole = b"".join(journal_record.frame(payload) for payload in found if payload is not None)
    complete = not found or found[-1] is not None
    demand(None not in found[:-1] and data.startswith(whole) and complete == (data == whole), found)


_ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1e999, -1e999, float("nan"), 10**40, 1e-300, "", "\ud800", "1e5", "x" * 300, "+#\0", [], {},
    [[[{}]]],
)  # fmt: skip


def twisted(value: Any, chance: random.Random) -> Any:
    """The same with some of its parts gone, twice, or of another kind."""
    if chance.random() < 0.1:
        return chance.choice(_ODD)
    if isinstance(value, dict):
        return {key: twisted(part, chance) for key, part in value.items() if chance.random() < 0.95}
    if isinstance(value, list):
        return [twisted(part, chance) for part in value for _ in range(chance.choice((0, 1, 1, 1, 1, 2)))]
    return value


def parsed(data: bytes, seeds: tuple[bytes, ...], chance: random.Random) -> Any:
    """JSON for those who are only ever shown what parses: `data`, or else one of the seeds, twisted."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return twisted(json.loads(chance.choice(seeds)), chance)


_LISTS = ("commands", "sensors", "results", "mqtt", "mqtt_routes")
_NO_HARM = (outcomes.OK, outcomes.CONFLICT, outcomes.RETRY, outcomes.DROP)


class Answer:
    """What a link gets to see of a response; its media type takes the most room in a message that it can."""

    kind = b"\xff" * 500
    retry_after_s = 7

    def __init__(self, status: int, body: bytes) -> None:
        self.status, self.body = status, bytearray(body)


def run_answers(data: bytes, chance: random.Random) -> None:
    """A response to any request: an outcome, which is a success only where the status is one, or a LinkError."""
    answer = Answer(chance.choice((200, 201, 302, 400, 401, 403, 404, 409, 413, 422, 429, 500, 503)), data)
    try:
        found, body, text, wait_s = responses.parse_response("commands", answer)
    except LinkError as error:
        found, body, text, wait_s = outcomes.RETRY, None, str(error), error.retry_after_s
    demand(wait_s == 7 and len(text) < 400, text)
    demand(found != outcomes.OK or (isinstance(body, dict) and answer.status < 300), found)


def demand(true: object, what: object) -> None:
    if not true:
        raise Wrong(repr(what)[:500])


def plain(value: Any) -> bool:
    """Whether it can be compared, hashed and printed on a small stack."""
    return type(value) in (str, int, float)


def read_token(body: Any) -> None:
    token, expires_s, renew_s = keys.grant(body)
    text = token.reveal()
    demand(text and text.isascii() and text.isprintable() and " " not in text, "a token with odd characters")
    demand(type(expires_s) is int and expires_s >= 1 and type(renew_s) is int, (expires_s, renew_s))


def read_rows(body: Any) -> None:
    rows, desired = realer.commands(body)
    for row in [*rows, *realer.sensors(body)]:
        demand(
            plain(row.id) and plain(row.kind) and type(row.pin_port) is str and type(row.error) is str, row
        )
        demand(row.error or (row.pin_port and row.id != ""), row)
    demand_desired(desired, rows)


def demand_desired(desired: Any, rows: Any) -> None:
    known = [row.id for row in rows if not row.error]
    for one in desired:
        demand(plain(one.value) and one.command_id in known, one)


def read_results(body: Any) -> None:
    for message_id, (found, text) in realer_feed.results(body).items():
        demand(plain(message_id) and found in _NO_HARM and len(text) <= 160, (message_id, found, text))


def read_login(body: Any) -> None:
    device, catalog, interval_s, most_bytes, subscription = realino.account(body)
    demand(type(device) is int and interval_s == interval_s and most_bytes == most_bytes, device)
    demand(subscription is None or plain(subscription), subscription)
    for row in catalog.commands:
        demand(plain(row.id) and plain(row.kind) and type(row.pin_port) is str, row)
        demand(row.error or None not in (row.low, row.high, row.step), row)
    demand_desired(realino.commands(body, catalog.commands)[1], catalog.commands)


def read_mqtt(body: Any) -> None:
    found = mqtt_catalog.catalog(body)
    demand(found.version in (4, 5) and 0 < found.port < 65536, found.port)
    for (kind, name), route in found.routes.items():
        demand(kind in ("sensor", "command") and type(name) is str, name)
        for topic in (route.feed, route.desired or "-", found.acks):
            demand(topic and not set(topic) & set("+#\0"), topic)
    mqtt_topics.with_routes(Catalog([], []), found.routes)


def read_credentials(body: Any) -> None:
    found = mqtt_credentials.credentials(body)
    demand(found.client_id and found.username and found.password.reveal(), "credentials with empty parts")
    demand(type(found.expires_s) is int and 0 <= found.renew_s < found.expires_s, found.expires_s)


def run_words(data: bytes, chance: random.Random) -> None:
    """JSON of any shape: rows and values that the device can work with, or a LinkError."""
    body = parsed(data, WORDS_SEEDS + MQTT_WORDS, chance)
    for read in (read_token, read_rows, read_results, read_login, read_mqtt, read_credentials):
        try:
            read(body if isinstance(body, dict) else dict.fromkeys(_LISTS, body))
        except LinkError as error:
            named(error)


def run_payloads(data: bytes, chance: random.Random) -> None:
    """What comes on an MQTT topic: a desired state or an acknowledgement of safe shape, or a short ValueError."""
    if chance.random() < 0.5:
        data = json.dumps(parsed(data, PAYLOAD_SEEDS, chance)).encode()
    try:
        desired = mqtt_messages.desired(1, data)
        demand(desired.desired_id and plain(desired.value) and desired.valid_s >= 0, desired)
    except ValueError as error:
        named(error)
    try:
        name, found, text = mqtt_messages.acknowledgement(data)
        demand(isinstance(name, str) and found in _NO_HARM, (name, found, text))
    except ValueError as error:
        named(error)


def named(error: Exception) -> None:
    if len(str(error)) > 500:
        raise Wrong("an endless error") from error


def run_config(data: bytes, chance: random.Random) -> None:
    board = chance.choice(list(boards.chips().values()))
    config, problems = validate(parsed(data, CONFIG_SEEDS, chance), board.profile)
    wrong = any(p[0] == "error" for p in problems)
    demand(len(problems) <= 40 and (not wrong or set(config) == {"led", "portal"}), problems)
    text = "\n".join(map(render, problems))
    demand(not [c for c in text if unicodedata.category(c) in ("Cc", "Cs") and c != "\n"], text)
    # What passed is what the device computes with: no surprises of type are left.
    for output in config.get("outputs", ()):
        demand(type(output["gpio"]) is int, output)
    for sensor in config.get("sensors", ()):
        demand(0 < sensor["divider_ohm"] <= 1e6, sensor)


@dataclass(frozen=True)
class Engine:
    seeds: tuple[bytes, ...]
    run: Callable[[bytes, random.Random], None]


def mqtt_seeds(version: int) -> tuple[bytes, ...]:
    options: dict[str, Any] = {"version": version}
    alias = ((0x23, 2), (2, 60))
    return (
        mqtt.publish("a/b", b"payload", 7, **options) + mqtt.publish("a/b", b"payload", 7, dup=1, **options),
        mqtt.publish("a", b"x", 1, pairs=alias, **options)
        + mqtt.publish("", b"y", 2, pairs=((0x23, 2),), **options),
        mqtt.publish("a", bytes(200), retain=1, **options) + mqtt.PINGRESP,
        mqtt.puback(1, version=version)
        + mqtt.suback(6, (1, 0x80), **options)
        + mqtt.puback(3, version=version),
        mqtt.puback(2, 0x87, ((0x1F, "reason"), (0x26, ("k", "v")))),
        mqtt.disconnect(0x98, ((0x1F, "bye"),)),
        mqtt.connack(version),
        b"".join(mqtt.publish("t", b"x", pid, **options) for pid in range(1, 12)),
        mqtt.publish("large", bytes(600), 21, pairs=alias, **options)
        + mqtt.publish("a", b"x", 22, **options),
        mqtt.publish("large", bytes(520), 21, dup=1, retain=1, **options) + mqtt.puback(4, version=version),
        mqtt.publish("t", bytes(300), pairs=((0x26, ("k", "v" * 510)),), **options) + mqtt.PINGRESP,
    )


HTTP_SEEDS = (
    b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n1\r\n!\r\n0\r\nA: b\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 500 Oops\r\nRetry-After: 3\r\n\r\nuntil the end",
    b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n",
)
IOTMP_SEEDS = (
    thinger.frame("RUN", sid=66, resource="relay", payload=True) + thinger.frame("KEEP_ALIVE"),
    thinger.frame(
        "RUN", sid=67, resource=["relay"], payload={"r": 255, "x": [1.5, None, -300, b"raw", 1e300]}
    ),
    thinger.frame("DESCRIBE", sid=16) + thinger.frame("DESCRIBE", sid=17, resource="temperature"),
    thinger.frame("START_STREAM", sid=34, resource="temperature", parameters={"interval": 1000}),
    thinger.frame("START_STREAM", sid=35, resource="relay") + thinger.frame("STREAM_DATA", sid=35, payload=5),
    thinger.frame("RUN", sid=9, resource="reset") + thinger.frame("STOP_STREAM", sid=34),
    thinger.frame("RUN", sid=300, resource="relay", payload="x" * 300),
)
DNS_SEEDS = (
    b"\0\7\x81\x80" + dns.query(7, "api.realer.test")[4:6] + b"\0\1\0\0\0\0" + dns.query(7, "api.realer.test")[12:]
    + b"\xc0\x0c\0\5\0\1\0\0\0\x3c\0\4\1b\xc0\x10\x01b\xc0\x10\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1",
    b"\0\7\x81\x83\0\1\0\0\0\0\0\0" + dns.query(7, "api.realer.test")[12:],
)  # fmt: skip
SNTP_SEEDS = (b"\x24\2" + bytes(22) + sntp.request(7)[40:] + bytes(8) + b"\xee" + bytes(7),)

JOURNAL_SEEDS = tuple(
    journal_record.frame(json.dumps(item).encode())
    for item in (
        list(Report("1-2-3", "command", 7, "1.0", 1777025700, 5, "des_1", "applied", 4)),
        "1-2-3",
        {"utc": 1},
    )
)
WORDS_SEEDS = (
    b'{"code":2000,"commands":[{"command_id":1,"kind":"relay","pin_port":"6","value":"1","min":0,"max":1e400,"step":1}]}',
    b'{"code":2000,"sensors":[{"sensor_id":"s","kind":"thermistor","pin_port":6},{"error":{"type":"x"}},null,[[]]]}',
    (
        b'{"id":1,"commands":[{"id":1,"kind":"relay","pin_port":"9","value":1.5,"value_type":"customary",'
        b'"value_type_range_min":"5.0","value_type_range_max":"35.0","value_type_range_step":"0.5"}],"sensors":[],'
        b'"plan_requests_period_interval":5,"plan_requests_data_transfer":5,"subscription_status":"active"}'
    ),
    b'{"access_token":"test-token","token_type":"Bearer","expires_in":3600,"renew_after":2700}',
    b'{"access_token":"\\ud800","token_type":"Bearer","expires_in":3600,"renew_after":-1}',
    b'{"results":[{"message_id":"a","status":"created"},{"message_id":"b","error":{"type":"conflict"}},NaN,-0,1e999]}',
)
MQTT_WORDS = (
    (
        b'{"mqtt":{"broker_url":"mqtts://b.test:8883","protocol":"mqtt-5.0","feed_data_ack_topic":"a/acks",'
        b'"credential_endpoint":{"endpoint":"/x","http_method":"POST","body":{"scopes":["s"]}}},"mqtt_routes":['
        b'{"source_type":"command","source_id":1,"mqtt":{"feed_data_topic":"a","desired_topic":"d"}},'
        b'{"source_type":"sensor","sensor_id":2,"mqtt":{"feed_data_topic":"b"}}]}'
    ),
    (
        b'{"mqtt":{"mqtt_client_id":"c","mqtt_username":"u","mqtt_credential":"test-secret-not-real","expires_in":3600,'
        b'"renew_after":2700,"session_hard_expires_in":3600}}'
    ),
)
PAYLOAD_SEEDS = (
    b'{"version":1,"desired_id":"des_1","value":"1.0","valid_for_seconds":300,"sequence_number":7}',
    b'{"version":"1.4","desired_id":"\\ud800","value":-0,"valid_for_seconds":NaN,"sequence_number":1e400}',
    b'{"version":1,"status":"accepted","retryable":false,"message_id":"1-2-3"}',
    b'{"version":1,"status":"error","retryable":true,"message_id":null,"error":{"type":[[[[]]]],"details":{}}}',
)
PORTAL_SEEDS = (
    b"GET / HTTP/1.1\r\nHost: 192.168.4.1\r\n\r\n",
    b"POST /save HTTP/1.1\r\nHost: 192.168.4.1\r\nContent-Length: 42\r\n\r\nssid=caf%C3%A9+x&device_id=%3Cb%3E&token=1",
    b"GET /<b> HTTP/1.1\r\nHost: <b>\r\n\r\n",
    b"POST /save HTTP/1.1\r\nHost: a\r\nContent-Length: 41\r\n\r\nssid=%22%3E%3Cb%3E&device_id=%22%3E%3Cb%3E",
)
_EXAMPLE = (ROOT / "config.example.json").read_bytes()
CONFIG_SEEDS = (_EXAMPLE, _EXAMPLE.replace(b"REPLACE-ME", b"test-secret-not-real"))

ENGINES = {
    "journal": Engine(JOURNAL_SEEDS, run_journal),
    "answers": Engine(WORDS_SEEDS, run_answers),
    "words": Engine(WORDS_SEEDS + MQTT_WORDS, run_words),
    "payloads": Engine(PAYLOAD_SEEDS, run_payloads),
    "config": Engine(CONFIG_SEEDS, run_config),
    "mqtt5": Engine(mqtt_seeds(5), in_any_pieces(partial(mqtt_outcome, version=5))),
    "mqtt3": Engine(mqtt_seeds(4), in_any_pieces(partial(mqtt_outcome, version=4))),
    "iotmp": Engine(IOTMP_SEEDS, in_any_pieces(iotmp_outcome)),
    "http1": Engine(HTTP_SEEDS, run_http),
    "dns": Engine(DNS_SEEDS, run_dns),
    "sntp": Engine(SNTP_SEEDS, run_sntp),
    "portal": Engine(PORTAL_SEEDS, in_any_pieces(portal_outcome)),
    "captive": Engine((dns.query(7, "captive.example"),), run_captive),
}


def inputs(seeds: tuple[bytes, ...], chance: random.Random) -> Iterator[bytes]:
    """Endlessly: seeds chained and damaged in one to eight places, now and then nothing but noise."""
    while True:
        if chance.random() < 0.1:
            yield chance.randbytes(chance.randint(0, 80))
            continue
        data = bytearray(b"".join(chance.choices(seeds, k=chance.randint(1, 3))))
        for _ in range(chance.randint(0, 8)):
            at, size = chance.randint(0, len(data)), chance.randint(1, 8)
            damage = chance.randrange(5)
            if damage == 0 and at < len(data):
                data[at] ^= 1 << chance.randrange(8)
            elif damage == 1 and at < len(data):
                data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
            elif damage == 2:
                del data[at : at + size]
            elif damage == 3:
                data[at:at] = chance.randbytes(size)
            else:
                data[at:at] = data[chance.randint(0, at) : at]
        yield bytes(data[:LONGEST])


def fuzz(
    name: str, count: int, seed: int, step: Callable[[float], None] = lambda count: None
) -> dict[str, Any]:
    """Run one engine. Raises whatever went wrong, with a note that holds the input. `step(count)`: inputs are done."""
    engine, chance = ENGINES[name], random.Random(f"{name} {seed}")
    slowest_s, started = 0.0, time.perf_counter()
    for number, data in enumerate(inputs(engine.seeds, chance)):
        if number % _STEP == 0:
            step(_STEP)
        if number == count:
            break
        if number == count * 9 // 10:  # tracing costs time, and whoever grows does so all the time
            gc.collect()
            tracemalloc.start()
        start = time.process_time()  # a busy machine makes no input slow
        try:
            engine.run(data, chance)
        except Exception as error:
            error.add_note(f"{name}, input {number} of seed {seed}: {data!r}")
            raise
        slowest_s = max(slowest_s, time.process_time() - start)
    gc.collect()
    growth = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    if slowest_s > SLOW_S or growth > GROWTH:
        raise Wrong(f"{name}: slowest input {slowest_s:.3f} s, memory grew by {growth} bytes")
    took_s, slowest_ms = round(time.perf_counter() - started, 1), round(slowest_s * 1000, 1)
    return {"engine": name, "inputs": count, "seconds": took_s, "slowest_ms": slowest_ms, "growth": growth}


def main(argv: list[str] | None = None) -> int:
    parser = common.parser("fuzz", __doc__.splitlines()[0])
    parser.add_argument(
        "--inputs", type=common.number(1), default=INPUTS, help=f"for each engine (default {INPUTS:,})"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "engines", nargs="*", metavar="ENGINE", help=f"of {', '.join(ENGINES)}; all when none is named"
    )
    common.add_json(parser)
    args = parser.parse_args(argv)
    if unknown := set(args.engines) - set(ENGINES):
        parser.error(f"no engine {', '.join(unknown)}")
    names = args.engines or list(ENGINES)
    with common.LongRun("fuzz", len(names) * args.inputs, args.json) as run:
        for name in names:
            run.begins(name)
            run.result(fuzz(name, args.inputs, args.seed, run.step))
    return 0
