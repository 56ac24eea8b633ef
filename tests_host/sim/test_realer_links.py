"""What links to the Realer API promise beyond the contract of all links (test_link_contract.py): the intervals of
requests, batches, tokens. MQTT's own stories are in test_mqtt.py.
"""

import asyncio
import itertools
import json
from dataclasses import replace

import pytest

from firmware.core import outcomes
from firmware.core.errors import AuthError, LinkError
from firmware.version import VERSION
from tests_host.support.linkbench import HELD, IOT_POLLING, POLLING, REST_S, RealerBench, named
from tools.cloud.demo_device import DEVICE_ID
from tools.cloud.model import Command, Model, Plan, Request, Response, Sensor
from tools.sim.sim_device import POWER_UP_UTC

pytestmark = [pytest.mark.gate, pytest.mark.thorough("realer-auto", "auto-", "bootstrap")]


@pytest.fixture(params=POLLING + HELD, ids=named)
def row(request):
    return request.param


polling = pytest.mark.parametrize("row", POLLING, indirect=True, ids=named)
"""For what only a link that asks can show: its poll interval, and what it receives with the next poll."""

with_batches = pytest.mark.parametrize("row", IOT_POLLING, indirect=True, ids=named)
"""For the links that post reports with identities in batches. Realino's have none: see test_realino.py."""

with_identities = pytest.mark.parametrize("row", IOT_POLLING + HELD, indirect=True, ids=named)


@pytest.fixture
def bench(virtual_loop, tmp_path, row):
    bench = RealerBench(virtual_loop, tmp_path, row)
    yield bench
    bench.close()
    bench.check()


async def test_open_returns_the_catalog_and_desired_values_follow_at_once(bench):
    catalog = await bench.link.open()
    assert catalog is bench.link.catalog
    assert [(c.id, c.kind, c.pin_port) for c in catalog.commands] == [(1, "relay", "6"), (2, "relay", "9")]
    assert [(s.id, s.kind) for s in catalog.sensors] == [(1, "thermistor"), (2, "ldr_sensor")]
    start = bench.loop.time()
    assert bench.by_port(await bench.link.next_desired()) == bench.desired
    assert bench.loop.time() == start
    bench.link.close()


async def test_every_request_has_the_user_agent(bench):
    agents = []
    bench.model.watchers.append(lambda request: agents.append(request.headers.get("user-agent")))
    assert await bench.work() is None
    await bench.link.shutdown()
    assert len(agents) >= 3 and set(agents) == {f"realer-firmware/{VERSION}"}


async def _pump(bench, seconds):
    """Both halves of a session at once."""

    async def listen():
        while True:
            await bench.link.next_desired()

    async def tell():
        while True:
            if await bench.link.most_reports():
                await bench.link.send([bench.report(), bench.report()])

    tasks = [asyncio.ensure_future(listen()), asyncio.ensure_future(tell())]
    done, _ = await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not done


@polling
async def test_polls_keep_their_interval_whatever_is_sent_between(bench, row):
    await bench.link.open()
    await _pump(bench, 120)
    polls = [e["at"] for e in bench.model.named("catalog_read") if e["resource"] == bench.poll]
    # Where the link asks now and then whether there is MQTT, that pushes one poll and takes the place of one report.
    extra = row[1] == "auto"
    assert len(polls) >= 12 - extra and len(bench.stored_at_once()) >= 11 - extra
    gaps = [later - earlier for earlier, later in itertools.pairwise(polls)]
    assert min(gaps) > 9.9 and sum(gap > 10.4 for gap in gaps) <= extra and max(gaps) < 15.4


@polling
async def test_requests_keep_the_gap_after_the_last_response(bench):
    await bench.link.open()
    bench.faults.add("any delay=2")
    await _pump(bench, 120)
    asked = [event["at"] for event in bench.model.named("fault")]
    assert len(asked) > 12 and all(later - earlier >= 2 + 5 for earlier, later in itertools.pairwise(asked))


@polling
async def test_a_long_rate_limit_is_waited_out_while_feeding(bench):
    bench.faults.add(f"{bench.poll} status=429 retry_after=900 times=1")
    await bench.link.open()
    assert bench.loop.time() > 900
    gaps = [later - earlier for earlier, later in itertools.pairwise(bench.signs)]
    assert len(gaps) >= 40 and max(gaps) <= REST_S
    assert len(bench.model.named("token_issued")) == 1 and bench.net.dials == 1


@polling
async def test_only_a_changed_catalog_is_a_new_object(bench):
    catalog = await bench.link.open()
    await bench.link.next_desired()
    bench.model.set_desired(DEVICE_ID, "6", 1, bench.wall())
    desired = await bench.link.next_desired()
    assert bench.link.catalog is catalog and bench.by_port(desired)["6"] == 1.0
    bench.model.put_command(DEVICE_ID, Command(3, "12"))
    assert len(await bench.link.next_desired()) == 3
    assert bench.link.catalog is not catalog and len(bench.link.catalog.commands) == 3


@polling
async def test_reports_of_a_removed_source_are_dropped_and_the_catalog_read_again(bench):
    catalog = await bench.link.open()
    await bench.link.next_desired()
    bench.model.remove_sensor(DEVICE_ID, 2)
    good, bad = bench.report(), bench.report(source_id=2, value="7.0")
    results = await bench.deliver_all([good, bad])
    assert results[good.message_id] == outcomes.OK and results[bad.message_id] != outcomes.OK
    await bench.link.next_desired()
    assert bench.link.catalog is not catalog and [s.id for s in bench.link.catalog.sensors] == [1]


@with_identities
async def test_duplicates_are_delivered_and_conflicts_distinguished(bench):
    await bench.link.open()
    first, second = bench.report(), bench.report()
    await bench.deliver([first, second])
    forged = bench.report(value="99.0", message_id=second.message_id)
    for batch in ([first, forged], [first], [forged]):
        expected = {first.message_id: outcomes.OK, forged.message_id: outcomes.CONFLICT}
        assert await bench.deliver(batch) == [(r.message_id, expected[r.message_id]) for r in batch]
    assert len(bench.model.feed(DEVICE_ID)) == 2


class WrongResults(Model):
    """A cloud that answers batches with `results`, whatever was sent."""

    results = None

    def handle(self, request: Request, now: float) -> Response:
        response = super().handle(request, now)
        if not request.path.endswith("/batches"):
            return response
        return replace(response, body=json.dumps({"code": 2000, "results": self.results}).encode())


WRONG_RESULTS = [
    None, 7, {}, [], [None], ["bench-1"], [{}], [{"message_id": 1, "status": "created"}],
    [{"message_id": ["bench-1"]}], [{"message_id": "ghost", "status": "created"}]]  # fmt: skip


@with_batches
@pytest.mark.parametrize("wrong_result", WRONG_RESULTS, ids=str)
async def test_unknown_results_deliver_nothing_and_reports_are_sent_singly(
    virtual_loop, tmp_path, row, wrong_result
):
    model = WrongResults(seed=1)
    model.results = wrong_result
    bench = RealerBench(virtual_loop, tmp_path, row, model)
    await bench.link.open()
    reports = [bench.report() for _ in range(3)]
    assert await bench.deliver_all(reports) == {r.message_id: outcomes.OK for r in reports}
    assert len(bench.model.named("feed_replayed")) == 3
    bench.link.close()
    bench.check()


@with_batches
async def test_results_are_returned_only_for_the_reports_sent(virtual_loop, tmp_path, row):
    model = WrongResults(seed=1)
    bench = RealerBench(virtual_loop, tmp_path, row, model)
    await bench.link.open()
    reports = [bench.report() for _ in range(3)]
    good = {"message_id": reports[1].message_id, "status": "created"}
    model.results = [
        {"message_id": "ghost", "status": "created"},
        good,
        good,
        {"message_id": "", "error": "conflict"},
    ]
    assert await bench.deliver(reports) == [(reports[1].message_id, outcomes.OK)]
    bench.link.close()
    bench.check()


@with_batches
async def test_a_batch_that_is_too_large_is_halved_until_it_fits_and_tried_again_later(
    virtual_loop, tmp_path, row
):
    bench = RealerBench(virtual_loop, tmp_path, row, Model(plan=Plan(max_batch=5), seed=1))
    await bench.link.open()
    await bench.deliver_all([bench.report() for _ in range(20)])
    assert bench.stored_at_once() == [5, 5, 5, 5]
    bench.model.plan = Plan()
    await bench.deliver_all([bench.report() for _ in range(40)])
    assert bench.stored_at_once() == [5, 5, 5, 5, 5, 5, 20, 10]
    bench.link.close()
    bench.check()


@with_batches
@pytest.mark.parametrize(("count", "endpoint"), [(1, "feed-data"), (3, "batches")])
async def test_a_rate_limit_only_delays_reports(bench, count, endpoint):
    await bench.link.open()
    bench.faults.add(f"{endpoint} status=429 times=1")
    reports = [bench.report() for _ in range(count)]
    assert set((await bench.deliver_all(reports)).values()) == {outcomes.OK}
    assert bench.stored_at_once() == [count] and bench.model.named("fault")


@with_identities
async def test_a_batch_of_the_longest_items_is_within_the_plan(bench):
    bench.model.put_sensor(DEVICE_ID, Sensor(2**53 - 1, "12"))
    await bench.link.open()
    bench.faults.add("feed-data status=500")
    await bench.deliver_all(
        [bench.report(source_id=2**53 - 1, value=f"{i:032d}", message_id=f"{i:064d}") for i in range(20)]
    )
    assert len(bench.model.feed(DEVICE_ID)) == 20 and not bench.model.named("fault")


# The lease

REFUSALS = ["commands status=401", "commands status=402", "commands status=403", "commands status=403 code=4002",
            "commands status=404", "any status=401", "token status=401", "token status=400", "token status=402",
            "token status=403"]  # fmt: skip


@polling
@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_refusal_ends_the_lease_with_its_reason(bench, fault):
    await bench.link.open()
    await bench.link.next_desired()
    assert bench.link.lease.valid(bench.clock.ms())
    if fault.startswith("token"):
        bench.model.expire_tokens(DEVICE_ID, bench.wall())
    bench.faults.add(fault.replace("commands", bench.poll))
    with pytest.raises(AuthError):
        await bench.link.next_desired()
    assert not bench.link.lease.held
    assert "HTTP 4" in bench.link.lease.reason and "; " in bench.link.lease.reason
    bench.link.close()
    await bench.recovers()


@polling
@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_token_is_replaced_once_and_the_request_repeated(bench, status):
    await bench.link.open()
    report = bench.report()
    bench.faults.add(f"feed-data status={status} times=1")
    assert await bench.deliver([report], limit_s=bench.verb_s) == [(report.message_id, outcomes.OK)]
    assert bench.link.lease.held
    assert len(bench.model.named("token_issued")) == 2


@polling
@pytest.mark.parametrize(
    ("refused", "status", "after_s", "error"),
    [(True, 503, 0, LinkError), (False, 401, 2800, AuthError)],
    ids=["no fresh token", "refused renewal while the old token is valid"],
)
async def test_the_lease_ends_without_another_token(bench, refused, status, after_s, error):
    await bench.link.open()
    await bench.link.next_desired()  # what came with the catalog
    await asyncio.sleep(after_s)
    if refused:
        bench.faults.add(f"{bench.poll} status=401")
    bench.faults.add(f"token status={status}")
    with pytest.raises(error):
        await bench.link.next_desired()
    assert not bench.link.lease.held
    bench.link.close()
    await bench.recovers()


@polling
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_of_the_token_endpoint_is_obeyed(bench, status):
    bench.faults.add(f"token status={status} retry_after=120")
    with pytest.raises(LinkError) as caught:
        await bench.link.open()
    assert caught.value.retry_after_s == 120 and not isinstance(caught.value, AuthError)
    bench.link.close()
    bench.faults.clear()
    await bench.link.open()
    await asyncio.sleep(2800 - bench.loop.time())
    bench.faults.add(f"token status={status} retry_after=400")
    while bench.loop.time() < 3590:
        await bench.link.next_desired()
    assert len(bench.model.named("fault")) == 1 + 2, "at the first poll, and 400 s later"
    assert bench.link.lease.valid(bench.clock.ms())
    bench.link.close()


@polling
async def test_a_token_without_an_accepted_request_holds_no_lease(bench):
    bench.faults.add("bootstrap status=503")
    bench.faults.add("commands status=503")
    with pytest.raises(LinkError):
        await bench.link.open()
    assert bench.model.named("token_issued") and not bench.link.lease.held
    bench.link.close()


async def test_the_lease_counts_from_the_token_request(bench):
    bench.faults.add("token delay=10")
    await bench.link.open()
    bench.net.silent = True
    await asyncio.sleep(3599 - bench.loop.time())
    assert bench.link.lease.valid(bench.clock.ms())
    await asyncio.sleep(2)
    assert not bench.link.lease.valid(bench.clock.ms())
    bench.link.close()


@polling
async def test_renewal_is_retried_while_the_old_token_works(bench):
    await bench.link.open()
    bench.faults.add("token status=503")
    # A call may take its interval of 10 s and, after a question for a token, the distance of 5 s. The old one works.
    while bench.loop.time() < 3580:
        await bench.link.next_desired()
        assert bench.link.lease.valid(bench.clock.ms())
    asked = [e for e in bench.model.named("fault") if e["at"] > POWER_UP_UTC + 2700]
    assert 5 < len(asked) < 20, "a quarter of what is left is waited, at the end half of it"
    bench.faults.clear()
    while bench.loop.time() < 3800:
        await bench.link.next_desired()
    assert bench.link.lease.valid(bench.clock.ms()) and len(bench.model.named("token_issued")) == 2


@pytest.mark.parametrize(
    "fault", ["revoke hang", "revoke drop", "revoke status=500", "revoke slow=1", "any hang"]
)
async def test_shutdown_revokes_the_token_or_gives_up_soon(bench, row, fault):
    await bench.link.open()
    bench.faults.add(fault)
    await bench.timed(bench.link.shutdown(), 5.1)
    lost = row[0] == "realino" or fault in ("revoke drop", "revoke hang", "any hang", "revoke status=500")
    assert bench.model.named("revoked") or lost, "Realino takes no token back"
    assert not bench.link.lease.held
    bench.check()
    await bench.recovers()
