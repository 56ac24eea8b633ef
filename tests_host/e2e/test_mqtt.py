"""The MQTT link on the real MicroPython against a real mosquitto over TLS: what has to survive renewals, brokers that
go and come, refusals, and impostors. An ordinary day, with its lapse, is told by test_smoke.py.
"""

import asyncio
import random

import pytest

from tools.cloud import mqtt_v1
from tools.cloud.entities import Plan
from tools.cloud.sessions import mqtt_client_id
from tools.fixture.system import DEVICE_ID, Stage
from tools.repository import ROOT

SOON = b"""
from firmware.core import transport_choice
Backoff = transport_choice.Backoff
transport_choice.Backoff = lambda base, cap, least=1000: Backoff(base // 10, cap, least // 10)
import device_main
"""
"""In place of main.py: the firmware, in a hurry to try MQTT again."""


def numbers(stage):
    """The numbers that the device gave its events, as far as the cloud has them, in order of arrival."""
    return [int(item["message_id"].rpartition("-")[2], 16) for item in stage.model.feed(stage.device_id)]


def complete(stage):
    """Whether everything the device told is stored, and once."""
    found = numbers(stage)
    return sorted(found) == list(range(1, len(found) + 1))


def wishes(stage, command_id):
    """desired_id of what was wanted of a command."""
    return [e["desired_id"] for e in stage.model.named("desired_set") if e["command_id"] == command_id]


def answers(stage):
    """{desired_id: report_status} of all that was answered."""
    return {e["desired_id"]: e["status"] for e in stage.model.named("desired_answered")}


def applied(stage):
    return {desired_id for desired_id, status in answers(stage).items() if status == "applied"}


async def switched(stage, on):
    at = stage.want("6", int(on))
    await stage.until(f"the pump is {on}", lambda: stage.switched("pump", on, at), 5)


@pytest.mark.long
async def test_renewal_in_the_middle_of_traffic_loses_nothing(any_interpreter):
    chance = random.Random(1)
    async with Stage(
        any_interpreter, transport="mqtt", plan=Plan(credential_s=60, credential_renew_s=4)
    ) as stage:
        await stage.online()
        asked = [10]

        def in_the_gap(event):
            if event["event"] == "mqtt_disconnected":
                asked.append(asked[-1] + 1)
                asyncio.get_running_loop().call_soon(stage.want, "9", asked[-1])

        stage.model.listeners.append(in_the_gap)
        for turn in range(40):
            await switched(stage, turn % 2 == 0)
            await asyncio.sleep(chance.uniform(0, 0.8))
        stage.model.listeners.remove(in_the_gap)
        assert len(stage.gaps_ms()) >= 3
        wanted = wishes(stage, 1)
        await stage.until("every desired state is answered", lambda: set(wanted) <= set(answers(stage)), 10)
        # After a renewal the catalog may have brought a value before the message that it came from; where the next one
        # was in the same packet, that message was superseded: stale (Realer API, section 14 row 29).
        assert wanted[-1] in applied(stage)
        assert {answers(stage)[name] for name in wanted} <= {"applied", "stale"}
        assert len(applied(stage) & set(wanted)) >= len(wanted) - len(stage.gaps_ms())
        await stage.until("the last setpoint", lambda: float(stage.reported("9")) == asked[-1], 10)
        await stage.until("every event is stored", lambda: complete(stage), 10)
    assert stage.model.violations == []


async def test_a_broker_that_restarts_is_joined_again(any_interpreter):
    async with Stage(any_interpreter, transport="mqtt") as stage:
        await stage.online()
        await switched(stage, True)
        changes = len(stage.pins)
        await stage.site.broker.restart()
        stage.want("9", 21)
        await stage.online()
        await stage.until("what was wanted meanwhile", lambda: stage.reported("9") == "21.0", 10)
        assert [pin for pin in stage.pins[changes:] if pin[0] == 16] == [], "the pump ran on"
        await switched(stage, False)
        await stage.until("every event is stored", lambda: complete(stage), 10)
    assert len(stage.model.named("credential_issued")) == 1
    assert stage.model.violations == []


@pytest.mark.long
async def test_polling_takes_over_and_gives_back_and_nobody_in_the_room_notices(roomiest):
    files = {"main.py": SOON, "device_main.py": (ROOT / "main.py").read_bytes()}
    async with Stage(roomiest, transport="auto", files=files) as stage:
        await stage.online()
        await switched(stage, True)
        changes = len(stage.pins)
        await stage.site.broker.down()
        polls = stage.polls()
        await stage.until("it polls", lambda: stage.polls() > polls + 2, 30)
        stage.want("9", 21)
        await stage.until("a wish over HTTPS", lambda: stage.reported("9") == "21.0", 10)
        await stage.site.broker.up()
        await stage.until("it is back on MQTT", stage.held, 60)
        await asyncio.sleep(1)
        assert [pin for pin in stage.pins[changes:] if pin[0] == 16] == [], "the pump ran on"
        await switched(stage, False)
        await stage.until("every event is stored", lambda: complete(stage), 10)
    assert stage.model.violations == []


@pytest.mark.parametrize("protocol", ["mqtt-3.1.1", "mqtt-5.0"])
async def test_a_retained_message_larger_than_the_device_can_hold_keeps_it_from_nothing(smallest, protocol):
    async with Stage(smallest, transport="mqtt", powered=False) as stage:
        stage.model.offer.protocol = protocol
        row = stage.model.store.device(str(DEVICE_ID))
        route = mqtt_v1.route_id(str(DEVICE_ID), "command", 1)
        topic = mqtt_v1.route_topic(mqtt_client_id(row["client_id"]), route, "desired")
        await stage.site.broker.leave(topic, bytes(10240))
        await stage.board.power_on()
        await stage.online()
        await switched(stage, True)
        # The broker sends it again to each session that subscribes.
        gaps = len(stage.gaps_ms())
        stage.kick()
        await stage.until("the next session", lambda: len(stage.gaps_ms()) > gaps, 15)
        await switched(stage, False)
        # And to one that is subscribed and acknowledges, once.
        await stage.site.broker.leave(topic, bytes(20000))
        await switched(stage, True)
        assert len(stage.gaps_ms()) == gaps + 1
        await stage.until("every event is stored", lambda: complete(stage), 10)
    assert len(stage.model.named("credential_issued")) == 1
    assert stage.model.violations == []


async def test_a_refused_tuple_is_replaced(any_interpreter):
    async with Stage(any_interpreter, transport="mqtt", powered=False) as stage:
        stage.site.faults.add("connect refused times=1")
        await stage.board.power_on()
        await stage.online(30)
        assert stage.model.named("mqtt_refused")
        issued = [event["username"] for event in stage.model.named("credential_issued")]
        assert len(issued) == 2
        assert [session["username"] for session in stage.model.sessions.values()] == issued[1:]


@pytest.mark.parametrize("kind", ["wrong_name", "unknown_ca"])
async def test_an_impostor_never_sees_a_password(smallest, kind):
    async with Stage(smallest, transport="mqtt", powered=False) as stage:
        await stage.site.broker.present(kind)
        await stage.board.power_on()
        refusals = lambda: [line for line in stage.lines if "MQTT: tls" in line]  # noqa: E731
        await stage.until("two attempts", lambda: len(refusals()) >= 2, 30)
        # A CONNECT would have been taken, or refused: the broker has heard none.
        assert stage.model.named("mqtt_connected") + stage.model.named("mqtt_refused") == []
        assert not stage.on("pump") and not stage.on("heater")
        await stage.site.broker.present("good")
        await stage.online(40)
    assert stage.model.violations == []
