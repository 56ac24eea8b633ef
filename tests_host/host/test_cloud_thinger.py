"""The simulated Thinger.io against the documentation: its curl lines, its statuses, and what devices may not do."""

import asyncio
import base64
import json

import pytest

from tools.cloud import thinger_wire as wire
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import (
    THINGER_CREDENTIAL,
    THINGER_DEVICE,
    THINGER_HOST,
    THINGER_PASSWORD,
    THINGER_USER,
    demo_account,
)  # fmt: skip
from tools.cloud.messages import Request
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_server import ThingerServer

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = f"grant_type=password&username={THINGER_USER}&password={THINGER_PASSWORD}"
DEVICES = f"/v1/users/{THINGER_USER}/devices"
MINE = f"{DEVICES}/{THINGER_DEVICE}"
RESOURCES = f"/v2/users/{THINGER_USER}/devices/{THINGER_DEVICE}"
LOGIN = wire.frame("CONNECT", sid=1, payload=[THINGER_USER, THINGER_DEVICE, THINGER_CREDENTIAL])


class Cloud(Thinger):
    """The model with a clock to set, and a person who asks it."""

    def __init__(self):
        self.time = 1_486_040_000.0
        super().__init__(lambda: self.time, seed=1)
        demo_account(self)
        self.token = None

    def ask(self, method, path, body=None, token=None, headers=None):
        """[answers]: empty while the device is asked."""
        headers = dict(headers or {})
        if token or self.token:
            headers["authorization"] = f"Bearer {token or self.token}"
        data = (
            body.encode() if isinstance(body, str) else json.dumps(body).encode() if body is not None else b""
        )
        answers = []
        self.handle(Request(method, path, headers, data), answers.append)
        return answers

    def status(self, *args, **options):
        return self.ask(*args, **options)[0].status

    def oauth(self, form):
        return self.ask("POST", "/oauth/token", form, headers=FORM)[0]

    def login(self):
        self.token = self.oauth(GRANT).json()["access_token"]


class Board:
    """A device with scripted answers."""

    def __init__(self, cloud, login=LOGIN):
        self.received, self.ended, self.reader = [], 0, wire.Reader()
        self.port = cloud.connection(self._receive, self._end)
        self.port.feed(login)

    def _receive(self, data):
        self.received += self.reader.feed(data)

    def _end(self):
        self.ended += 1

    def asked(self):
        received, self.received = self.received, []
        return received

    def answer(self, kind, **fields):
        ((_, question),) = self.asked()
        self.port.feed(wire.frame(kind, sid=question["sid"], **fields))
        del question["sid"]
        return question


@pytest.fixture
def cloud():
    found = Cloud()
    found.login()
    return found


def claims(token):
    return json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))


def test_the_password_grant():
    cloud = Cloud()
    answer = cloud.oauth(GRANT)
    body = answer.json()
    assert answer.status == 200
    assert set(body) == {"access_token", "expires_in", "refresh_token", "scope", "token_type"}
    assert (body["expires_in"], body["scope"], body["token_type"]) == (7200, None, "bearer")
    access, refresh = claims(body["access_token"]), claims(body["refresh_token"])
    assert access == {"exp": 1_486_047_200, "iat": 1_486_040_000, "usr": THINGER_USER}
    assert set(refresh) == {"exp", "iat", "jti"} and refresh["exp"] - refresh["iat"] == 61 * 86400
    wrong = cloud.oauth("grant_type=password&username=nobody&password=x")
    assert (wrong.status, wrong.json()) == (401, {"error": {"message": "invalid username or password"}})
    assert cloud.oauth("grant_type=client_credentials").status == 400


def test_a_refresh_token_serves_once():
    cloud = Cloud()
    first = cloud.oauth(GRANT).json()
    cloud.time += 7000
    second = cloud.oauth(f"grant_type=refresh_token&refresh_token={first['refresh_token']}").json()
    assert claims(second["refresh_token"])["jti"] == claims(first["refresh_token"])["jti"]
    for used in (
        first["refresh_token"],
        second["access_token"],
        "",
        "a.b.c",
        second["refresh_token"][:-3] + "AAA",
    ):
        answer = cloud.oauth(f"grant_type=refresh_token&refresh_token={used}")
        assert (answer.status, answer.json()) == (401, {"error": {"message": "invalid refresh token"}})
    assert cloud.status("GET", DEVICES, token=second["access_token"]) == 200
    cloud.time += 7201
    assert cloud.status("GET", DEVICES, token=second["access_token"]) == 401


def test_two_refreshes_within_a_second_have_different_tokens():
    cloud = Cloud()
    pair = cloud.oauth(GRANT).json()
    seen = [pair["access_token"], pair["refresh_token"]]
    for _ in range(3):
        answer = cloud.oauth(f"grant_type=refresh_token&refresh_token={pair['refresh_token']}")
        pair = answer.json()
        seen += [pair["access_token"], pair["refresh_token"]]
    assert len(set(seen)) == len(seen)
    assert [
        cloud.oauth(f"grant_type=refresh_token&refresh_token={used}").status for used in seen[1:-1:2]
    ] == [401] * 3


def test_a_token_of_a_device_expires_at_a_moment_in_milliseconds(cloud):
    def made(moment):
        return cloud.ask("POST", f"{MINE}/tokens", {"token_name": "t", "token_expiration": moment})[0]

    for wrong in ("soon", "1486050000000", None, True, [], {}, float("inf"), float("nan")):
        assert made(wrong).status == 400, wrong
    answer = made(1_486_050_000_500)
    assert answer.status == 200 and claims(answer.json()["token"])["exp"] == 1_486_050_000


def test_devices_are_listed_added_and_deleted(cloud):
    assert [item["device"] for item in cloud.ask("GET", DEVICES)[0].json()] == [THINGER_DEVICE]
    assert cloud.ask("GET", f"{DEVICES}?id={THINGER_DEVICE}")[0].json()[0]["device"] == THINGER_DEVICE
    assert cloud.status("GET", f"{DEVICES}?id=unknown") == 404
    assert cloud.status("GET", f"{DEVICES}?id=a-b") == 400
    whole = {"device_id": "second", "device_credentials": "secret-not-real", "device_description": ""}
    for key in whole:
        assert cloud.status("POST", DEVICES, {k: v for k, v in whole.items() if k != key}) == 400, key
        assert cloud.status("POST", DEVICES, whole | {key: 7}) == 400, key
    assert cloud.status("POST", DEVICES, whole) == 200
    assert cloud.status("POST", DEVICES, whole) == 400, "it is there already"
    assert cloud.status("DELETE", f"{DEVICES}/second") == 200
    assert cloud.status("DELETE", f"{DEVICES}/second") == 404


async def test_who_leaves_an_event_stream_leaves_no_traceback(tmp_path, caplog):
    model, certs = Thinger(), TestCA(tmp_path)
    demo_account(model)
    port = model.connection(lambda data: None, lambda: None)
    port.feed(LOGIN)
    unhandled = []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: unhandled.append(context))
    server = ThingerServer(model, certs)
    await server.start()
    idle = asyncio.all_tasks()
    try:
        token = model.tokens.login(THINGER_USER, model.now())["access_token"]
        for _ in range(3):
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.rest_port, ssl=certs.client(), server_hostname=THINGER_HOST
            )
            head = f"GET {MINE}/stats HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n"
            writer.write(f"{head}Accept: text/event-stream\r\n\r\n".encode())
            await reader.readuntil(b"data: ")
            writer.transport.abort()
            port.feed(wire.frame("KEEP_ALIVE"))  # so there is something more to be sent
        await asyncio.wait(asyncio.all_tasks() - idle, timeout=20)
    finally:
        await server.stop()
    assert unhandled == [] and not caplog.records


def test_stats(cloud):
    board = Board(cloud)
    cloud.time += 5
    board.port.feed(wire.frame("KEEP_ALIVE"))
    stats = cloud.ask("GET", f"{MINE}/stats")[0].json()
    assert stats == {
        "connected": True,
        "connected_ts": 1_486_040_000_000,
        "ip_address": "",
        "rx_bytes": 2,
        "tx_bytes": 6,
    }
    board.port.gone()
    assert cloud.ask("GET", f"{MINE}/stats")[0].json()["connected"] is False
    assert cloud.status("GET", f"{DEVICES}/ghost/stats") == 404
    for invalid in ("a-b", "a" * 26, "a%20b", "%C3%A9"):
        assert cloud.status("GET", f"{DEVICES}/{invalid}/stats") == 400


def test_access_rights_by_role(cloud):
    Board(cloud)
    other = f"/v1/users/somebody/devices/{THINGER_DEVICE}/stats"
    assert cloud.status("GET", other) == 401
    good, cloud.token = cloud.token, None
    assert cloud.status("GET", f"{MINE}/stats") == 401
    assert cloud.status("GET", f"{MINE}/stats?authorization={good}") == 200
    assert cloud.status("GET", f"{MINE}/stats", headers={"authorization": f"Basic {good}"}) == 401
    assert Cloud().status("GET", DEVICES, token="x.e30.y") == 401


@pytest.mark.parametrize(("method", "path", "body", "kind", "question", "answer", "status", "text"), [
    ("GET", "/temperature", None, "RUN", {"resource": "temperature"}, {"payload": 21.0}, 200, {"out": 21.0}),
    ("POST", "/relay", {"in": True}, "RUN", {"resource": "relay", "payload": True}, {}, 200, None),
    ("POST", "/level", {"in": 5}, "RUN", {"resource": "level", "payload": 5}, {}, 200, None),
    ("POST", "/rgb", {"in": {"r": 0}}, "RUN", {"resource": "rgb", "payload": {"r": 0}}, {}, 200, None),
    ("POST", "/io", {"in": 1}, "RUN", {"resource": "io", "payload": 1}, {"payload": {"a": 3}}, 200, {"out": {"a": 3}}),
    ("GET", "/reset", None, "RUN", {"resource": "reset"}, {}, 200, None),
    ("GET", "/api", None, "DESCRIBE", {}, {"payload": {"relay": {"fn": 2}}}, 200, {"relay": {"fn": 2}}),
    ("GET", "/relay/api", None, "DESCRIBE", {"resource": "relay"}, {"payload": {"in": True}}, 200, {"in": True}),
])  # fmt: skip
def test_calls(cloud, method, path, body, kind, question, answer, status, text):
    board = Board(cloud)
    board.asked()
    answers = cloud.ask(method, RESOURCES + path, body)
    assert answers == [] and board.received[0][0] == kind
    assert board.answer("OK", **answer) == question
    assert answers[0].status == status
    assert (answers[0].json() if answers[0].body else None) == text


def test_calls_that_fail(cloud):
    assert cloud.status("GET", f"{RESOURCES}/relay") == 404
    board = Board(cloud)
    board.asked()
    nested = '{"in": %s}'
    for bad in (None, "", "x", [], {}, {"value1": 1}, {"in": "\ud800"}, nested % ("[" * 600 + "]" * 600),
                nested % ("[" * 100000 + "]" * 100000)):  # fmt: skip
        assert cloud.status("POST", f"{RESOURCES}/relay", bad) == 400
    assert board.asked() == []
    for answer, status in (
        ({}, 404),
        ({"parameters": 400, "payload": {"error": "no"}}, 400),
        ({"parameters": 1}, 404),
    ):
        answers = cloud.ask("POST", f"{RESOURCES}/relay", {"in": 1})
        board.answer("ERROR", **answer)
        assert answers[0].status == status
    answers = cloud.ask("GET", f"{RESOURCES}/relay")
    board.port.gone()
    assert answers[0].status == 404
    for method, path in (("PUT", f"{RESOURCES}/relay"), ("GET", "/v3/users"), ("GET", "/oauth/token")):
        assert cloud.status(method, path) == 404
    assert cloud.violations == []


@pytest.mark.parametrize("login", [
    wire.frame("CONNECT", sid=1, payload=[THINGER_USER, THINGER_DEVICE, "wrong"]),
    wire.frame("CONNECT", sid=1, payload=[THINGER_USER, "ghost", THINGER_CREDENTIAL]),
    wire.frame("CONNECT", sid=1, payload=[{}, [], None]),
])  # fmt: skip
def test_a_refused_login(cloud, login):
    board = Board(cloud, login)
    assert board.asked() == [("ERROR", {"sid": 1})] and board.ended == 1
    assert len(cloud.named("login_refused")) == 1 and cloud.violations == []


def test_a_second_login_ends_the_first(cloud):
    first, second = Board(cloud), Board(cloud)
    assert (first.ended, second.ended) == (1, 0)
    assert cloud.devices[THINGER_USER, THINGER_DEVICE].port is second.port
    first.port.gone()
    assert cloud.devices[THINGER_USER, THINGER_DEVICE].port is second.port


def test_actions_that_a_device_may_not_do(cloud):
    for data in (
        b"\x00\x00", b"GET / HTTP/1.1", wire.frame("RUN", sid=1), wire.frame("OK", sid=9), wire.frame("CONNECT", sid=2),
        b"\x05\x02\x08\x01", b"\x01\x03\x08\x80\x80", b"\x0a\x04\x08\x01\x19\x28"):  # fmt: skip
        board = Board(cloud)
        before = len(cloud.violations)
        board.port.feed(data)
        assert board.ended == 1 and len(cloud.violations) == before + 1, data
    assert Board(cloud, wire.frame("KEEP_ALIVE")).ended == 1


@pytest.mark.parametrize(
    "data",
    [b"\xff" * 12, b"\x01" + b"\xff" * 12, b"\x01\x02\x1a\x63", b"\x01\x02\x1a\x7f\x05"],
    ids=["endless kind", "endless size", "constant 3", "constant beyond the tag"],
)
def test_ends_the_connection_after_an_unknown_iotmp_frame(cloud, data):
    assert Board(cloud, data[:1]).ended == 0
    assert Board(cloud, data).ended == 1


def test_keep_alives_can_wait_while_all_else_goes_on(cloud):
    board = Board(cloud)
    board.asked()
    board.port.keep_alives = False
    board.port.feed(wire.frame("KEEP_ALIVE") * 2)
    assert board.asked() == []
    answers = cloud.ask("GET", f"{RESOURCES}/temperature")
    board.answer("OK", payload=21)
    assert answers[0].json() == {"out": 21}
    board.port.answer_keep_alives()
    board.port.feed(wire.frame("KEEP_ALIVE"))
    assert [kind for kind, _ in board.asked()] == ["KEEP_ALIVE"] * 3


def test_streams(cloud):
    board = Board(cloud)
    board.asked()
    seen = []
    number = board.port.stream("temperature", seen.append, 5000)
    assert board.answer("OK") == {"resource": "temperature", "parameters": {"interval": 5000}}
    for sid, value in ((number, 23.5), (99, 1), (number, 24)):
        board.port.feed(wire.frame("STREAM_DATA", sid=sid, payload=value))
    assert seen == [23.5, 24] and cloud.violations == []
