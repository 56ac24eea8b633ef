"""A device of the legacy generation: both logins, subscription, plan, moved commands, reports without identity."""

import asyncio
import itertools
import json

import pytest

from tests_host.sim.conftest import change, pump_on
from tools.cloud.model import Command, Plan
from tools.sim.sim_device import DEVICE_ID


def _realino(config):
    config["cloud"]["api"] = "realino"


pytestmark = pytest.mark.config(edit=_realino)


async def test_switches_regulates_reports_and_renews(device):
    device.model.plan = Plan(token_s=600)
    await pump_on(device)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 30)
    device.want("9", 21.5)
    await device.until(lambda: device.model.reported(DEVICE_ID, "9") == "21.5", 30)
    await asyncio.sleep(2000)
    issued = [e["at"] for e in device.model.named("token_issued")]
    gaps = [b - a for a, b in itertools.pairwise(issued)]
    assert len(gaps) >= 4 and all(390 <= gap <= 470 for gap in gaps)  # up to an eighth before 75 % of 600 s
    assert device.on("pump") and not device.model.named("unauthorized")
    assert {item["sensor_id"] for item in device.feed("sensor")} == {1, 2}
    assert device.net.dials == 1


async def test_the_oldest_servers_get_the_keys_in_the_body(device):
    device.model.served.realino = ("body",)
    await pump_on(device)
    device.model.expire_tokens(DEVICE_ID, device.wall())
    before = len(device.model.named("token_issued"))
    requests = _count(device, "sessions.realino")
    await device.until(lambda: len(device.model.named("token_issued")) > before, 30)
    assert len(requests) == 1, "it is remembered which form was taken"
    await asyncio.sleep(60)
    device.model.served.realino = ("basic",)
    device.model.expire_tokens(DEVICE_ID, device.wall())
    await device.until(lambda: len(device.model.named("token_issued")) > before + 1, 60)
    assert device.on("pump")


def _count(device, name):
    """A list that grows with every request to a path of this ending."""
    found = []
    device.model.watchers.append(lambda request: request.path.endswith(name) and found.append(request))
    return found


def _logins(device):
    """(when, whether the keys were in the body) of every login."""
    requests = [event for event in device.history.events if event.kind == "request"]
    return [(e.at, bool(e.value.body)) for e in requests if e.value.path.endswith("sessions.realino")]


@pytest.mark.gate
@pytest.mark.parametrize("status", [400, 401, 422])
async def test_a_refused_login_keeps_its_form_unless_the_keys_were_missing(device, status):
    device.faults.add(f"token status={status} unseen=no")
    await asyncio.sleep(600)
    assert device.app.state() == "unauthorized"
    logins = _logins(device)
    assert 3 <= len(logins) <= 12 and not any(in_body for _, in_body in logins)
    device.faults.clear()
    await device.until(lambda: device.online, 950)


@pytest.mark.config(edit=lambda config: config["cloud"].update(poll_s=2))
async def test_the_other_form_of_login_follows_after_five_seconds(device):
    device.model.served.realino = ("body",)
    await device.until(lambda: device.online, 30)
    logins = _logins(device)
    assert [in_body for _, in_body in logins] == [False, True]
    assert logins[1][0] - logins[0][0] >= 5


@pytest.mark.gate
async def test_a_server_that_refuses_both_forms_is_tried_more_and_more_rarely(device):
    device.model.served.realino = ("none",)
    await asyncio.sleep(3600)
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(_logins(device))]
    assert min(gaps) >= 5 and len(gaps) < 30 and device.app.state() == "unauthorized"


def _in_a_hurry(config):
    config["cloud"]["poll_s"] = 2  # which leaves a second between two requests


@pytest.mark.gate
@pytest.mark.config(edit=_in_a_hurry)
@pytest.mark.parametrize("fault", ["status=503", "hang", "badjson"])
async def test_a_failed_login_is_retried_after_five_seconds_or_more(device, fault):
    device.faults.add(f"token {fault} unseen=no")
    await asyncio.sleep(1800)
    gaps = [b[0] - a[0] for a, b in itertools.pairwise(_logins(device))]
    assert min(gaps) >= 5 and max(gaps) > 60 and len(gaps) < 40


@pytest.mark.gate
async def test_an_inactive_subscription_is_found_at_the_login(device):
    device.model.set_subscription(DEVICE_ID, False, device.wall())
    polls = _count(device, "commands.realino")
    await asyncio.sleep(1800)
    assert device.app.state() == "unauthorized" and polls == []
    assert "subscription" in device.app.link.lease.reason
    assert 3 <= len(device.model.named("token_issued")) <= 40, "slow tries"
    device.model.set_subscription(DEVICE_ID, True, device.wall())
    await device.until(lambda: device.online, 950)


async def test_an_ended_subscription_is_found_by_a_poll(device):
    await pump_on(device)
    device.model.set_subscription(DEVICE_ID, False, device.wall())
    assert await device.until(lambda: not device.on("pump"), 15) <= 10.5
    device.model.set_subscription(DEVICE_ID, True, device.wall())
    await device.until(lambda: device.on("pump"), 950)


@pytest.mark.gate
async def test_a_generation_that_is_switched_off_leads_to_safe_state(device):
    await pump_on(device)
    device.model.served.realino = ()
    await device.until(lambda: not device.on("pump"), 20)
    assert device.app.state() == "unauthorized"


@pytest.mark.gate
@pytest.mark.parametrize("interval_s", [5, 8, 30])
async def test_the_plan_is_never_exceeded(device, interval_s):
    device.model.plan = Plan(min_interval_s=interval_s)
    await device.until(lambda: device.online, 120)
    device.want("6", 1)
    await device.until(lambda: device.on("pump"), 3 * interval_s + 15)
    await asyncio.sleep(1200)
    device.model.expire_tokens(DEVICE_ID, device.wall())
    await asyncio.sleep(600)
    assert device.on("pump") and not device.model.named("cadence_exceeded")


@pytest.mark.gate
async def test_a_small_byte_limit_of_the_plan_makes_smaller_feeds(device):
    device.model.plan = Plan(max_body_bytes=1000)
    feeds = _count(device, "feeds.realino")
    await pump_on(device)
    await asyncio.sleep(600)
    assert feeds and max(len(request.body) for request in feeds) <= 1000
    assert {item["sensor_id"] for item in device.feed("sensor")} == {1, 2}


@pytest.mark.gate
async def test_a_feed_is_split_when_memory_is_short(device):
    await pump_on(device)
    await device.until(lambda: not len(device.app.controller.outbox), 60)
    refused = []

    def with_little_room(up, data):
        if up and b"/feeds" in data and data.count(b"_id") > 3:
            refused.append(data)
            raise MemoryError

    device.net.on_bytes = with_little_room
    outbox = device.app.controller.outbox
    for value in range(4):
        for source, number in (("sensor", 1), ("command", 1), ("sensor", 2), ("command", 2)):
            outbox.post(source, number, float(value))
    await device.until(lambda: not len(outbox), 900)
    assert refused and device.model.reported(DEVICE_ID, "9") == "3.0"


async def test_after_an_outage_the_newest_report_stands_for_all(device):
    await pump_on(device)
    device.net.silent = True
    await asyncio.sleep(120)
    feeds = _count(device, "feeds.realino")
    device.net.silent = False
    await device.until(lambda: len(device.app.controller.outbox) == 0, 900)
    for request in feeds:
        items = json.loads(request.body)
        names = [i["sensor_id"] for i in items.get("sensors", [])]
        assert len(names) == len(set(names))


@pytest.mark.gate
async def test_a_lost_acknowledgement_causes_one_repetition(device):
    await pump_on(device)
    await device.until(lambda: len(device.app.controller.outbox) == 0, 60)
    device.faults.add("feed-data cut=0 times=2")
    device.want("6", 0)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "0.0", 60)
    await device.until(lambda: len(device.app.controller.outbox) == 0, 120)
    assert device.model.reported(DEVICE_ID, "6") == "0.0"


async def test_the_narrower_of_both_ranges_counts(device):
    change(device, 2, limits=(10, 20, 1))
    await device.until(lambda: device.online, 60)
    heater = device.app.controller.outputs[1]
    for desired, target in ((15, 15.0), (21, 15.0), (15.5, 15.0), (5, 15.0), (16, 16.0)):
        device.want("9", desired)
        await asyncio.sleep(25)
        assert heater.target == target, desired
        assert float(device.model.reported(DEVICE_ID, "9")) == target


@pytest.mark.gate
async def test_a_moved_command_is_bound_again_and_never_switches_its_old_port(device):
    await device.until(lambda: device.online, 60)
    device.faults.add("token status=503 times=2")
    change(device, 1, pin_port="9")
    device.want("9", 1)
    await asyncio.sleep(30)
    assert not device.on("pump")
    change(device, 1, pin_port="6")
    await device.until(lambda: device.on("pump"), 90)
    assert len(device.model.named("token_issued")) <= 4


@pytest.mark.gate
async def test_a_removed_sensor_does_not_block_the_others(device):
    await pump_on(device)
    await device.until(lambda: len(device.app.controller.outbox) == 0, 60)
    logins = len(device.model.named("token_issued"))
    device.model.remove_sensor(DEVICE_ID, 2)
    await asyncio.sleep(900)
    stored = len(device.feed("sensor"))
    await asyncio.sleep(600)
    assert len(device.feed("sensor")) > stored
    assert 1 <= len(device.model.named("token_issued")) - logins <= 3, (
        "its reports showed it; a login showed it"
    )


@pytest.mark.gate
async def test_a_contradictory_catalog_causes_few_logins(device):
    device.model.put_command(DEVICE_ID, Command(3, "12", error="broken"))
    await pump_on(device)
    await asyncio.sleep(1200)
    assert len(device.model.named("token_issued")) <= 2


@pytest.mark.gate
@pytest.mark.config(edit=lambda config: [sensor.update(deadband=0) for sensor in config["sensors"]])
@pytest.mark.parametrize(
    ("status", "first"),
    [(413, [2, 2, 2, 2, 2]), (422, [2, 1, 1, 1, 2])],  # half as many reports are of both sensors still
)
async def test_a_feed_that_was_refused_once_is_followed_by_small_ones_and_then_by_a_large_one(
    device, status, first
):
    await pump_on(device)
    await device.until(lambda: len(device.app.controller.outbox) == 0, 60)
    device.net.silent = True
    await asyncio.sleep(60)
    device.faults.add(f"feed-data status={status} times=1 unseen=no")
    feeds = _count(device, "feeds.realino")
    device.net.silent = False
    await device.until(lambda: len(device.app.controller.outbox) < 3, 900)
    sizes = [sum(map(len, json.loads(request.body).values())) for request in feeds]
    assert sizes[:5] == first
