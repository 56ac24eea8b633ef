"""A fleet in virtual time: the scenario of `realer fleet`, and what would show if devices did not keep apart."""

import asyncio

import pytest

from tools.checks import fleet as command
from tools.cloud.entities import Plan
from tools.cloud.fleet_record import Rate, Record, fleet_device
from tools.cloud.model import Model
from tools.sim.loop import VirtualLoop
from tools.sim.virtual_fleet import SimFleet, load_all

COUNT = 24


@pytest.fixture
def paced(monkeypatch):
    load_all()
    for module, name, value in command.PACE:
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def played(paced):
    """What the scenario says of each part, by its name, and whether all was well."""
    found = {}
    loop = VirtualLoop()

    async def play():
        async with SimFleet(loop, COUNT, per_s=command.PER_S) as fleet:
            story = command.Story(fleet, 1, lambda figures: found.update({figures["part"]: figures}))
            await story.play(0.5, False)
            return story.ok

    asyncio.set_event_loop(loop)
    found["ok"] = loop.run_until_complete(play())
    loop.close()
    return found


def test_all_come_back_apart_and_nothing_is_lost_or_doubled(virtual_loop, played):
    assert played["ok"]
    for part in ("start", "broker restart", "power"):
        assert played[part]["back"] == COUNT
    storm = played["broker restart"]
    # A restart loses the sessions: a connection, one over HTTPS for what was missed, and another one.
    assert COUNT <= storm["connections"] <= 4 * COUNT
    assert storm["peak_per_s"] <= storm["connections"] / 3, storm
    assert storm["all_back_s"] < 60
    end = played["end"]
    assert end["stored"] > COUNT
    assert (end["lost"], end["doubled"], end["not_reconciled"]) == (0, 0, 0)


async def test_all_come_back_with_fresh_tokens_and_do_what_was_asked_for_without(virtual_loop, paced):
    found = {}
    async with SimFleet(virtual_loop, 6, plan=Plan(token_s=900, renew_s=640)) as fleet:
        story = command.Story(fleet, 1, lambda figures: found.update({figures["part"]: figures}))
        await story.part("start", story.starts)
        await story.part("token service down", story.tokens_fail)
        await story.end()
        issued = [event["at"] - fleet.record.began for event in fleet.model.named("token_issued")]
    assert story.ok
    outage = found["token service down"]
    assert min(issued[6:]) >= 900 and len(issued) == 12
    assert outage["back"] == 6 and 0 < outage["all_back_s"] < 90


async def test_tokens_of_the_same_moment_are_renewed_apart(virtual_loop, paced):
    plan = Plan(token_s=900, renew_s=640)
    async with SimFleet(virtual_loop, 8, plan=plan) as fleet:
        await fleet.power_on()
        await fleet.sleep(700)
        issued = [event["at"] - fleet.record.began for event in fleet.model.named("token_issued")]
    asked, renewed = issued[:8], issued[8:]
    assert len(renewed) == 8
    assert max(asked) - min(asked) < 1
    assert 560 <= min(renewed) and max(renewed) < 660
    assert max(renewed) - min(renewed) > 20


def test_the_peak_is_that_of_the_worst_second():
    rate = Rate()
    for at, so_far in ((0.0, 0), (0.4, 5), (0.9, 9), (1.3, 20), (2.6, 21), (2.9, 24)):
        rate.count(at, so_far)
    assert rate.peak(0) == 20  # up to 1.3
    assert rate.peak(2) == 4
    assert (rate.total(0), rate.total(2)) == (24, 4)
    assert Rate().peak(0) == 0


def record():
    model = Model(seed=1)
    model.add_device(fleet_device(1))
    now = [1000.0]
    return model, Record(model, lambda: now[0]), now


def stored(model, message_id):
    model.event(0, "feed_stored", "1", message_id=message_id)


def test_a_missing_number_is_a_lost_event():
    model, kept, _ = record()
    for number in ("1", "2", "4", "a"):
        stored(model, f"1-deadbeef-{number}")
    assert (kept.stored(), kept.lost()) == (4, 6)
    stored(model, "2-deadbeef-1")  # another start counts anew
    assert (kept.stored(), kept.lost()) == (5, 6)


def test_two_answers_to_one_desired_state_are_one_too_many():
    model, kept, _ = record()
    for name in ("des_1", "des_2", "des_1"):
        model.event(0, "desired_answered", "1", desired_id=name)
    assert kept.doubled() == 1


def test_a_latency_lasts_from_the_desired_value_to_the_relay():
    model, kept, now = record()
    kept.ask("1")
    assert (model.desired(1, "6"), kept.waiting()) == ("1.0", 1)
    now[0] += 0.25
    kept.switched("1", True)
    assert (kept.latencies, kept.waiting()) == ([0.25], 0)
    kept.ask("1")
    kept.begin()
    kept.switched("1", False)
    assert kept.latencies == []  # it began earlier
    assert not kept.reconciled("1")  # nothing was reported
