"""A device at Thinger.io: written, watched, cut off, refused and restarted, as its owner sees it over the REST API."""

import asyncio
import itertools
import json

import pytest

from firmware.version import VERSION
from tools.cloud.demo_device import THINGER_CREDENTIAL, THINGER_DEVICE, THINGER_PASSWORD, THINGER_USER
from tools.cloud.messages import Request
from tools.cloud.thinger_wire import frame
from tools.sim.sim_device import SimDevice, thinger_config


def _thinger(config):
    config["cloud"] = thinger_config()["cloud"]


pytestmark = [pytest.mark.gate, pytest.mark.config(edit=_thinger)]


class Owner:
    """Somebody with an account, who asks by HTTP."""

    def __init__(self, device: SimDevice) -> None:
        self.cloud = device.thinger
        form = f"grant_type=password&username={THINGER_USER}&password={THINGER_PASSWORD}".encode()
        answers = []
        kind = {"content-type": "application/x-www-form-urlencoded"}
        self.cloud.handle(Request("POST", "/oauth/token", kind, form), answers.append)
        self.headers = {"authorization": "Bearer " + answers[0].json()["access_token"]}

    @property
    def port(self):
        return self.cloud.devices[THINGER_USER, THINGER_DEVICE].port

    async def ask(self, method, resource, body=b"", within_s=30):
        path = f"/v2/users/{THINGER_USER}/devices/{THINGER_DEVICE}/{resource}"
        answer = asyncio.get_running_loop().create_future()
        self.cloud.handle(Request(method, path, self.headers, body), answer.set_result)
        return await asyncio.wait_for(answer, within_s)

    async def write(self, resource, value):
        """The status."""
        return (await self.ask("POST", resource, json.dumps({"in": value}).encode())).status

    async def read(self, resource):
        return (await self.ask("GET", resource)).json()["out"]

    async def shown(self, resource):
        """What the console shows."""
        return (await self.ask("GET", f"{resource}/api")).json()


@pytest.fixture
def ready(device, virtual_loop):
    """Its owner, once the device is online."""
    virtual_loop.run_until_complete(device.until(lambda: device.online, 60))
    yield Owner(device)
    assert device.thinger.violations == []
    assert THINGER_CREDENTIAL not in "\n".join(device.lines)


async def test_the_resources_are_the_configuration(device, ready):
    found = (await ready.ask("GET", "api")).json()
    assert found == {
        "pump": {"fn": 2}, "heater": {"fn": 2}, "room": {"fn": 3}, "daylight": {"fn": 3}, "status": {"fn": 3},
        "restart": {"fn": 1}, "reset": {"fn": 1}, "io": {"fn": 4}}  # fmt: skip


async def test_a_write_is_answered_when_the_relay_has_switched(device, ready):
    assert await ready.write("pump", True) == 200
    assert device.on("pump")
    assert await ready.shown("pump") == {"in": True}
    assert await ready.write("pump", False) == 200
    assert not device.on("pump")
    assert await ready.shown("pump") == {"in": False}


@pytest.mark.parametrize("value", [True, 1, 1.0, "on", "1", "1.0"])
async def test_accepted_values_for_on(device, ready, value):
    assert await ready.write("pump", value) == 200
    assert device.on("pump")


@pytest.mark.parametrize(
    "value", [2, -1, 0.5, "ON", "true", "", None, [], [True], {}, {"in": True}, "x" * 200, 1e300, "on "]
)
async def test_an_invalid_value_is_refused_and_switches_nothing(device, ready, value):
    for before in (True, False):
        assert await ready.write("pump", before) == 200
        assert await ready.write("pump", value) == 400
        assert device.on("pump") is before
    assert await ready.write("heater", value if value not in ("", 1e300) else 99) == 400


async def test_a_setpoint_is_regulated(device, ready):
    assert await ready.write("heater", 21.5) == 200
    assert await ready.shown("heater") == {"in": 21.5}
    await device.until(lambda: device.on("heater"), 30)
    await device.until(lambda: not device.on("heater"), 3600)
    for wrong in (4.5, 36, 21.3, True, "on"):
        assert await ready.write("heater", wrong) == 400
    assert await ready.shown("heater") == {"in": 21.5}


@pytest.mark.parametrize("size", [1000, 3000, 60000])
async def test_a_message_beyond_the_buffer_is_refused_and_the_connection_goes_on(device, ready, size):
    await ready.write("pump", True)
    before = len(device.history.of("warning"))
    assert await ready.write("pump", "x" * size) == (400 if size < 1024 else 413)
    assert len(device.history.of("warning")) == before + 1
    assert device.on("pump") and await ready.write("pump", False) == 200
    assert len(device.thinger.named("login")) == 1


async def test_readings(device, ready):
    room = await ready.read("room")
    assert abs(room - device.plant.sensor_c) < 1
    assert await ready.shown("room") == {"out": room}
    device.plant.break_sensor("ntc", "open")
    await asyncio.sleep(10)
    assert await ready.read("room") is None
    device.plant.break_sensor("ntc", None)
    await asyncio.sleep(10)
    assert abs(await ready.read("room") - device.plant.sensor_c) < 1


async def test_status_has_everything(device, ready):
    await ready.write("pump", True)
    found = await ready.read("status")
    assert found["safe"] is None and found["firmware"] == VERSION
    assert found["outputs"]["pump"] == {"on": True, "target": 1, "held": None, "fault": None}
    assert set(found["outputs"]) == {"pump", "heater"} and set(found["sensors"]) == {"room", "daylight"}


async def test_a_limit_holds_and_the_request_is_refused(device, ready):
    device.app.controller.outputs[0].cfg["min_off_s"] = 60
    await ready.write("pump", True)
    await ready.write("pump", False)
    assert await ready.write("pump", True) == 409
    assert not device.on("pump")
    await asyncio.sleep(70)
    assert not device.on("pump"), "what was refused does not happen later"
    assert await ready.write("pump", True) == 200


def _slow(config):
    _thinger(config)
    blind = {
        "pin_port": "9", "name": "blind", "gpio": 17, "mode": "cover", "open_s": 50, "safe": 0, "interlock": "g",
        "close": {"gpio": 18},
    }  # fmt: skip
    lamp = {"pin_port": "10", "name": "lamp", "gpio": 19, "mode": "pwm", "ramp_s": 60, "min_off_s": 20}
    config["outputs"][0]["interlock"] = "g"
    config["outputs"][1:] = [blind, lamp]


@pytest.mark.config(edit=_slow)
async def test_what_takes_longer_than_a_caller_waits_is_answered_when_it_is_on_its_way(device, ready):
    blind, duties = device.plant.loads["blind"], device.plant.duties
    await device.until(lambda: device.app.controller.outputs[1].value() == 0, 90)
    seen = []
    ready.port.stream("blind", seen.append)
    assert await asyncio.wait_for(ready.write("blind", 100), 3) == 200
    assert await asyncio.wait_for(ready.write("lamp", 80), 3) == 200
    await device.until(lambda: blind.position == 100, 60)
    await device.until(lambda: duties[19] == 80, 5)
    await asyncio.sleep(10)
    assert seen[-1] == 100 and await ready.shown("lamp") == {"in": 80}


@pytest.mark.config(edit=_slow)
async def test_what_a_limit_holds_is_refused_though_it_would_take_long(device, ready):
    blind, duties = device.plant.loads["blind"], device.plant.duties
    assert await ready.write("lamp", 80) == 409, "min_off_s"
    await device.until(lambda: device.app.controller.outputs[1].value() == 0, 90)
    assert await ready.write("pump", True) == 200
    assert await ready.write("blind", 100) == 409, "interlock"
    assert await ready.write("pump", False) == 200
    await asyncio.sleep(60)
    assert blind.position == 0 and duties[19] == 0, "nor later"


async def test_a_later_write_supersedes_an_earlier_one(device, ready):
    device.app.controller.outputs[0].cfg["min_off_s"] = 5
    await ready.write("pump", True)
    await ready.write("pump", False)
    first = asyncio.ensure_future(ready.write("pump", True))
    await asyncio.sleep(1)
    assert await ready.write("pump", False) == 200
    assert await first == 409
    await asyncio.sleep(10)
    assert not device.on("pump")


STREAMS = tuple(
    (name, interval)
    for name in ("pump", "heater", "room", "daylight", "status")
    for interval in (None, 60000)
)


@pytest.mark.parametrize("when", ["with the login", "when online", "while reports wait"])
async def test_the_first_sample_of_a_stream_is_sent_once(device, ready, when):
    seen = {stream: [] for stream in STREAMS}

    def open_streams(port):
        for stream in STREAMS:
            port.stream(stream[0], seen[stream].append, stream[1])

    if when == "when online":
        open_streams(ready.port)
    else:
        admits = device.thinger.admits

        def admitted(port, *login):
            found = admits(port, *login)
            asyncio.get_running_loop().call_soon(open_streams, port)
            return found

        device.thinger.admits = admitted
        device.thinger.running = when == "with the login"
        device.net.cut()
        if not device.thinger.running:
            await asyncio.sleep(120)
            device.app.controller.outputs[0].demand(1.0)
            await asyncio.sleep(1)
            device.thinger.running = True
        await device.until(lambda: seen["room", None], 90)
    await asyncio.sleep(4)
    for stream, values in seen.items():
        assert values, stream
        assert [value for value, _ in itertools.groupby(values)] == values, f"{stream} says the same twice"


@pytest.mark.parametrize("value", [True, False])
async def test_a_dashboard_is_updated_after_every_write(device, ready, value):
    """It shows what was asked for until it gets the present value."""
    seen = []
    ready.port.stream("pump", seen.append)
    await asyncio.sleep(1)
    for before in (1, 2, 3):
        assert len(seen) == before
        assert await ready.write("pump", "nonsense" if value else False) == (400 if value else 200)
        await asyncio.sleep(0.5)
    assert seen == [False] * 4


async def test_a_write_is_answered_while_a_keep_alive_is_not(device, ready):
    device.app.link.client.session.keep_alive_ms = 1000
    await asyncio.sleep(2)
    ready.port.keep_alives = False
    await asyncio.sleep(5)  # one of its own, and reports wait for the answer to another
    for value in (True, False, True):
        assert await asyncio.wait_for(ready.write("pump", value), 1) == 200
        assert device.on("pump") is value
    assert await asyncio.wait_for(ready.read("room"), 1)
    assert await asyncio.wait_for(ready.shown("pump"), 1) == {"in": True}
    assert len(device.app.controller.outbox) >= 3, "nothing counts as delivered before the answer"
    ready.port.answer_keep_alives()
    await device.until(lambda: not len(device.app.controller.outbox), 5)
    assert len(device.thinger.named("login")) == 1


async def test_reports_that_wait_for_a_keep_alive_are_sent_once(device, ready):
    await asyncio.sleep(20)
    seen = []
    ready.port.stream("pump", seen.append)
    await asyncio.sleep(1)
    ready.port.keep_alives = False
    for value in (True, False, True):
        await ready.write("pump", value)
        await asyncio.sleep(3)
    assert seen == [False, True, False, True]
    ready.port.answer_keep_alives()
    await asyncio.sleep(30)
    assert seen == [False, True, False, True]


async def test_the_example_that_returns_sum_and_product(device, ready):
    answer = await ready.ask("POST", "io", b'{"in": {"value1": 20, "value2": 10}}')
    assert (answer.status, answer.json()) == (200, {"out": {"sum": 30, "mult": 200}})
    for text in ("1", "null", "[]", '"x"', "{}", '{"value1": 1}', '{"value1": 1, "value2": "x"}', "true",
                 '{"value1": [], "value2": {}}', '{"value1": null, "value2": 1}'):  # fmt: skip
        assert (await ready.ask("POST", "io", ('{"in": %s}' % text).encode())).status == 400, text
    assert await ready.shown("io") == {"in": {"value1": 0, "value2": 0}, "out": {"sum": 0, "mult": 0}}
    assert (await ready.ask("GET", "io")).status == 200


@pytest.mark.button
async def test_a_press_is_sent_to_the_dashboard(device, ready):
    seen, status = [], []
    ready.port.stream("pump", seen.append)
    ready.port.stream("status", status.append)
    await asyncio.sleep(1)
    device.press()
    await device.until(lambda: seen[-1] is True and status[-1]["outputs"]["pump"]["on"] is True, 5)
    await ready.write("pump", False)
    await device.until(lambda: seen[-1] is False, 5)
    assert [value for value, _ in itertools.groupby(seen)] == [False, True, False]


async def test_data_on_a_stream_switches_and_is_echoed(device, ready):
    seen = []
    number = ready.port.stream("pump", seen.append)
    await asyncio.sleep(1)
    ready.port.send("STREAM_DATA", sid=number, payload=True)
    await device.until(lambda: device.on("pump") and seen[-1] is True, 5)
    ready.port.send("STREAM_DATA", sid=number, payload="nonsense")
    before = len(seen)
    await device.until(lambda: len(seen) > before, 5)
    assert seen[-1] is True and device.on("pump")


async def test_a_bucket_gets_its_samples(device, ready):
    seen = []
    ready.port.stream("room", seen.append, 60000)
    await asyncio.sleep(3600)
    assert 60 <= len(seen) <= 62
    assert all(isinstance(value, float) for value in seen)


async def test_an_hour_without_events_needs_one_connection(device, ready):
    await asyncio.sleep(3600)
    assert device.online and device.net.dials == 1
    assert len(device.thinger.named("login")) == 1


async def test_silence_beyond_the_limit_is_safe_state_and_nothing_comes_back_by_itself(device, ready):
    await ready.write("pump", True)
    await ready.write("heater", 30)
    device.net.silent = True
    took = await device.until(lambda: not device.on("pump"), 400)
    assert 240 <= took <= 301
    device.net.silent = False
    await device.until(lambda: device.online, 120)
    await asyncio.sleep(60)
    assert not device.on("pump")
    assert (await ready.read("status"))["outputs"]["pump"]["target"] is None
    assert await ready.write("pump", True) == 200


async def test_readings_do_not_hide_a_silent_cloud(device, ready):
    """Reports without an answer do not count as contact: the sensors go on, and `silence_s` runs."""
    await ready.write("pump", True)
    ready.port.silent = True
    device.thinger.running = False
    took = await device.until(lambda: not device.on("pump"), 400)
    assert 240 <= took <= 301


async def test_an_outage_is_retried_every_5_to_60_s(device, ready):
    device.thinger.running = False
    device.net.cut()
    dials, loop = [], asyncio.get_running_loop()
    device.net.on_dial = lambda _: dials.append(loop.time())
    await asyncio.sleep(1800)
    gaps = [b - a for a, b in itertools.pairwise(dials)]
    assert min(gaps) >= 5 and max(gaps) <= 61 and max(gaps) > 30
    device.thinger.running = True
    await device.until(lambda: device.online, 65)


async def test_a_refused_login_leads_to_safe_state_and_rare_retries(device, ready):
    await ready.write("pump", True)
    device.thinger.devices[THINGER_USER, THINGER_DEVICE].credential = "another-secret-not-real"
    device.net.cut()
    await device.until(lambda: device.app.state() == "unauthorized", 30)
    await device.until(lambda: not device.on("pump"), 1)
    tries = len(device.thinger.named("login_refused"))
    await asyncio.sleep(295)
    assert len(device.thinger.named("login_refused")) == tries == 1
    await asyncio.sleep(1800)
    assert 3 <= len(device.thinger.named("login_refused")) <= 8
    device.thinger.devices[THINGER_USER, THINGER_DEVICE].credential = THINGER_CREDENTIAL
    await device.until(lambda: device.online, 950)


@pytest.mark.parametrize("name", ["restart", "reset"])
async def test_restart_is_answered_and_leaves_safe_outputs(device, ready, name):
    await ready.write("pump", True)
    resets = device.board.resets
    assert (await ready.ask("GET", name)).status == 200
    await device.until(lambda: device.board.resets == resets + 1, 5)
    assert not ready.port, "it said goodbye"
    await device.until(lambda: device.online, 60)
    assert device.board.resets == resets + 1


@pytest.mark.parametrize("bad", [
    b"\x00\x00", b"\xff\xff\xff\xff\xff\xff", b"\x06\x04\x08\x42\x19\x28", frame("DISCONNECT"), b"HTTP/1.1 400",
])  # fmt: skip
async def test_a_malformed_frame_ends_the_connection_and_it_reconnects(device, ready, bad):
    await ready.write("pump", True)
    ready.port._send(bad)
    await device.until(lambda: len(device.thinger.named("login")) == 2, 30)
    await device.until(lambda: device.online, 30)
    assert device.on("pump")


async def test_many_callers_at_once(device, ready):
    device.app.controller.outputs[0].cfg["min_off_s"] = 60
    await ready.write("pump", True)
    await ready.write("pump", False)
    asked = [asyncio.ensure_future(ready.write("pump", True)) for _ in range(30)]
    outcomes = await asyncio.gather(*asked)
    assert set(outcomes) <= {409, 503} and 409 in outcomes
    assert not device.on("pump")
