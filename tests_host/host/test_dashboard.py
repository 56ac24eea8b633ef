"""The dashboard without a browser and without a running device: what pages get, what may be asked, who may ask."""

import contextlib
import json
import re

import aiohttp
import pytest

from tools import kinds
from tools.cloud.admin import Admin
from tools.cloud.demo_device import CLIENT_SECRET, WIFI_PASSWORD
from tools.cloud.messages import REASONS, Passed
from tools.dashboard import actions, snapshot
from tools.dashboard.actions import Wrong
from tools.dashboard.feed import LIMITS, Feed
from tools.dashboard.masking import MASK, MOST_SHOWN, masked
from tools.dashboard.narration import Said
from tools.dashboard.page_server import PAGE, Dashboard
from tools.dashboard.panel import PANEL
from tools.dashboard.watch import Projection, Watch
from tools.env import interpreter
from tools.fixture.system import SystemFixture
from tools.virtual_board import knobs

# What pages get


def test_a_page_gets_what_it_lacks_and_a_new_one_everything():
    feed = Feed()
    assert feed.since(0) == {"n": 0}
    feed.put("board", {"powered": True})
    feed.add("timeline", "first")
    seen = feed.since(0)
    assert seen == {"n": 2, "state": {"board": {"powered": True}}, "timeline": ["first"]}
    feed.put("board", {"powered": True})
    assert feed.since(2) == {"n": 2}, "nothing changed"
    feed.put("memory", 7)
    feed.add("timeline", "second")
    assert feed.since(2) == {"n": 4, "state": {"memory": 7}, "timeline": ["second"]}
    assert feed.since(0)["timeline"] == ["first", "second"]
    assert feed.since(99) == feed.since(0), "that page is of another demo"


def test_the_feed_announces_changes_only():
    feed, changes = Feed(), []
    feed.on_change = lambda: changes.append(1)
    feed.put("memory", 1)
    feed.put("memory", 1)
    feed.add("samples", {})
    assert len(changes) == 2


def test_a_page_that_was_away_for_long_gets_the_latest():
    feed = Feed()
    for number in range(10_000):
        feed.add("messages", number)
    assert feed.since(5)["messages"] == list(range(10_000 - LIMITS["messages"], 10_000))


def test_ten_minutes_of_a_thousand_messages_take_no_more_memory_than_one():
    projection, sizes = Projection(), []
    for minute in range(10):
        for number in range(1_000):
            at = 1_800_000_000 + minute * 60 + number * 0.06
            projection.passed(Passed(at, "mqtt", True, f"topic/{number}", 0, b'{"value":"1.0"}' * 9))
            projection.said(Said("cloud", f"stored {number}"), at)
        sizes.append(len(json.dumps(projection.feed.since(0))))
    assert max(sizes) < 1.02 * sizes[0]


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        (b'{"access_token":"a\\"b","expires_in":60}', f'{{"access_token":"{MASK}","expires_in":60}}'),
        (b'{"username":"u", "password" : "p"}', f'{{"username":"u", "password" : "{MASK}"}}'),
        (b'{"password":"cut in the midd', f'{{"password":"{MASK}"'),
        (b"grant_type=x&client_secret=s%21&scope=y", f"grant_type=x&client_secret={MASK}&scope=y"),
        (b"token=abc", f"token={MASK}"),
        (b'{"token_type":"Bearer"}', '{"token_type":"Bearer"}'),
        (b"in a line: well known", f"in a line: {MASK}"),
        (b"\xff\x00", "2 bytes that are not text"),
    ],
)
def test_secrets_are_masked_also_in_what_is_broken(body, shown):
    assert masked(body, ("well known",)) == shown


def test_a_long_body_is_cut():
    text = masked(b"x" * 100_000)
    assert text.startswith("x" * MOST_SHOWN) and text.endswith("95,904 characters more")


def status(lease_s, **more):
    return "status " + json.dumps({"lease_s": lease_s, "uptime_s": 1, "utc": None, "state": "online", **more})


def test_the_countdown_of_the_lease_does_not_jump_with_whole_seconds():
    projection = Projection()
    assert projection.line(status(100), 1000.4)
    ends = projection.feed.state("status")["lease_ends"]
    for now, left in ((1002.9, 98), (1004.5, 95), (1006.0, 95)):
        projection.line(status(left), now)
        assert projection.feed.state("status")["lease_ends"] == ends
    projection.line(status(120), 1007)
    assert projection.feed.state("status")["lease_ends"] == 1127
    projection.line(status(0), 1008)
    assert projection.feed.state("status")["lease_ends"] == 0
    assert not projection.line("+1 I online", 1009)
    assert projection.line("status {}", 1010), "the device had no memory for it"
    assert projection.feed.state("status")["state"] == "online"


@pytest.mark.parametrize("line", ["status {", "status [1]", 'status {"state": "online"}', "status 7"])
def test_a_line_that_only_looks_like_a_status_changes_nothing(line):
    projection = Projection()
    assert not projection.line(line, 0)
    assert projection.feed.since(0) == {"n": 0}


# What may be asked


@contextlib.asynccontextmanager
async def bench(transport="https", **options):
    """A device without power, with all around it; the calls are carried out for real."""
    async with (
        SystemFixture(interpreter.find(), powered=False, transport=transport, **options) as fixture,
        Watch(fixture, "device 1", watched=lambda: False) as watch,
    ):
        yield fixture, watch


BAD = [
    (None, "body", "JSON object"),
    ([], "body", "JSON object"),
    ({}, "verb", "must be one of"),
    ({"verb": "do"}, "verb", "must be one of"),
    ({"verb": ["set"]}, "verb", "must be one of"),
    ({"verb": "set", "port": "6"}, "value", "is missing"),
    ({"verb": "set", "port": "6", "value": 1, "raw": True}, "raw", "not a field of set"),
    ({"verb": "set", "port": "6", "value": True}, "value", "a number"),
    ({"verb": "set", "port": "6", "value": float("nan")}, "value", "a number"),
    ({"verb": "set", "port": "6", "value": 2}, "value", "0 to 1"),
    ({"verb": "set", "port": "9", "value": 18.3}, "value", "steps of 0.5"),
    ({"verb": "set", "port": "9", "value": 35.5}, "value", "5 to 35"),
    ({"verb": "set", "port": "7", "value": 1}, "port", "one of 6, 9"),
    ({"verb": "set", "port": 6, "value": 1}, "port", "a text"),
    ({"verb": "subscription", "on": 1}, "on", "true or false"),
    ({"verb": "fault", "rule": "any status=banana"}, "rule", "status"),
    ({"verb": "fault", "rule": "x" * 999}, "rule", "200 characters"),
    ({"verb": "dns", "mode": "gone"}, "mode", "one of"),
    ({"verb": "dns", "mode": {}}, "mode", "one of"),
    ({"verb": "broker", "mode": "down"}, "mode", "no broker"),
    ({"verb": "stick", "role": "ntc", "at": "on"}, "role", "one of pump"),
    ({"verb": "sensor", "role": "pump", "fault": "open"}, "role", "no sensor"),
    ({"verb": "turn", "knob": "moon", "value": 1}, "knob", "one of room"),
    ({"verb": "turn", "knob": "room", "value": 99}, "value", "-20 to 60"),
    ({"verb": "clock", "offset_s": 1e99}, "offset_s", "must be"),
]


async def test_a_bad_call_names_its_field_and_does_nothing():
    async with bench() as (fixture, watch):
        before = snapshot.look(fixture, 0)
        events = len(fixture.model.events)
        for call, field, words in BAD:
            with pytest.raises(Wrong) as wrong:
                await watch.do(call)
            assert (wrong.value.field, words in wrong.value.text) == (field, True), (call, wrong.value.text)
        assert snapshot.look(fixture, 0) == before and len(fixture.model.events) == events
        assert "timeline" not in watch.feed.since(0)


async def test_every_control_of_the_panel_can_be_used_and_says_where_it_stands():
    async with bench("auto") as (fixture, watch):

        def state(path):
            part, name = path.split(".")
            return watch.feed.state(part)[name]

        for control in [control for group in PANEL for control in group["controls"]]:
            if "choices" in control:
                for value in control["choices"]:
                    await watch.do(control["call"] | {control["field"]: value})
                    assert state(control["state"]) == value
                await watch.do(control["call"] | {control["field"]: next(iter(control["choices"]))})
            elif "on" in control:
                for verb, on in (("off", False), ("on", True)):
                    if control["state"] != "board.powered":
                        await watch.do(control[verb])
                        assert state(control["state"]) is on, control
            elif control["call"]["verb"] != "power_cycle":
                await watch.do(control["call"])
                if control["call"]["verb"] == "fault":
                    assert len(watch.feed.state("faults")["rules"]) == 1
                    await watch.do({"verb": "clear_faults"})
        codes = {code for code in REASONS if code >= 400}
        assert {int(control["label"]) for group in PANEL for control in group["controls"]
                if control["label"].isdigit()} == codes  # fmt: skip
        assert fixture.site.ntp.offset_s == 0


async def test_parts_of_the_board_can_be_broken_and_mended():
    async with bench() as (fixture, watch):
        plant = fixture.plant

        def part(role):
            return next(part for part in watch.feed.state("parts") if part["role"] == role)

        for fault in ("open", "short", ""):
            await watch.do({"verb": "sensor", "role": "ntc", "fault": fault})
            assert part("ntc")["fault"] == fault and plant.broken["ntc"] == (fault or None)
        for at, on in (("on", True), ("off", False)):
            await watch.do({"verb": "stick", "role": "heater", "at": at})
            assert part("heater")["stuck"] == at and plant.is_on("heater") is on
        await watch.do({"verb": "stick", "role": "heater", "at": ""})
        assert part("heater")["stuck"] == "" and not plant.stuck
        for knob, value in (("room", 31.5), ("light", 40)):
            await watch.do({"verb": "turn", "knob": knob, "value": value})
            assert {row["name"]: row["value"] for row in watch.feed.state("knobs")}[knob] == value
        await watch.do({"verb": "button", "ms": 200})
        assert part("button")["on"]
        said = [item["text"] for item in watch.feed.since(0)["timeline"] if item["who"] == "you"]
        assert said[:2] == ["ntc unplugged", "ntc shorted"] and said[-1] == "press the button"


async def test_the_timeline_tells_what_a_person_did_from_what_followed():
    async with bench() as (fixture, watch):
        for call in (
            {"verb": "set", "port": "6", "value": 1},
            {"verb": "subscription", "on": False},
            {"verb": "network", "on": False},
        ):
            await watch.do(call)
        fixture.model.event(0, "feed_stored", fixture.device_id, command_id=1, value="1.0", received_at="now")
        fixture.model.event(0, "feed_stored", fixture.device_id, sensor_id=1, value="1.0", received_at="now")
        said = [(item["who"], item["text"]) for item in watch.feed.since(0)["timeline"]]
        assert said == [
            ("you", "owner wants 1.0 on port 6"),
            ("you", "subscription off"),
            ("you", "access point off"),
            ("cloud", "stored command 1: 1.0, observed now"),
        ]


async def test_a_new_start_forgets_what_the_device_said_before():
    async with bench() as (fixture, watch):
        watch.projection.line(status(100), 1000)
        assert watch.feed.state("status")["state"] == "online"
        for listener in fixture.listeners:
            listener(("boot", 2))
        assert watch.feed.state("status") == {}
        assert watch.feed.since(0)["timeline"][-1]["text"] == "boot 2"


async def test_a_value_that_is_no_number_does_not_stop_the_page():
    async with bench() as (fixture, watch):
        for text in ("nan", "inf", "warm"):
            fixture.model.set_desired(fixture.device_id, "9", text, 0, raw=True)
            point = snapshot.sample(fixture, watch.look(), 0)
            assert point["desired"]["9"] is None and watch.feed.state("commands")[1]["desired"] == text
            json.dumps(watch.feed.since(0), allow_nan=False)


async def test_a_board_with_a_cable_has_the_same_controls():
    async with bench(board="wt32-eth01") as (fixture, watch):
        await watch.do({"verb": "network", "on": False})
        await watch.do({"verb": "zombie", "until": "reset"})
        board = watch.feed.state("board")
        assert (
            board["wired"]
            and board["zombie"] == "reset"
            and not board["air"]
            and not fixture.board.chip.lan.cable
        )
        with pytest.raises(Wrong, match="interface or reset"):
            await watch.do({"verb": "zombie", "until": "join"})


async def test_ranges_and_steps_are_those_of_the_configuration():
    def edit(config):
        config["outputs"][1] |= {"min": 7, "max": 21, "step": 0.25}

    async with bench(edit=edit) as (_, watch):
        rows = {row["port"]: row for row in watch.look()["commands"]}
        assert [rows["6"][name] for name in ("least", "most", "step", "mode")] == [0, 1, 1, "switch"]
        assert rows["9"]["sensor"] == "14" and rows["9"]["role"] == "heater"
        assert (rows["9"]["least"], rows["9"]["most"], rows["9"]["step"]) == (7, 21, 0.25)


async def test_what_the_feed_holds_of_a_real_exchange_has_no_secret():
    async with bench("auto") as (fixture, watch):
        basic = {
            "Authorization": aiohttp.encode_basic_auth(fixture.config["cloud"]["client_id"], CLIENT_SECRET)
        }
        port = fixture.site.server.port
        form = {"grant_type": "client_credentials", "scope": "iot:catalog:read iot:mqtt:connect"}
        context = fixture.site.certs.client()
        async with aiohttp.ClientSession() as session:
            address = f"https://127.0.0.1:{port}/oauth/token"
            options = {"ssl": context, "server_hostname": "api.realer.test"}
            async with session.post(address, data=form, headers=basic, **options) as answer:
                token = (await answer.json())["access_token"]
            async with session.post(
                f"https://127.0.0.1:{port}/oauth/revoke", data={"token": token}, headers=basic, **options
            ):
                pass
        text = json.dumps(watch.feed.since(0))
        assert (
            "oauth/token" in text
            and "oauth/revoke" in text
            and MASK in json.loads(text)["messages"][1]["body"]
        )
        assert not any(secret in text for secret in (token, CLIENT_SECRET, WIFI_PASSWORD))


# Who may ask


class Recorder:
    """A device of a page that carries nothing out, and remembers what it was asked for."""

    def __init__(self):
        self.feed, self.calls = Feed(), []

    async def do(self, call):
        self.calls.append(call)
        if call.get("verb") == "wrong":
            raise Wrong("verb", "is wrong")


@pytest.fixture
def recorder():
    return Recorder()


async def ask(page, method, path="", url=None, **options):
    """Status, headers and body of an answer."""
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, (url or page.url) + path, **options) as answer,
    ):
        return answer.status, answer.headers, await answer.text()


def origin(page):
    return {"Origin": page.url.rsplit("/", 2)[0]}


async def test_every_answer_has_the_headers_that_a_browser_obeys(recorder):
    async with Dashboard([recorder]) as page:
        for path, url in (
            ("", None),
            ("style.css", None),
            ("nothing", None),
            ("", page.url[:-4] + "/"),
            ("/x", page.url[:-34]),
        ):
            _, headers, _ = await ask(page, "GET", path, url)
            assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
            assert "default-src 'none'" in headers["Content-Security-Policy"]
            assert headers["X-Content-Type-Options"] == "nosniff"
            assert headers["Referrer-Policy"] == "no-referrer"


async def test_every_request_needs_the_token(recorder):
    async with Dashboard([recorder]) as page:
        base, token = page.url.rstrip("/").rsplit("/", 1)
        for path in (
            "/",
            f"/{token[:-1]}/",
            f"/{token}x/",
            "/ü/",
            "/%ff/",
            "/%ed%a0%80/",
            f"/{token[:-1]}/style.css",
            f"/{token[:-1]}/live",
        ):
            status, _, text = await ask(page, "GET", path, base)
            assert status == 403 and token not in text
        status, _, _ = await ask(
            page, "POST", f"/{token[:-1]}/do", base, json={"verb": "x"}, headers=origin(page)
        )
        assert status == 403 and recorder.calls == []
        assert len(token) >= 32
    async with Dashboard([recorder]) as other:
        assert token not in other.url


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Host": "evil.example"}, {},
        {"Origin": "https://127.0.0.1"},
    ],
)  # fmt: skip
async def test_requests_from_another_origin_are_refused(recorder, headers):
    async with Dashboard([recorder]) as page:
        if "Host" in headers:
            headers = headers | origin(page)
        status, _, _ = await ask(page, "POST", "do", json={"verb": "x"}, headers=headers)
        assert status in (403, 421) and recorder.calls == []
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.WSServerHandshakeError):
                await session.ws_connect(page.url + "live", headers=headers)
        assert page.pages == 0


async def test_nothing_is_changed_by_reading(recorder):
    async with Dashboard([recorder]) as page:
        for method in ("GET", "HEAD", "PUT", "DELETE", "OPTIONS"):
            status, _, _ = await ask(page, method, "do?verb=reset", headers=origin(page))
            assert status in (403, 404, 405)
        assert recorder.calls == []


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"json": {"verb": "set"}}, 204, ""),
        ({"json": {"verb": "wrong"}}, 400, "verb"),
        ({"json": {"verb": "set", "device": 1}}, 400, "device"),
        ({"json": {"verb": "set", "device": True}}, 400, "device"),
        ({"data": b"{", "headers": {"Content-Type": "application/json"}}, 400, "body"),
        ({"data": b"\xff", "headers": {"Content-Type": "application/json"}}, 400, "body"),
        ({"data": b"[" * 4000, "headers": {"Content-Type": "application/json"}}, 400, "body"),
        ({"data": b'"' + b"x" * 9000 + b'"', "headers": {"Content-Type": "application/json"}}, 413, "body"),
        ({"data": b'{"verb":"set"}', "headers": {"Content-Type": "text/plain"}}, 415, "Content-Type"),
        ({"data": {"verb": "set"}}, 415, "Content-Type"),
    ],
)
async def test_what_is_wrong_with_a_call_is_said_with_its_field(recorder, sent, status, field):
    async with Dashboard([recorder]) as page:
        sent = sent | {"headers": sent.get("headers", {}) | origin(page)}
        found, _, text = await ask(page, "POST", "do", **sent)
        assert found == status, text
        assert not field or json.loads(text)["field"] == field
        assert bool(recorder.calls) == (status == 204 or field == "verb")


async def test_only_files_of_the_page_are_served(recorder):
    async with Dashboard([recorder]) as page:
        for path in ("../panel.py", "%2e%2e/panel.py", "..%2fpanel.py", "panel.py", "%00", "page.js/"):
            status, _, _ = await ask(page, "GET", path)
            assert status in (400, 403, 404), path
        for path in PAGE.iterdir():
            status, _, text = await ask(page, "GET", path.name)
            assert status == 200 and text == path.read_text()


async def test_without_the_library_there_is_a_page_without_charts(recorder, monkeypatch):
    monkeypatch.setattr("tools.env.uplot.find", lambda: None)
    async with Dashboard([recorder]) as page:
        assert not page.has_charts
        assert (await ask(page, "GET", "uplot.js"))[0] == 404
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(page.url + "live", headers=origin(page)) as live,
        ):
            assert (await live.receive_json())["charts"] is False


async def test_pages_get_all_and_then_what_changes_until_the_demo_ends(recorder):
    recorder.feed.put("board", 1)
    async with aiohttp.ClientSession() as session:
        async with Dashboard([recorder, Recorder()]) as page:
            lives = [await session.ws_connect(page.url + "live", headers=origin(page)) for _ in range(2)]
            for live in lives:
                assert (await live.receive_json())["panel"] == PANEL
                assert (await live.receive_json())["devices"] == [{"n": 1, "state": {"board": 1}}, {"n": 0}]
            assert page.pages == 2
            recorder.feed.add("timeline", "news")
            for live in lives:
                assert (await live.receive_json())["devices"] == [
                    {"n": 2, "timeline": ["news"]},
                    {"n": 2 - 2},
                ]
            await lives.pop().close()
        assert await lives[0].receive_json() == {"ended": True}
        assert (await lives[0].receive()).type == aiohttp.WSMsgType.CLOSE


async def test_a_page_that_does_not_read_delays_no_other(recorder):
    """It gets the latest when it comes back, and not what went by meanwhile."""
    async with aiohttp.ClientSession() as session, Dashboard([recorder]) as page:
        asleep, awake = [await session.ws_connect(page.url + "live", headers=origin(page)) for _ in range(2)]
        for live in (asleep, awake):
            assert "panel" in await live.receive_json()
        count = 0
        for _ in range(20):
            for _number in range(LIMITS["messages"]):
                count += 1
                recorder.feed.add("messages", f"{count} " + "x" * MOST_SHOWN)
            while not (await awake.receive_json())["devices"][0]["messages"][-1].startswith(f"{count} "):
                pass
        got = []
        while not (got and got[-1].startswith(f"{count} ")):
            got += (await asleep.receive_json())["devices"][0]["messages"]
        assert len(got) < count / 2, "what was not taken is not kept"


def test_the_page_loads_nothing_from_elsewhere():
    """Offline, and as its Content-Security-Policy wants it: no other server, no code or style in the HTML."""
    for path in PAGE.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//[a-z]+\.", text), path
    html = (PAGE / "index.html").read_text()
    assert not re.search(r"<style|style=|\son\w+=|<script(?![^>]* src=)", html)


def test_every_kind_of_sensor_has_something_to_turn():
    assert all(set(kinds.sensor(word).KNOBS) <= set(knobs.KNOBS) for word in kinds.words())


def test_the_verbs_are_all_there():
    there = {name.removeprefix("_") for name in dir(actions.Actions)}
    there |= {name.removeprefix("do_") for name in dir(Admin)}
    assert actions.VERBS.keys() <= there
