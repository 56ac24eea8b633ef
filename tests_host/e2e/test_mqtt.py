"""The MQTT link on the real MicroPython against a real mosquitto over TLS: what has to survive renewals, brokers that
go and come, refusals, and impostors. The common scenario, with a loss of authorization, is in test_smoke.py.
"""

import asyncio
import random
from functools import partial

import pytest

from tests_host.support import cloud_at
from tools.cloud import mqtt_v1
from tools.cloud.entities import Plan
from tools.cloud.sessions import mqtt_client_id
from tools.fixture.system import DEVICE_ID, SystemFixture
from tools.repository import ROOT

SOON = b"""
from firmware.core import transport_choice
Backoff = transport_choice.Backoff
transport_choice.Backoff = lambda base, cap, least=1000: Backoff(base // 10, cap, least // 10)
import device_main
"""
"""In place of main.py: the firmware, in a hurry to try MQTT again."""


def numbers(fixture):
    """The numbers that the device gave its events, as far as the cloud has them, in order of arrival."""
    return [int(item["message_id"].rpartition("-")[2], 16) for item in fixture.model.feed(fixture.device_id)]


def complete(fixture):
    """Whether everything the device reported is stored, and once."""
    found = numbers(fixture)
    return sorted(found) == list(range(1, len(found) + 1))


def desired_states(fixture, command_id):
    """desired_id of a command's desired states."""
    return [e["desired_id"] for e in fixture.model.named("desired_set") if e["command_id"] == command_id]


def answers(fixture):
    """{desired_id: report_status} of all that was answered."""
    return {e["desired_id"]: e["status"] for e in fixture.model.named("desired_answered")}


def applied(fixture):
    return {desired_id for desired_id, status in answers(fixture).items() if status == "applied"}


async def switched(fixture, on):
    at = fixture.want("6", int(on))
    await fixture.until(f"the pump is {on}", lambda: fixture.switched("pump", on, at), 5)


@pytest.fixture(params=["mosquitto", *cloud_at.KINDS])
def broker(request, tmp_path):
    """Arguments of SystemFixture for a cloud at that broker."""
    if request.param == "mosquitto":
        return {}
    # Slow: an ejabberd takes long to start, and no more may happen meanwhile than an outbox holds.
    return {"make_broker": partial(cloud_at.CloudBroker, request.param, tmp_path), "time_scale": 5.0}


@pytest.mark.gate
@pytest.mark.thorough("64bit", "32bit-aedes")
@pytest.mark.long
@pytest.mark.parametrize(
    "broker", ["mosquitto", "aedes"], indirect=True
)  # ejabberd keeps no session over a renewal
async def test_renewal_in_the_middle_of_traffic_loses_nothing(any_interpreter, broker):
    chance = random.Random(1)
    async with SystemFixture(
        any_interpreter, transport="mqtt", plan=Plan(credential_s=60, credential_renew_s=4), **broker
    ) as fixture:
        await fixture.online()
        asked = [10]

        def in_the_gap(event):
            if event["event"] == "mqtt_disconnected":
                asked.append(asked[-1] + 1)
                asyncio.get_running_loop().call_soon(fixture.want, "9", asked[-1])

        fixture.model.listeners.append(in_the_gap)
        for turn in range(40):
            await switched(fixture, turn % 2 == 0)
            await asyncio.sleep(chance.uniform(0, 0.8))
        fixture.model.listeners.remove(in_the_gap)
        assert len(fixture.gaps_ms()) >= 3
        desired = desired_states(fixture, 1)
        await fixture.until(
            "every desired state is answered", lambda: set(desired) <= set(answers(fixture)), 10
        )
        # After a renewal the catalog may have brought a value before the message that it came from; where the next one
        # was in the same packet, that message was superseded: stale (docs/protocol.md, assumption 29).
        assert desired[-1] in applied(fixture)
        assert {answers(fixture)[name] for name in desired} <= {"applied", "stale"}
        assert len(applied(fixture) & set(desired)) >= len(desired) - len(fixture.gaps_ms())
        await fixture.until("the last setpoint", lambda: float(fixture.reported("9")) == asked[-1], 10)
        await fixture.until("every event is stored", lambda: complete(fixture), 10)
    assert fixture.model.violations == []


@pytest.mark.gate("64bit")
@pytest.mark.thorough(*[f"{bits}bit-{kind}" for bits in (32, 64) for kind in cloud_at.KINDS])
async def test_the_device_reconnects_to_a_restarted_broker(any_interpreter, broker):
    async with SystemFixture(any_interpreter, transport="mqtt", **broker) as fixture:
        await fixture.online()
        await switched(fixture, True)
        changes = len(fixture.pins)
        await fixture.site.broker.restart()
        fixture.want("9", 21)
        await fixture.until("the desired state of meanwhile", lambda: fixture.reported("9") == "21.0", 40)
        await fixture.online()
        assert [pin for pin in fixture.pins[changes:] if pin[0] == 16] == [], "the pump ran on"
        await switched(fixture, False)
        await fixture.until("every event is stored", lambda: complete(fixture), 10)
    assert len(fixture.model.named("credential_issued")) == 1
    assert fixture.model.violations == []


@pytest.mark.thorough
@pytest.mark.parametrize("broker", cloud_at.KINDS, indirect=True)
async def test_what_comes_between_two_connections_is_kept_by_any_broker(smallest, broker):
    async with SystemFixture(smallest, transport="mqtt", **broker) as fixture:
        await fixture.online()
        await switched(fixture, True)
        polls, sessions = fixture.polls(), len(fixture.model.named("mqtt_connected"))
        fixture.kick()
        fixture.want("6", 0)
        await fixture.until("the desired state of meanwhile", lambda: not fixture.on("pump"), 30)
        assert len(fixture.model.named("mqtt_connected")) == sessions + 1
        assert fixture.polls() == polls, "nothing was missed"
        await fixture.until("every event is stored", lambda: complete(fixture), 10)
    assert fixture.model.violations == []


@pytest.mark.gate
@pytest.mark.long
async def test_polling_takes_over_and_hands_back_without_switching_an_output(roomiest):
    files = {"main.py": SOON, "device_main.py": (ROOT / "main.py").read_bytes()}
    async with SystemFixture(roomiest, transport="auto", files=files) as fixture:
        await fixture.online()
        await switched(fixture, True)
        changes = len(fixture.pins)
        await fixture.site.broker.down()
        polls = fixture.polls()
        await fixture.until("it polls", lambda: fixture.polls() > polls + 2, 60)
        fixture.want("9", 21)
        await fixture.until("a desired value over HTTPS", lambda: fixture.reported("9") == "21.0", 30)
        await fixture.site.broker.up()
        await fixture.until("it is back on MQTT", fixture.held, 60)
        await asyncio.sleep(1)
        assert [pin for pin in fixture.pins[changes:] if pin[0] == 16] == [], "the pump ran on"
        await switched(fixture, False)
        await fixture.until("every event is stored", lambda: complete(fixture), 10)
    assert fixture.model.violations == []


@pytest.mark.gate("mqtt-3.1.1")
@pytest.mark.parametrize("protocol", ["mqtt-3.1.1", "mqtt-5.0"])
async def test_a_retained_message_larger_than_the_buffer_disturbs_nothing(smallest, protocol):
    async with SystemFixture(smallest, transport="mqtt", powered=False) as fixture:
        fixture.model.offer.protocol = protocol
        device = fixture.model.device(DEVICE_ID)
        route = mqtt_v1.route_id(str(DEVICE_ID), "command", 1)
        topic = mqtt_v1.route_topic(mqtt_client_id(device.client_id), route, "desired")
        await fixture.site.broker.leave(topic, bytes(10240))
        await fixture.board.power_on()
        await fixture.online()
        await switched(fixture, True)
        # The broker sends it again to each session that subscribes.
        gaps = len(fixture.gaps_ms())
        fixture.kick()
        await fixture.until("the next session", lambda: len(fixture.gaps_ms()) > gaps, 30)
        await switched(fixture, False)
        # And to one that is subscribed and acknowledges, once.
        await fixture.site.broker.leave(topic, bytes(20000))
        await switched(fixture, True)
        assert len(fixture.gaps_ms()) == gaps + 1
        await fixture.until("every event is stored", lambda: complete(fixture), 10)
    assert len(fixture.model.named("credential_issued")) == 1
    assert fixture.model.violations == []


@pytest.mark.gate
@pytest.mark.parametrize("kind", ["wrong_name", "unknown_ca"])
async def test_an_impostor_never_sees_a_password(smallest, kind):
    async with SystemFixture(smallest, transport="mqtt", powered=False) as fixture:
        await fixture.site.broker.present(kind)
        await fixture.board.power_on()
        await fixture.until("two attempts", lambda: fixture.site.broker.dialed >= 2, 30)
        await asyncio.sleep(1)  # for what may come of the second
        # A CONNECT would have been taken, or refused: the broker has received none.
        assert fixture.model.named("mqtt_connected") + fixture.model.named("mqtt_refused") == []
        assert not fixture.on("pump") and not fixture.on("heater")
        await fixture.site.broker.present("good")
        await fixture.online(40)
    assert fixture.model.violations == []
