"""Which transport: what `auto` prefers, when it polls instead, how it comes back, and what never happens on the way."""

import asyncio

import pytest

from tests_host.sim.conftest import pump
from tests_host.sim.test_mqtt import PUMP, make, quiet  # noqa: F401 - `make` is a fixture
from tools.sim.sim_device import DEVICE_ID

pytestmark = pytest.mark.thorough("two_tls")


def sessions(device):
    return len(device.model.named("mqtt_connected"))


def polls(device, since=0.0):
    reads = device.model.named("catalog_read")
    return len([e for e in reads if e["resource"] == "commands" and e["at"] > since])


@pytest.fixture
def auto(make):  # noqa: F811
    device = make("auto")
    device.power_on()
    return device


async def on_mqtt(device):
    await device.until(lambda: device.online and device.app.link.account.on_mqtt, 90)


async def polling(device, within_s=240):
    await device.until(lambda: device.online and not device.app.link.account.on_mqtt, within_s)


async def test_with_mqtt_nothing_is_polled(auto):
    await on_mqtt(auto)
    before = polls(auto)
    await asyncio.sleep(1200)
    assert sessions(auto) == 3 - auto.most_tls and polls(auto) == before


@pytest.mark.thorough
@pytest.mark.parametrize("mqtt", [{"credentials": False}, {"url": ""}, {"protocol": "mqtt-7"}])
async def test_without_mqtt_it_polls_from_the_start(make, mqtt):  # noqa: F811
    device = make("auto")
    for name, value in mqtt.items():
        setattr(device.model.offer, name, value)
    device.power_on()
    await polling(device, 60)
    await pump(device, 1, 26)
    await asyncio.sleep(4000)
    assert not sessions(device) and device.online


async def test_a_cloud_without_the_mqtt_scopes_is_polled(make):  # noqa: F811
    device = make("auto")
    device.faults.add("token status=400 error=invalid_scope times=1")
    device.power_on()
    await polling(device, 60)
    await asyncio.sleep(600)
    assert device.online and not sessions(device)
    assert "mqtt" not in device.model.named("token_issued")[0]["scope"]


async def test_polling_replaces_mqtt_until_the_broker_returns(auto):
    await on_mqtt(auto)
    await pump(auto, 1, 2)
    auto.broker.down()
    await polling(auto)
    assert auto.wall() - auto.model.named("mqtt_disconnected")[-1]["at"] < 60
    for _ in range(600):
        await asyncio.sleep(1)
        assert auto.on("pump")
    auto.want("9", 21)
    await auto.until(lambda: auto.model.reported(DEVICE_ID, "9") == "21.0", 30)
    auto.broker.up()
    await auto.until(lambda: auto.app.link.account.on_mqtt, 1900)
    await quiet(auto)
    await pump(auto, 0, 2)
    assert auto.history.of("safe") == [True, False]
    assert auto.history.of("relay", "pump") == [False, True, False]


@pytest.mark.gate
async def test_what_changes_the_transport_is_not_in_memory_while_a_connection_is_made(auto):
    if auto.most_tls > 1:
        return  # there is room for both
    beside = []
    auto.net.on_dial = lambda host: beside.append((host, auto.app.link.changing))
    for _ in range(3):
        await on_mqtt(auto)
        await asyncio.sleep(4000)  # with a renewal
        auto.broker.down()
        await polling(auto)
        await asyncio.sleep(100)
        auto.broker.up()
        await auto.until(lambda: auto.app.link.account.on_mqtt, 1900)
    assert len({host for host, _ in beside}) == 2
    assert [each for each in beside if each[1]] == []


@pytest.mark.thorough
@pytest.mark.button
async def test_no_report_is_lost_on_the_way_there_and_back(auto):
    await on_mqtt(auto)
    for down in (True, False, True, False):
        (auto.broker.down if down else auto.broker.up)()
        for _ in range(20):
            auto.press()
            await asyncio.sleep(30)
    await auto.until(lambda: auto.app.link.account.on_mqtt, 1900)
    await quiet(auto)
    printed = [f["value"] for f in auto.feed("command") if f["command_id"] == PUMP]
    changes = [value for value, last in zip(printed, [None, *printed], strict=False) if value != last]
    assert len(changes) == 81, "the state at the start, and every press"


async def test_short_sessions_lead_to_polling(auto):
    await on_mqtt(auto)

    async def kick():
        while True:
            auto.model.kick(str(DEVICE_ID))
            await asyncio.sleep(2)

    kicking = asyncio.ensure_future(kick())
    await polling(auto)
    await pump(auto, 1, 30)
    kicking.cancel()
    await auto.until(lambda: auto.app.link.account.on_mqtt, 1900)


@pytest.mark.thorough
@pytest.mark.parametrize("fault", ["mqtt status=403", "mqtt-credentials status=403", "mqtt-credentials status=404",
                                   "mqtt-credentials status=422", "mqtt badjson=half", "connect refused"])  # fmt: skip
async def test_a_refusal_of_mqtt_only_keeps_the_lease_of_polling(auto, fault):
    auto.faults.add(fault)
    await polling(auto)
    await pump(auto, 1, 30)
    for _ in range(1000):
        await asyncio.sleep(3)
        assert auto.on("pump") and auto.app.link.lease.held
    auto.faults.clear()
    await auto.until(lambda: auto.app.link.account.on_mqtt, 1900)


async def test_refused_keys_end_the_lease_with_every_transport(auto):
    await on_mqtt(auto)
    await pump(auto, 1, 2)
    auto.model.set_keys(DEVICE_ID, False, auto.wall())
    await auto.until(lambda: not auto.on("pump"), 120)
    auto.model.set_keys(DEVICE_ID, True, auto.wall())
    await auto.until(lambda: auto.on("pump") and auto.app.link.account.on_mqtt, 2000)


async def test_a_subscription_that_ends_while_polling_and_one_that_ends_on_mqtt(auto):
    for broker in (auto.broker.up, auto.broker.down):
        broker()
        await asyncio.sleep(300)
        await pump(auto, 1, 30)
        auto.model.set_subscription(DEVICE_ID, False, auto.wall())
        assert await auto.until(lambda: not auto.on("pump"), 60) < 45
        auto.model.set_subscription(DEVICE_ID, True, auto.wall())
        await auto.until(lambda: auto.on("pump"), 400)


@pytest.mark.thorough
async def test_credentials_that_cannot_be_renewed_lead_to_polling_in_time(auto):
    await on_mqtt(auto)
    await pump(auto, 1, 2)
    auto.faults.add("mqtt-credentials status=503")
    await polling(auto, 3600)
    for _ in range(600):
        await asyncio.sleep(1)
        assert auto.on("pump")
    assert auto.online and auto.history.of("safe") == [True, False]


@pytest.mark.gate
async def test_beside_mqtt_there_is_at_most_one_short_connection(auto):
    await on_mqtt(auto)
    await asyncio.sleep(30)
    opened = {id(stream) for stream in auto.net.streams if not stream.closed}
    assert len(opened) == 1
    most = 0
    for _ in range(3000):
        await asyncio.sleep(1)
        most = max(most, len([stream for stream in auto.net.streams if not stream.closed]))
    assert most <= auto.most_tls and len([stream for stream in auto.net.streams if not stream.closed]) == 1


async def test_one_tls_connection_more_than_fits_is_a_violation_with_its_host(device):
    device.net.most_tls = 0
    await device.until(lambda: device.model.violations, 60)
    (found,) = {(each["method"], each["path"]) for each in device.model.violations}
    assert found == ("DIAL", "api.realer.test")
    device.model.violations.clear()
