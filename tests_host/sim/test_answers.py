"""Section 8.3 of the protocol page row by row, and every way an HTTP answer can be broken."""

import asyncio

import pytest

from netio.errors import NetError
from tests_host.sim.conftest import pump, pump_on, quiet
from tools.cloud.model import Command, Plan
from tools.sim.sim_device import DEVICE_ID

KEPT = [
    "status=429 retry_after=40", "status=503", "status=500", "status=502", "status=504", "status=421", "drop",
    "hang", "cut=20", "cut=-3", "badjson", "badjson=deep", "badjson=null", "badjson=list", "oversized=200000",
    "endless", "endless=headers", "huge_headers", "slow=1", "redirect=https://elsewhere.test/", "empty", "delay=40",
]  # fmt: skip
LOST = ["status=400", "status=404", "status=413", "status=415", "status=422", "status=418"]
costly = pytest.mark.gate(
    "drop", "hang", "cut", "badjson", "oversized", "endless", "huge_headers", "redirect", "empty"
)
HARMLESS = ["chunked", "chunked=1", "extra_1xx", "close", "slow=400", "delay=3", "content_type=text/html"]


async def _both_faulty(device, fault, times=""):
    device.faults.add(f"feed-data {fault} {times}")
    device.faults.add(f"batches {fault} {times}")


@costly
@pytest.mark.gate("delay")
@pytest.mark.parametrize("fault", KEPT)
async def test_no_report_is_lost_while_reports_fail(device, fault):
    await quiet(device)
    await _both_faulty(device, fault)
    await pump(device, 1, 60)
    await asyncio.sleep(240)
    device.faults.clear()
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 700)
    await device.until(lambda: len(device.app.controller.outbox) <= 1, 120)
    assert not device.model.named("feed_conflict")


@pytest.mark.parametrize("outage_s", [0, 600])
async def test_a_batch_is_split_when_memory_is_short(device, outage_s):
    """Where each request of more than some reports finds no memory, on whatever connection and with whatever code."""
    await quiet(device)
    if outage_s:  # after it the link has failed often, which has nothing to do with memory
        device.faults.add("any drop")
        await asyncio.sleep(outage_s)
        device.faults.clear()
    await pump(device, 1, 60)
    refused, switched = [], len(device.history.of("relay"))

    def with_little_room(up, data):
        if up and len(data) > 1600:
            refused.append(len(data))
            raise MemoryError

    device.net.on_bytes = with_little_room
    stored = len(device.feed())
    for value in range(16):
        device.app.controller.outbox.post("sensor", 1, float(value))
    await device.until(lambda: not len(device.app.controller.outbox), 300)
    assert refused and len(device.feed()) >= stored + 16
    assert len(device.history.of("relay")) == switched, "a link that fails is no reason to switch anything"


@pytest.mark.parametrize("fault", LOST)
async def test_a_permanently_refused_item_does_not_block_the_others(device, fault):
    await quiet(device)
    await _both_faulty(device, fault)
    await pump(device, 1, 60)
    refused = device.app.controller.outbox.batch(1)[0].message_id
    await device.until(
        lambda: refused not in [r.message_id for r in device.app.controller.outbox.batch(99)], 90
    )
    device.faults.clear()
    await pump(device, 0, 30)
    await device.until(
        lambda: (
            device.model.reported(DEVICE_ID, "6") == "0.0" and device.feed("command")[-1]["value"] == "0.0"
        ),
        60,
    )
    assert refused not in [f["message_id"] for f in device.feed()]


@pytest.mark.parametrize("fault", HARMLESS)
async def test_legal_but_unusual_answers_are_understood(device, fault):
    device.faults.add(f"any {fault}")
    await device.until(lambda: device.online, 120)
    await pump(device, 1, 60)
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 120)


@costly
@pytest.mark.parametrize("fault", [f for f in KEPT if f != "delay=40"])
async def test_catalog_errors_keep_the_outputs_until_they_end(device, fault):
    await pump_on(device)
    device.faults.add(f"commands {fault}")
    await asyncio.sleep(120)
    assert device.on("pump"), "trouble of the server is no reason to switch before silence_s has passed"
    device.faults.clear()
    await pump(device, 0, 700)


async def test_a_conflict_is_never_resent_and_the_state_is_reported_again(device):
    await quiet(device)
    await pump(device, 1, 15)
    device.faults.add("feed-data status=409 times=1")
    device.faults.add("batches status=409 times=1")
    await device.until(lambda: device.model.reported(DEVICE_ID, "6") == "1.0", 60)


@pytest.mark.gate
async def test_429_lengthens_the_interval_for_a_while(device):
    await quiet(device)
    device.faults.add("commands status=429 times=3")
    limiter = device.app.link.http.limiter
    await device.until(lambda: limiter.gap_ms() == 40_000, 200)
    await device.until(lambda: limiter.gap_ms() == 5000, 400)
    assert device.online


async def test_a_rate_limit_for_the_sensors_is_waited_out_with_an_open_link(device):
    device.faults.add("sensors status=429 times=2")
    await pump(device, 1, 120)
    assert len(device.model.named("fault")) == 2
    assert len(device.history.of("open")) == 1


@pytest.mark.thorough
async def test_a_strict_plan_is_never_exceeded(device):
    device.model.plan = Plan(min_interval_s=5.0, token_s=600, renew_s=450)
    await device.until(lambda: device.online, 60)
    for hour in range(2):
        device.want("6", hour % 2)
        device.want("9", 18 + hour)
        await asyncio.sleep(3600)
    assert not device.model.named("cadence_exceeded")
    assert len(device.feed("sensor")) > 10


@pytest.mark.parametrize("status", [400, 404, 409, 413, 415, 422])
async def test_batches_come_back_after_a_few_good_answers_whatever_429_says(device, status):
    await quiet(device)
    device.faults.add(f"batches status={status} times=1")
    device.faults.add("commands status=429 skip=3 times=1")
    post = device.app.controller.outbox.post
    start, limiter = device.wall(), device.app.link.http.limiter
    while limiter.most != 20 or not device.model.named("fault"):
        for value in range(4):
            post("sensor", 1, 20.0 + value)
        await asyncio.sleep(10)
        assert device.wall() - start < 120
    assert len([event for event in device.model.named("fault") if "batches" in event["fault"]]) == 1


async def test_413_halves_the_batch_until_it_fits(device):
    device.model.plan = Plan(max_body_bytes=400)
    await device.until(lambda: len(device.feed()) >= 6, 200)
    await device.until(lambda: len(device.app.controller.outbox) <= 2, 300)


@pytest.mark.parametrize(
    "value", ["", "nan", "inf", "1e3", "0.5", "2", "-1", "on", "1.0.0", " 1", "9" * 30, "𝟙"]
)
async def test_an_invalid_desired_value_is_answered_with_the_present_value(device, value):
    await quiet(device)
    count = len(device.feed("command"))
    device.want("6", value, raw=True)
    await asyncio.sleep(60)
    assert not device.on("pump")
    new = device.feed("command")[count:]
    assert [f["value"] for f in new if f["command_id"] == 1] == ["0.0"], "reported once, not at every poll"
    await pump(device, 1, 30)


@pytest.mark.parametrize("value", ["4.5", "35.5", "18.25", "hot"])
async def test_a_setpoint_outside_range_or_step_is_refused(device, value):
    await quiet(device)
    device.want("9", value, raw=True)
    await asyncio.sleep(30)
    assert device.app.controller.outputs[1].target == 18.5


async def test_a_vanished_command_leaves_its_output_safe_and_a_new_one_is_found(device):
    await pump_on(device)
    device.model.remove_command(DEVICE_ID, 1)
    await device.until(lambda: not device.on("pump"), 30)
    device.model.put_command(DEVICE_ID, Command(77, "6", value="1.0"))
    await device.until(lambda: device.on("pump"), 30)
    await device.until(lambda: any(f["command_id"] == 77 for f in device.feed("command")), 60)


async def test_items_the_device_cannot_serve_are_ignored(device):
    device.model.put_command(DEVICE_ID, Command(3, "99"))
    device.model.put_command(DEVICE_ID, Command(4, "6", kind="motor"))
    device.model.put_command(DEVICE_ID, Command(5, "9", error={"type": "unsupported"}))
    await device.until(lambda: device.online, 60)
    device.want("9", 25)
    await device.until(lambda: device.on("heater"), 30)
    await asyncio.sleep(30)
    assert {f["command_id"] for f in device.feed("command")} <= {1, 2}


async def test_two_commands_on_one_port_are_both_refused(device):
    device.model.put_command(DEVICE_ID, Command(8, "6", value="1.0"))
    device.want("6", 1)
    await device.until(lambda: device.online, 60)
    await asyncio.sleep(60)
    assert not device.on("pump")


def _polls(device):
    """Whether each poll was answered with 304, from now on."""
    statuses = []

    def noted(up, data):
        if not up and b"\r\nETag: " in data:
            statuses.append(data.startswith(b"HTTP/1.1 304 "))

    device.net.on_bytes = noted
    return statuses


async def test_what_has_not_changed_is_not_read_again(device):
    device.model.served.etags = True
    await quiet(device)
    statuses = _polls(device)
    await asyncio.sleep(60)
    assert len(statuses) > 3 and all(statuses)
    await pump(device, 1, 15)
    await asyncio.sleep(30)
    assert statuses.count(False) == 1 and statuses[-1]
    device.model.put_command(DEVICE_ID, Command(3, "99"))
    await device.until(lambda: statuses.count(False) == 2, 15)
    await device.until(lambda: any(row.id == 3 for row in device.app.link.catalog.commands), 15)


async def test_after_safe_state_an_unchanged_value_counts_again_whatever_the_etag(device):
    device.model.served.etags = True
    await quiet(device)
    device.want("9", 25)
    await device.until(lambda: device.model.reported(DEVICE_ID, "9") == "25.0", 30)
    await device.until(lambda: device.on("heater"), 30)
    statuses = _polls(device)
    device.app.controller.safety.faults.add("test")  # no fault of the link, which stays open
    await device.until(lambda: not device.on("heater"), 5)
    device.app.controller.safety.faults.clear()
    await device.until(lambda: device.on("heater"), 60)
    assert statuses and all(statuses)


@pytest.mark.parametrize("fault", ["status=500", "badjson", "cut=-3", "drop"])
async def test_an_answer_that_was_of_no_use_leaves_no_etag(device, fault):
    device.model.served.etags = True
    await quiet(device)
    device.want("6", 1)
    device.faults.add(f"commands {fault} times=1")
    await device.until(lambda: device.on("pump"), 60)


PEERS = [
    "http10", "twice", "gzip", "huge_headers=7000", "chunked=999", "extra_1xx=3", "content_type=text/plain",
]  # fmt: skip


@pytest.mark.parametrize("peer", PEERS)
async def test_unusual_but_valid_responses_are_understood(device, peer):
    """Whatever it answers to: the token, catalogs, reports."""
    device.faults.add(f"any {peer}")
    await device.until(lambda: device.online, 30)
    await pump(device, 1, 15)
    await device.until(lambda: device.model.reported(DEVICE_ID, 1) == "1.0", 30)
    await asyncio.sleep(60)
    assert device.online


@pytest.mark.parametrize("peer", ["gzip=always", "http10 cut=-5", "badjson=half http10"])
async def test_an_untrusted_certificate_is_refused_and_tried_again(device, peer):
    await device.until(lambda: device.online, 30)
    fault = device.faults.add(f"commands {peer}")
    device.want("6", 1)
    await asyncio.sleep(120)
    assert not device.on("pump") and not device.online
    assert len(device.model.named("fault")) > 3
    device.faults.remove(fault)
    await device.until(lambda: device.on("pump"), 320)


@pytest.mark.gate
async def test_an_unreachable_cloud_is_not_reported_as_a_refusal(device):
    device.net.refuse = NetError("connect", "ECONNREFUSED")
    await asyncio.sleep(60)
    assert device.app.state() == "no_cloud"
    device.net.refuse = None
    device.faults.add("token status=401")
    await device.until(lambda: device.app.state() == "unauthorized", 320)
    device.net.refuse = NetError("connect", "ECONNREFUSED")
    await asyncio.sleep(1000)
    assert device.app.state() == "unauthorized", "the last thing it said"
    device.net.refuse = None
    device.faults.clear()
    await device.until(lambda: device.online, 1000)
    device.model.expire_tokens(DEVICE_ID, device.wall())
    device.net.refuse = NetError("connect", "ECONNREFUSED")
    device.net.cut()
    await device.until(lambda: not device.app.link.lease.held, 4000)
    assert device.app.state() == "no_cloud"
