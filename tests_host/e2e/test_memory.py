"""What a heap the size of a chip's holds: no growth while things go wrong, and a way on where it is short."""

import asyncio
import json
import random
import time
from functools import partial

import pytest

from tools.checks import cycles, figures_memory
from tools.cloud.demo_device import demo_device
from tools.cloud.entities import Command, Plan, Sensor, Served
from tools.fixture.system import SystemFixture
from tools.repository import ROOT

pytestmark = pytest.mark.gate

FILES = {
    "main.py": (ROOT / "tools/virtual_board/probes/heap_probe.py").read_bytes(),
    "device_main.py": (ROOT / "main.py").read_bytes(),
}


PENDING = 129
FAULTS = {
    "https": (
        "commands status=503 times=1", "any drop times=1", "commands badjson=half times=1", "any chunked times=3",
        SystemFixture.expire_token,
    ),
    "mqtt": (
        "desired copies times=2", "ack copies=3 times=3", "desired badjson=half times=1", "desired valid_s=0 times=1",
        SystemFixture.kick,
    ),
}  # fmt: skip
"""After these it goes on at once; `realer bench` has all the others."""


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.parametrize("transport", ["https", "mqtt"])
async def test_hundreds_of_cycles_with_faults_leave_the_heap_as_it_was(smallest, transport):
    faults, chance = FAULTS[transport], random.Random(1)
    async with SystemFixture(smallest, transport=transport, files=FILES, edit=cycles.calm) as fixture:
        await fixture.online()
        await cycles.wear(fixture, 10 * len(faults), faults, 10, chance)
        before = await cycles.at_rest(fixture)
        assert await cycles.wear(fixture, 40 * len(faults), faults, 40, chance) > 2
        after = await cycles.at_rest(fixture)
        assert after.used - before.used <= cycles.NOISE_BYTES, (before, after)
        assert fixture.board.boots == 1
    assert fixture.model.violations == []


@pytest.mark.thorough
@pytest.mark.long
@pytest.mark.parametrize(
    ("transport", "faults"), [("https", ("feed-data drop", "batches drop")), ("mqtt", ("ack lost",))]
)
async def test_a_full_outbox_leaves_when_the_cloud_is_back(smallest, transport, faults):
    async with SystemFixture(smallest, transport=transport, files=FILES) as fixture:
        await fixture.online()
        for fault in faults:
            fixture.site.faults.add(fault)
        for _ in range(60):
            if (await fixture.status())["outbox"][0] == 48:
                break
            await asyncio.sleep(1)
        else:
            pytest.fail("the outbox is not full")
        stored = len(numbers(fixture))
        fixture.site.faults.clear()
        # Over MQTT only acknowledgements were missing: there these are as many newer ones.
        await fixture.until("all of it is stored", lambda: len(numbers(fixture)) >= stored + 48, 60)
        assert fixture.board.boots == 1
    assert fixture.model.violations == []


def numbers(fixture):
    """The numbers that the device gave its events, as far as the cloud has them."""
    return {int(item["message_id"].rpartition("-")[2], 16) for item in fixture.model.named("feed_stored")}


OUTPUT_PINS = (4, 13, 14, 16, 17, 18, 19, 21, 5, 12, 15, 22, 23, 25, 26, 27)
SENSOR_PINS = tuple(range(32, 40))


def many(outputs, sensors):
    """What makes of the demo's configuration one with so many relays and sensors."""

    def edit(config):
        output, _ = config["outputs"]
        thermistor, light = [sensor | {"period_s": 10} for sensor in config["sensors"]]
        config |= {"buttons": [], "led": None}
        config["outputs"] = [
            output | {"pin_port": str(pin), "gpio": pin, "name": f"relay {pin}"} for pin in outputs
        ]
        config["sensors"] = [
            (light if pin % 2 else thermistor) | {"pin_port": str(pin), "gpio": pin, "name": f"sensor {pin}"}
            for pin in sensors
        ]

    return edit


def many_rows(outputs, sensors):
    """The device of that configuration, as the cloud knows it."""
    device = demo_device()
    device.commands = [Command(number, str(pin)) for number, pin in enumerate(outputs, 1)]
    device.sensors = [
        Sensor(number, str(pin), kind="ldr_sensor" if pin % 2 else "thermistor")
        for number, pin in enumerate(sensors, 1)
    ]
    return device


def follows(fixture, pin, on):
    return fixture.on(f"relay {pin}") == on and fixture.reported(str(pin)) == f"{on}.0"


@pytest.mark.thorough("stock-https-16")
@pytest.mark.parametrize(
    ("image", "transport", "relays", "sensors", "on_mqtt"),
    [
        ("stock", "https", 8, 4, False),
        ("stock", "auto", 4, 2, True),
        ("stock", "auto", 8, 4, False),
        ("stock", "https", 16, 8, False),
        ("own", "https", 16, 8, False),
    ],
)
async def test_more_relays_and_sensors_are_served(smallest, image, transport, relays, sensors, on_mqtt):
    """Beside eight and four MQTT has no room, so `auto` polls (docs/memory.md)."""
    pins = OUTPUT_PINS[:relays], SENSOR_PINS[:sensors]
    how = {"image": image, "transport": transport}
    async with SystemFixture(smallest, **how, edit=many(*pins), device=many_rows(*pins)) as fixture:
        await fixture.online(40)
        for on in (1, 0):
            for pin in pins[0]:
                fixture.want(str(pin), on)
            for pin in pins[0]:
                await fixture.until(f"relay {pin} is {on}", partial(follows, fixture, pin, on), 40)
        assert bool(fixture.model.named("mqtt_connected")) == on_mqtt
        assert fixture.memory()["heap_area"] <= 98_000, "the heap is bounded, however boot.py left it"
        assert fixture.board.boots == 1
    assert fixture.model.violations == []


@pytest.mark.thorough
@pytest.mark.long
async def test_an_outage_with_fifty_desired_states_waiting_in_the_broker_needs_no_third_area(smallest):
    async with SystemFixture(smallest, transport="mqtt") as fixture:
        await fixture.online(40)
        await figures_memory.outage(fixture)
        assert fixture.board.boots == 1
    assert fixture.model.violations == []


def busy(config):
    """Sensors that always have something new."""
    config["cloud"]["api"] = "bootstrap"
    for sensor in config["sensors"]:
        sensor |= {"period_s": 1, "deadband": 0}


@pytest.mark.thorough
@pytest.mark.long
async def test_hundreds_of_pending_states_a_full_outbox_and_a_large_catalog_are_worked_off(smallest):
    device = demo_device()
    device.commands += [Command(100 + n, str(100 + n)) for n in range(48)]
    device.sensors += [Sensor(100 + n, str(100 + n)) for n in range(48)]
    served, plan = Served(bootstrap=True, backlog=True), Plan(desired_s=3600)
    async with SystemFixture(smallest, edit=busy, served=served, plan=plan, device=device) as fixture:
        await fixture.online(40)
        for fault in ("feed-data drop", "batches drop"):
            fixture.site.faults.add(fault)
        full_at = time.monotonic() + 30
        await fixture.until("the outbox is full", lambda: time.monotonic() > full_at, 40)
        for number in range(PENDING):
            fixture.want("6", (number + 1) % 2)
        fixture.site.faults.clear()
        await fixture.until("the newest is done", lambda: fixture.on("pump"), 40)
        answers = lambda: fixture.model.named("desired_answered")  # noqa: E731
        await fixture.until("all are answered", lambda: len(answers()) >= PENDING, 240)
        assert fixture.on("pump") and fixture.board.boots == 1
        assert sorted({answer["status"] for answer in answers()}) == ["applied", "stale"]
    assert fixture.model.violations == []


@pytest.mark.thorough("2", "4")
@pytest.mark.parametrize("seed", [1, 2, 4])
async def test_allocation_that_fails_at_random_moments_ends_online(smallest, seed):
    events, device_main = [], FILES["device_main.py"]
    hog = (ROOT / "tools/virtual_board/probes/hog.py").read_bytes()
    job = json.dumps({"seed": seed, "times": 12}).encode()
    files = {"main.py": hog, "device_main.py": device_main, "hog.json": job}
    async with SystemFixture(smallest, files=files, on_event=events.append, third_area=True) as fixture:
        fixture.want("6", 1)
        over = lambda: "HOG 12" in fixture.lines or fixture.board.boots > 1  # noqa: E731
        await fixture.until("memory is left in peace", over, 60)
        await fixture.online(60)
        fixture.want("6", 0)
        await fixture.until(
            "the pump stops, and that is reported", lambda: fixture.reported("6") == "0.0", 20
        )
        assert not fixture.on("pump")
        if fixture.board.boots == 1:
            await fixture.until(
                "none is missing", lambda: numbers(fixture) == set(range(1, max(numbers(fixture)) + 1)), 20
            )
    # It never hung until the watchdog bit, nor did the interpreter end: a reset was its own.
    assert not [event for event in events if event[0] in ("wdt", "crash", "repl")]
    assert fixture.board.boots <= 2 and fixture.model.violations == []
