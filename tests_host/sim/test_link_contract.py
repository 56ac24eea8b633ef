"""What every link promises its session (docs/ARCHITECTURE.md, "Link"): each row of `LINKS`, whatever the cloud does.

A link here has a cloud model, a network and a clock, and no device around it. Its owner is this file.
"""

import asyncio
import itertools
import json
import random
import re
from dataclasses import replace

import pytest

from firmware.app import LINKS
from firmware.core import verdict as v
from firmware.core.config import validate
from firmware.core.errors import AuthError, LinkError
from firmware.core.nouns import Report, number
from firmware.runtime.clock import Clock
from netio.errors import NetError
from tools.cloud.demo import CLIENT_SECRET, DEVICE_ID, demo_device
from tools.cloud.faults import ENDPOINTS, Faults
from tools.cloud.model import Command, Model, Plan, Request, Response, Sensor
from tools.sim.broker import SimBroker
from tools.sim.device import POWER_UP_UTC, WRAP_SOON_MS, demo_config
from tools.sim.net import SimNet

REST_S = 20.5  # a verb with nothing to do comes back within this
REQUEST_S = 70.0  # one request at its longest: connect, handshake, head, body
ANSWERS = [f"status={status}" for status in (
    204, 302, 400, 401, 402, 403, 404, 408, 409, 413, 415, 418, 422, 425, 429, 500, 502, 503, 504, 599)]  # fmt: skip
ODDITIES = [
    "status=403 code=4002", "status=403 code=4029", "status=400 code=2000", "status=500 code=4777",
    "status=429 retry_after=30", "status=503 retry_after=30", "redirect=https://elsewhere.test/", "empty",
    "content_type=text/html", "oversized", "oversized=15000", "badjson=half", "badjson=text", "badjson=utf8",
    "badjson=list", "badjson=null", "badjson=nan", "badjson=deep", "chunked", "chunked=1", "close", "huge_headers",
    "extra_1xx", "endless=body", "endless=plain", "endless=headers", "delay=3", "delay=40", "slow=1", "slow=400",
    "cut=0", "cut=20", "cut", "drop", "hang"]  # fmt: skip


class Bench:
    """One link with its surroundings. `cloud` overrides that section of the configuration."""

    def __init__(self, loop, row, model=None, **cloud):
        *row, broker = row
        row = tuple(row)
        config, problems = validate(demo_config(api=row[0], transport=row[1], **cloud))
        assert not [p for p in problems if p[0] == "error"], problems
        self.loop = loop
        self.model = model or Model(seed=1)
        self.model.add_device(demo_device())
        self.poll = "commands"
        if row[0] == "bootstrap":
            self.poll = "desired-states"
            self.model.served.bootstrap = True
            # Nobody answers here, so what is wanted has to stay pending.
            self.model.plan = replace(self.model.plan, desired_s=10**6)
            for port, value in (("6", 0), ("9", 18.5)):
                self.model.set_desired(DEVICE_ID, port, value, POWER_UP_UTC)
        self.faults = Faults()
        self.lines = []
        self.signs = [0.0]  # when the link showed life
        self.clock = Clock(
            lambda: WRAP_SOON_MS + int(loop.time() * 1000 + 1e-6),
            lambda ms: asyncio.sleep(max(ms, 0) / 1000),
        )
        bits = random.Random(1).getrandbits
        self.net = SimNet(
            self.model, self.faults, self.clock, lambda: bits(32), [], 0, self.wall, lambda: True
        )
        if broker:
            self.net.broker = SimBroker(self.model, self.faults, self.wall)
        self.link = LINKS[row](
            None,  # no controller: that is for clouds which ask for the device itself
            config["cloud"] | {"commands": 2},
            self.net,
            self.clock,
            lambda: bits(32),
            lambda level, text: self.lines.append(text),
        )
        self.link.alive = lambda: self.signs.append(loop.time())
        self.count = 0

    def wall(self):
        return POWER_UP_UTC + self.loop.time()

    def report(self, source="sensor", source_id=1, value="21.5", message_id=None):
        self.count += 1
        return Report(
            message_id or f"bench-{self.count}",
            source,
            source_id,
            value,
            int(self.wall()),
            0,
            None,
            None,
            None,
        )

    async def timed(self, awaitable, limit_s):
        """The result of a verb, which may not take longer than `limit_s`. AuthError only with the lease ended."""
        start = self.loop.time()
        try:
            return await awaitable
        except AuthError:
            assert not self.link.lease.held
            raise
        finally:
            assert self.loop.time() - start < limit_s + 0.01

    async def work(self):
        """What a session does with a link until the first error, which is returned; None when there was none."""
        link = self.link
        # A refused token means a second token and a second try.
        limit_s = REST_S + 4 * REQUEST_S
        try:
            catalog = await self.timed(asyncio.wait_for(link.open(), 2 * limit_s), 2 * limit_s)
            assert catalog is link.catalog and len(catalog.commands) == 2
            for _ in range(3):
                wanted = await self.timed(link.next_desired(), limit_s)
                assert not wanted or [d.command_id for d in wanted] == [1, 2]
            for size in (3, 1):
                await self.deliver([self.report() for _ in range(size)], 3, limit_s)
        except LinkError as e:
            return e
        except TimeoutError as e:
            assert all(429 in (rule.status, rule.code - 3600) for rule in self.faults.rules), (
                "only a rate limit waits"
            )
            return e
        finally:
            link.close()
            link.close()
            assert all(s.closed for s in self.net.streams)
        return None

    async def deliver(self, reports, tries=20, limit_s=REST_S + REQUEST_S):
        """What `send` tells first of some of `reports`. Polls go on, because a report takes its turn after one."""
        for _ in range(tries):
            results = await self.timed(self.link.send(reports), limit_s)
            if results:
                given = [r.message_id for r in reports]
                assert [m for m, _ in results] == [m for m in given if m in dict(results)], (
                    "in order, each once"
                )
                return results
            await self.timed(self.link.next_desired(), limit_s)
        return []

    async def deliver_all(self, reports):
        """Until the cloud has answered for every report: {message_id: verdict}."""
        told = {}
        while waiting := [r for r in reports if r.message_id not in told]:
            results = await self.deliver(waiting)
            assert results
            told |= dict(results)
        return told

    def stored_at_once(self):
        """How many reports each request brought that the cloud stored."""
        moments = [event["at"] for event in self.model.named("feed_stored")]
        return [moments.count(at) for at in dict.fromkeys(moments)]

    async def recovers(self):
        """Whatever was, the link opens again, hears what is wanted and delivers."""
        self.faults.clear()
        catalog = await self.link.open()
        assert [c.pin_port for c in catalog.commands] == ["6", "9"]
        assert [s.pin_port for s in catalog.sensors] == ["14", "15"]
        assert self.link.lease.valid(self.clock.ms())
        wanted = None
        while not wanted:
            wanted = await self.timed(self.link.next_desired(), REST_S + REQUEST_S)
        assert values(wanted) == [(1, 0.0), (2, 18.5)]
        report = self.report("command", 1, "1.0")
        assert await self.deliver([report]) == [(report.message_id, v.OK)]
        assert self.model.reported(DEVICE_ID, "6") == "1.0"
        self.link.close()
        self.check()

    def check(self):
        """What holds at any time: sound requests only, no secret told, no connection forgotten."""
        assert self.model.violations == []
        told = "\n".join(self.lines)
        assert CLIENT_SECRET not in told
        assert not re.search("[0-9a-f]{30}", told), "a token"
        assert all(s.closed for s in self.net.streams)


def values(wanted):
    """Desired values as numbers: one generation spells them as text."""
    return [(d.command_id, number(d.value)) for d in wanted]


IOT_POLLING = [
    ("realer", "https", False),
    ("realer", "auto", False),
    ("auto", "https", False),
    ("bootstrap", "https", False),
]
POLLING = [*IOT_POLLING, ("realino", "https", False)]
HELD = [("realer", "auto", True), ("realer", "mqtt", True), ("bootstrap", "mqtt", True)]
"""A row of LINKS, and whether its cloud has a broker."""


def named(row):
    return "-".join(row[:2]) + ("-broker" if row[2] else "")


@pytest.fixture(params=POLLING + HELD, ids=named)
def row(request):
    return request.param


polling = pytest.mark.parametrize("row", POLLING, indirect=True, ids=named)
"""For what only a link that asks can show: its beat, and what it hears at the next question."""

with_batches = pytest.mark.parametrize("row", IOT_POLLING, indirect=True, ids=named)
"""For the links that post reports with identities in batches. Realino's have none: see test_realino.py."""

with_identities = pytest.mark.parametrize("row", IOT_POLLING + HELD, indirect=True, ids=named)


def endpoints(row):
    """What a link of this row asks for."""
    if row[0] == "realino":
        return "token", "commands", "feed-data", "any"
    unused = ("feed-data", "batches") if row[2] else ("mqtt-credentials",) if row[1] == "auto" else ("mqtt",)
    unused += {
        "bootstrap": ("commands", "sensors"),
        "realer": ("bootstrap", "desired-states"),
        "auto": ("desired-states",),
    }[row[0]]
    return [e for e in ENDPOINTS if not e.startswith(unused)]


@pytest.mark.parametrize("api", ["auto", "bootstrap", "realer", "realino"])
@pytest.mark.parametrize("transport", ["auto", "https", "mqtt"])
def test_whatever_the_configuration_may_say_there_is_a_link_for_it(api, transport):
    _, problems = validate(demo_config(api=api, transport=transport))
    assert ((api, transport) in LINKS) == (not [p for p in problems if p[0] == "error"])


@pytest.fixture
def bench(virtual_loop, row):
    return Bench(virtual_loop, row)


async def test_open_gives_the_catalog_and_the_first_wishes_follow_at_once(bench):
    catalog = await bench.link.open()
    assert catalog is bench.link.catalog
    assert [(c.id, c.kind, c.pin_port) for c in catalog.commands] == [(1, "relay", "6"), (2, "relay", "9")]
    assert [(s.id, s.kind) for s in catalog.sensors] == [(1, "thermistor"), (2, "ldr_sensor")]
    start = bench.loop.time()
    assert values(await bench.link.next_desired()) == [(1, 0.0), (2, 18.5)]
    assert bench.loop.time() == start
    bench.link.close()


@pytest.mark.parametrize("kind", ANSWERS + ODDITIES)
async def test_only_link_errors_escape_and_the_link_opens_again(virtual_loop, row, kind):
    for endpoint in endpoints(row):
        for skip in (0, 2):
            bench = Bench(virtual_loop, row)
            bench.faults.add(f"{endpoint} {kind} skip={skip}")
            await bench.work()
            await bench.work()
            assert bench.model.named("fault") or endpoint == "revoke" or skip
            await bench.recovers()


@pytest.mark.parametrize("kind", ["dns", "connect", "tls", "timeout", "closed"])
async def test_a_network_that_fails_is_a_link_error(bench, kind):
    bench.net.refuse = NetError(kind, "as told")
    error = await bench.work()
    assert isinstance(error, LinkError) and not isinstance(error, AuthError)
    bench.net.refuse = None
    await bench.recovers()


@pytest.mark.parametrize("mode", ["silent", "dns", "cut"])
async def test_a_network_that_dies_under_way_is_a_link_error(bench, mode):
    await bench.link.open()
    bench.net.silent = mode == "silent"
    bench.net.dns_mode = "nxdomain" if mode == "dns" else ""
    bench.net.cut()
    error = await bench.work()
    assert (error is None) == (mode != "silent"), (
        "a reset connection is dialled again, and its name is still known"
    )
    bench.net.silent, bench.net.dns_mode = False, ""
    await bench.recovers()


async def test_close_may_come_at_any_time_and_again(bench):
    bench.link.close()
    await bench.link.open()
    bench.link.close()
    bench.link.close()
    await bench.recovers()
    await bench.link.shutdown()
    bench.link.close()
    await bench.recovers()


async def test_a_verb_with_nothing_to_do_comes_back_to_show_life(virtual_loop, row):
    bench = Bench(virtual_loop, row, poll_s=3600)
    await bench.link.open()
    await bench.link.next_desired()
    for _ in range(10):
        assert not await bench.timed(bench.link.next_desired(), REST_S)
    bench.link.close()


async def _pump(bench, seconds):
    """Both halves of a session at once."""

    async def listen():
        while True:
            await bench.link.next_desired()

    async def tell():
        while True:
            await bench.link.send([bench.report(), bench.report()])

    tasks = [asyncio.ensure_future(listen()), asyncio.ensure_future(tell())]
    done, _ = await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert not done


@polling
async def test_polls_keep_their_beat_whatever_goes_on_between(bench, row):
    await bench.link.open()
    await _pump(bench, 120)
    polls = [e["at"] for e in bench.model.named("catalog_read") if e["noun"] == bench.poll]
    # Where the link asks now and then whether there is MQTT, that pushes one poll and takes the place of one report.
    extra = row[1] == "auto"
    assert len(polls) >= 12 - extra and len(bench.stored_at_once()) >= 11 - extra
    gaps = [later - earlier for earlier, later in itertools.pairwise(polls)]
    assert min(gaps) > 9.9 and sum(gap > 10.4 for gap in gaps) <= extra and max(gaps) < 15.4
    bench.link.close()
    bench.check()


@polling
async def test_requests_keep_their_distance_from_the_last_answer(bench):
    await bench.link.open()
    bench.faults.add("any delay=2")
    await _pump(bench, 120)
    asked = [event["at"] for event in bench.model.named("fault")]
    assert len(asked) > 12 and all(later - earlier >= 2 + 5 for earlier, later in itertools.pairwise(asked))
    bench.link.close()
    bench.check()


@polling
async def test_a_long_rate_limit_is_waited_out_with_signs_of_life(bench):
    bench.faults.add(f"{bench.poll} status=429 retry_after=900 times=1")
    await bench.link.open()
    bench.link.close()
    bench.check()
    assert bench.loop.time() > 900
    gaps = [later - earlier for earlier, later in itertools.pairwise(bench.signs)]
    assert len(gaps) >= 40 and max(gaps) <= REST_S
    assert len(bench.model.named("token_issued")) == 1 and bench.net.dials == 1


@polling
async def test_a_change_of_the_catalog_is_a_new_catalog_and_nothing_else_is(bench):
    catalog = await bench.link.open()
    await bench.link.next_desired()
    bench.model.set_desired(DEVICE_ID, "6", 1, bench.wall())
    wanted = await bench.link.next_desired()
    assert bench.link.catalog is catalog and values(wanted)[0] == (1, 1.0)
    bench.model.put_command(DEVICE_ID, Command(3, "12"))
    assert len(await bench.link.next_desired()) == 3
    assert bench.link.catalog is not catalog and len(bench.link.catalog.commands) == 3
    bench.link.close()
    bench.check()


@polling
async def test_a_source_that_vanished_costs_its_reports_and_shows_in_the_next_catalog(bench):
    catalog = await bench.link.open()
    await bench.link.next_desired()
    bench.model.remove_sensor(DEVICE_ID, 2)
    good, bad = bench.report(), bench.report(source_id=2, value="7.0")
    results = await bench.deliver_all([good, bad])
    assert results[good.message_id] == v.OK and results[bad.message_id] != v.OK
    await bench.link.next_desired()
    assert bench.link.catalog is not catalog and [s.id for s in bench.link.catalog.sensors] == [1]
    bench.link.close()
    bench.check()


@with_identities
async def test_what_was_stored_already_is_delivered_and_what_conflicts_is_told_apart(bench):
    await bench.link.open()
    first, second = bench.report(), bench.report()
    await bench.deliver([first, second])
    forged = bench.report(value="99.0", message_id=second.message_id)
    for batch in ([first, forged], [first], [forged]):
        expected = {first.message_id: v.OK, forged.message_id: v.CONFLICT}
        assert await bench.deliver(batch) == [(r.message_id, expected[r.message_id]) for r in batch]
    assert len(bench.model.feed(DEVICE_ID)) == 2
    bench.link.close()
    bench.check()


class Liar(Model):
    """A cloud that answers batches with `results`, whatever it was told."""

    results = None

    def handle(self, request: Request, now: float) -> Response:
        response = super().handle(request, now)
        if not request.path.endswith("/batches"):
            return response
        return replace(response, body=json.dumps({"code": 2000, "results": self.results}).encode())


LIES = [
    None, 7, {}, [], [None], ["bench-1"], [{}], [{"message_id": 1, "status": "created"}],
    [{"message_id": ["bench-1"]}], [{"message_id": "ghost", "status": "created"}]]  # fmt: skip


@with_batches
@pytest.mark.parametrize("lie", LIES, ids=str)
async def test_results_for_nobody_deliver_nothing_and_all_goes_singly_then(virtual_loop, row, lie):
    model = Liar(seed=1)
    model.results = lie
    bench = Bench(virtual_loop, row, model)
    await bench.link.open()
    reports = [bench.report() for _ in range(3)]
    assert await bench.deliver_all(reports) == {r.message_id: v.OK for r in reports}
    assert len(bench.model.named("feed_replayed")) == 3
    bench.link.close()
    bench.check()


@with_batches
async def test_results_are_told_only_of_reports_that_were_given(virtual_loop, row):
    model = Liar(seed=1)
    bench = Bench(virtual_loop, row, model)
    await bench.link.open()
    reports = [bench.report() for _ in range(3)]
    good = {"message_id": reports[1].message_id, "status": "created"}
    model.results = [
        {"message_id": "ghost", "status": "created"},
        good,
        good,
        {"message_id": "", "error": "conflict"},
    ]
    assert await bench.deliver(reports) == [(reports[1].message_id, v.OK)]
    bench.link.close()
    bench.check()


@with_batches
async def test_a_batch_that_is_too_large_is_halved_until_it_fits_and_after_opening_tried_again(
    virtual_loop, row
):
    bench = Bench(virtual_loop, row, Model(plan=Plan(max_batch=5), seed=1))
    await bench.link.open()
    await bench.deliver_all([bench.report() for _ in range(20)])
    assert bench.stored_at_once() == [5, 5, 5, 5]
    bench.link.close()
    bench.model.plan = Plan()
    await bench.link.open()
    await bench.deliver_all([bench.report() for _ in range(20)])
    assert bench.stored_at_once() == [5, 5, 5, 5, 20]
    bench.link.close()
    bench.check()


@with_batches
@pytest.mark.parametrize(("count", "endpoint"), [(1, "feed-data"), (3, "batches")])
async def test_a_rate_limit_costs_reports_only_time(bench, count, endpoint):
    await bench.link.open()
    bench.faults.add(f"{endpoint} status=429 times=1")
    reports = [bench.report() for _ in range(count)]
    assert set((await bench.deliver_all(reports)).values()) == {v.OK}
    assert bench.stored_at_once() == [count] and bench.model.named("fault")
    bench.link.close()
    bench.check()


@with_identities
async def test_a_batch_of_the_longest_items_is_within_the_plan(bench):
    bench.model.put_sensor(DEVICE_ID, Sensor(2**53 - 1, "12"))
    await bench.link.open()
    bench.faults.add("feed-data status=500")
    await bench.deliver_all(
        [bench.report(source_id=2**53 - 1, value=f"{i:032d}", message_id=f"{i:064d}") for i in range(20)]
    )
    assert len(bench.model.feed(DEVICE_ID)) == 20 and not bench.model.named("fault")
    bench.link.close()
    bench.check()


# The lease

REFUSALS = ["commands status=401", "commands status=402", "commands status=403", "commands status=403 code=4002",
            "commands status=404", "any status=401", "token status=401", "token status=400", "token status=402",
            "token status=403"]  # fmt: skip


@polling
@pytest.mark.parametrize("fault", REFUSALS)
async def test_a_refusal_ends_the_lease_and_says_why(bench, fault):
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
async def test_a_token_refused_costs_one_fresh_token_and_one_repetition(bench, status):
    await bench.link.open()
    report = bench.report()
    bench.faults.add(f"feed-data status={status} times=1")
    assert await bench.deliver([report], limit_s=REST_S + 4 * REQUEST_S) == [(report.message_id, v.OK)]
    assert bench.link.lease.held
    assert len(bench.model.named("token_issued")) == 2
    bench.link.close()
    bench.check()


@polling
async def test_a_refused_token_without_a_fresh_one_ends_the_lease(bench):
    await bench.link.open()
    await bench.link.next_desired()
    bench.faults.add(f"{bench.poll} status=401")
    bench.faults.add("token status=503")
    with pytest.raises(LinkError):
        await bench.link.next_desired()
    assert not bench.link.lease.held
    bench.link.close()
    await bench.recovers()


@polling
async def test_a_renewal_refused_ends_the_lease_though_the_old_token_would_do(bench):
    await bench.link.open()
    await asyncio.sleep(2800)
    bench.faults.add("token status=401")
    await bench.link.next_desired()  # what came with the catalog
    with pytest.raises(AuthError):
        await bench.link.next_desired()
    assert not bench.link.lease.held
    bench.link.close()
    await bench.recovers()


@polling
@pytest.mark.parametrize("status", [429, 503])
async def test_the_token_endpoint_says_when_to_come_again(bench, status):
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
async def test_a_token_alone_is_no_lease(bench):
    bench.faults.add("bootstrap status=503")
    bench.faults.add("commands status=503")
    with pytest.raises(LinkError):
        await bench.link.open()
    assert bench.model.named("token_issued") and not bench.link.lease.held
    bench.link.close()


@pytest.mark.parametrize("jump_s", [-10_000_000, 10_000_000])
async def test_the_lease_counts_from_the_question_and_no_clock_moves_its_end(bench, jump_s):
    bench.clock.set_utc(int(bench.wall()))
    bench.faults.add("token delay=10")
    await bench.link.open()
    bench.clock.set_utc(int(bench.wall()) + jump_s)
    bench.net.silent = True
    await asyncio.sleep(3599 - bench.loop.time())
    assert bench.link.lease.valid(bench.clock.ms())
    await asyncio.sleep(2)
    assert not bench.link.lease.valid(bench.clock.ms())
    bench.link.close()


@polling
async def test_renewal_goes_on_while_the_old_token_works(bench):
    await bench.link.open()
    bench.faults.add("token status=503")
    while bench.loop.time() < 3590:
        await bench.link.next_desired()
        assert bench.link.lease.valid(bench.clock.ms())
    asked = [e for e in bench.model.named("fault") if e["at"] > POWER_UP_UTC + 2700]
    assert 10 < len(asked) < 90, "full jitter between 1 s and 60 s"
    bench.faults.clear()
    while bench.loop.time() < 3800:
        await bench.link.next_desired()
    assert bench.link.lease.valid(bench.clock.ms()) and len(bench.model.named("token_issued")) == 2
    bench.link.close()
    bench.check()


# Cancelled, at any moment


async def _open(bench):
    await bench.link.open()


async def _next_desired(bench):
    # A changed catalog and a token that ran out: the longest way there is.
    bench.model.put_command(DEVICE_ID, Command(3, "12"))
    bench.model.expire_tokens(DEVICE_ID, bench.wall())
    await bench.link.next_desired()


async def _send(bench):
    bench.model.expire_tokens(DEVICE_ID, bench.wall())
    await bench.deliver([bench.report(), bench.report()])


async def _shutdown(bench):
    await bench.link.shutdown()


@pytest.mark.parametrize("verb", [_open, _next_desired, _send, _shutdown])
async def test_a_cancelled_verb_leaves_a_link_that_opens_again(virtual_loop, row, verb):
    done = False
    after_ms = 0
    while not done:
        bench = Bench(virtual_loop, row, poll_s=2)
        if verb is not _open:
            await bench.link.open()
            await bench.link.next_desired()
        task = asyncio.ensure_future(verb(bench))
        await asyncio.sleep(after_ms / 1000)
        done = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.link.close()
        assert all(s.closed for s in bench.net.streams)
        if verb is _next_desired:
            bench.model.remove_command(DEVICE_ID, 3)
        await bench.recovers()
        after_ms += max(15, after_ms // 8)  # the network answers every 30 ms
    instant = verb is _shutdown and row[0] == "realino"
    assert after_ms > 45 or instant, "it was cancelled under way"


@pytest.mark.parametrize(
    "fault", ["", "revoke hang", "revoke drop", "revoke status=500", "revoke slow=1", "any hang"]
)
async def test_shutdown_gives_the_token_back_or_gives_up_soon(bench, row, fault):
    await bench.link.open()
    if fault:
        bench.faults.add(fault)
    await bench.timed(bench.link.shutdown(), 5.1)
    lost = row[0] == "realino" or fault in ("revoke drop", "revoke hang", "any hang", "revoke status=500")
    assert bench.model.named("revoked") or lost, "Realino takes no token back"
    assert not bench.link.lease.held
    bench.check()
    await bench.recovers()
