"""What every link promises its session (docs/ARCHITECTURE.md, "Link"), asked of the one to Thinger.io.

It has no requests, tokens or catalog, so its cloud misbehaves in bytes. A link here has a cloud, a network, a clock,
and a controller that nobody drives.
"""

import asyncio
import itertools
import random

import pytest

from firmware.app import build
from firmware.core import verdict as v
from firmware.core.config import validate
from firmware.core.errors import AuthError, LinkError
from firmware.core.nouns import Desired, Report
from firmware.runtime.clock import Clock
from firmware.runtime.flash import Store
from netio.errors import NetError
from tools.board.world import World
from tools.cloud.demo import THINGER_CREDENTIAL, THINGER_DEVICE, THINGER_HOST, THINGER_USER, demo_account
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_wire import frame
from tools.sim.board import SimBoard, SimRadio
from tools.sim.device import POWER_UP_UTC, WRAP_SOON_MS, thinger_config
from tools.sim.net import SimNet

REST_S = 20.5  # a verb with nothing to do comes back within this
LOGIN_S = 45.0
NONSENSE = [
    b"\x00", b"\x0b\x00", b"\xff" * 6, b"HTTP/1.1 400 Bad Request\r\n\r\n", frame("DISCONNECT"),
    b"\x06\xff\xff\xff\x7f", b"\x06\x04\x08\x42\x19\x28"]  # fmt: skip


class Bench:
    """`silence_s`: the owner's patience; `cloud` overrides that section of the configuration."""

    def __init__(self, loop, tmp_path, silence_s=300, **cloud):
        config, problems = validate(thinger_config(**cloud) | {"safety": {"silence_s": silence_s}})
        assert not [p for p in problems if p[0] == "error"], problems
        self.loop, self.lines = loop, []
        self.clock = Clock(
            lambda: WRAP_SOON_MS + int(loop.time() * 1000 + 1e-6), lambda ms: asyncio.sleep(max(ms, 0) / 1000)
        )
        chance = random.Random(1)
        rng = lambda: chance.getrandbits(32)  # noqa: E731
        say = lambda level, text: self.lines.append(text)  # noqa: E731
        self.cloud = Thinger(lambda: POWER_UP_UTC + loop.time(), seed=1)
        demo_account(self.cloud)
        self.net = SimNet(Model(seed=1), Faults(), self.clock, rng, [], 0, self.cloud.now, lambda: True)
        self.net.thinger = self.cloud
        board = SimBoard(World(0), SimRadio(loop.time), self.cloud.now, rng)
        self.app = build(config, board, None, self.clock, rng, say, Store(f"{tmp_path}/"), self.net, 1)
        self.link, self.controller = self.app.link, self.app.controller
        self.count = 0

    @property
    def port(self):
        return self.cloud.devices[THINGER_USER, THINGER_DEVICE].port

    def report(self, source="sensor", source_id="room", desired_id=None, status=None):
        self.count += 1
        return Report(
            f"bench-{self.count}",
            source,
            source_id,
            "21.5",
            int(self.cloud.now()),
            0,
            desired_id,
            status,
            None,
        )

    async def open(self):
        """As a session does it, which takes the device out of safe state."""
        catalog = await self.timed(self.link.open(), LOGIN_S)
        self.controller.adopt(catalog)
        self.controller.safety.silence.start = self.clock.ms()
        self.controller.check(self.link.lease, self.clock.ms())
        return catalog

    async def timed(self, awaitable, limit_s):
        start = self.loop.time()
        try:
            return await awaitable
        except AuthError:
            assert not self.link.lease.held
            raise
        finally:
            assert self.loop.time() - start < limit_s

    async def work(self):
        """What a session does with a link until the first error, which is returned; None when there was none."""
        try:
            assert await self.open() is self.link.catalog
            for _ in range(5):
                assert await self.timed(self.link.next_desired(), REST_S) in (None, [])
                reports = [self.report(), self.report("command", "pump")]
                results = await self.timed(self.link.send(reports), REST_S + 1)
                assert results == [(report.message_id, v.OK) for report in reports]
        except LinkError as e:
            return e
        finally:
            self.close()
        return None

    def close(self):
        self.link.close()
        self.link.close()
        assert all(s.closed for s in self.net.streams)

    async def recovers(self):
        """Whatever was, the link opens again, hears a wish and answers it."""
        catalog = await self.open()
        assert [c.pin_port for c in catalog.commands] == ["6", "9"]
        assert [s.pin_port for s in catalog.sensors] == ["14", "15"]
        assert self.link.lease.valid(self.clock.ms())
        answers = await self.wish(True)
        (desired,) = await self.heard()
        assert (desired.command_id, desired.value, desired.sequence) == ("pump", 1.0, None)
        await self.link.send([self.report("command", "pump", desired.desired_id, "applied")])
        assert [kind for kind, _ in answers] == ["OK"]
        self.close()
        assert self.cloud.violations == []
        assert THINGER_CREDENTIAL not in "\n".join(self.lines)

    async def wish(self, value, resource="pump"):
        answers = []
        self.port.call(lambda *answer: answers.append(answer), "RUN", resource=resource, payload=value)
        await asyncio.sleep(0.1)
        return answers

    async def listen(self):
        """Until the link has had enough."""
        while True:
            await self.timed(self.link.next_desired(), REST_S)

    async def heard(self):
        """The next wishes."""
        while True:
            wanted = await self.timed(self.link.next_desired(), REST_S)
            if wanted:
                return wanted


@pytest.fixture
def bench(virtual_loop, tmp_path):
    return Bench(virtual_loop, tmp_path)


async def test_open_gives_the_configuration_as_catalog(bench):
    catalog = await bench.open()
    assert catalog is bench.link.catalog
    assert [(c.id, c.kind, c.low, c.high, c.step) for c in catalog.commands] == [
        ("pump", "relay", 0, 1, 1),
        ("heater", "relay", 5.0, 35.0, 0.5),
    ]
    assert [(s.id, s.kind) for s in catalog.sensors] == [("room", "thermistor"), ("daylight", "ldr_sensor")]
    assert bench.controller.notes == []
    await bench.recovers()


@pytest.mark.parametrize("kind", ["dns", "connect", "tls", "timeout", "closed"])
async def test_a_network_that_fails_is_a_link_error(bench, kind):
    bench.net.refuse = NetError(kind, "as told")
    error = await bench.work()
    assert isinstance(error, LinkError) and not isinstance(error, AuthError)
    bench.net.refuse = None
    await bench.recovers()


@pytest.mark.parametrize("mode", ["silent", "cut", "deaf", "gone"])
async def test_a_network_that_dies_under_way_is_a_link_error(bench, mode):
    await bench.open()
    bench.net.silent = mode == "silent"
    bench.port.deaf = mode == "deaf"
    if mode == "cut":
        bench.net.cut()
    if mode == "gone":
        bench.port.end()
    with pytest.raises(LinkError):
        await bench.listen()
    with pytest.raises(LinkError):
        await bench.timed(bench.link.send([bench.report()]), REST_S)
    bench.close()
    bench.net.silent = False
    await bench.recovers()


@pytest.mark.parametrize("bad", NONSENSE, ids=repr)
@pytest.mark.parametrize("when", ["login", "later"])
async def test_only_link_errors_escape_whatever_the_cloud_says(bench, bad, when):
    admits, taken = bench.cloud.admits, []
    if when == "login":
        bench.cloud.admits = lambda port, *login: taken.append(port._send(bad))
    else:
        bench.cloud.admits = lambda port, *login: (
            asyncio.get_running_loop().call_later(3, port._send, bad) and admits(port, *login)
        )
    error = await bench.work()
    assert isinstance(error, LinkError) and not isinstance(error, AuthError)
    bench.cloud.admits = admits
    await bench.recovers()


async def test_a_refused_login_ends_the_lease_and_says_why(bench):
    await bench.open()
    assert bench.link.lease.held
    device = bench.cloud.devices[THINGER_USER, THINGER_DEVICE]
    device.credential = "another-secret-not-real"
    bench.close()
    with pytest.raises(AuthError) as caught:
        await bench.link.open()
    assert caught.value.retry_after_s == 300
    assert not bench.link.lease.held and "credential" in bench.link.lease.reason
    bench.close()
    device.credential = THINGER_CREDENTIAL
    await bench.recovers()


async def test_a_lease_outlives_the_connection_but_not_for_ever(bench):
    await bench.open()
    bench.close()
    await asyncio.sleep(3 * 86400)
    assert bench.link.lease.valid(bench.clock.ms())
    await asyncio.sleep(86400)
    assert not bench.link.lease.valid(bench.clock.ms())
    await bench.recovers()


async def test_a_verb_with_nothing_to_do_comes_back_to_show_life(bench):
    await bench.open()
    signs = [bench.loop.time()]
    while bench.loop.time() < 600:
        wanted = await bench.timed(bench.link.next_desired(), REST_S)
        assert wanted in (None, [])
        if wanted == []:
            signs.append(bench.loop.time())
    gaps = [later - earlier for earlier, later in itertools.pairwise(signs)]
    assert len(gaps) >= 10 and max(gaps) < 51
    bench.close()


async def test_a_short_patience_means_more_signs_of_life(virtual_loop, tmp_path):
    for silence_s, keep_alive_ms in ((300, 50000), (0, 50000), (20, 10000), (1, 1000)):
        bench = Bench(virtual_loop, tmp_path, silence_s)
        assert bench.link.client.session.keep_alive_ms == keep_alive_ms


async def test_reports_are_told_only_when_the_cloud_has_them(bench):
    await bench.open()
    report = bench.report()
    assert await bench.link.send([report]) == [(report.message_id, v.OK)]
    bench.port.deaf = True
    with pytest.raises(LinkError):
        await bench.timed(bench.link.send([bench.report()]), REST_S + 1)
    bench.close()
    await bench.recovers()


async def test_wishes_have_a_window_and_identities_of_their_own(bench):
    await bench.open()
    first, second = await bench.wish(True), await bench.wish("off")
    wanted = await bench.heard() + await bench.heard()
    assert [(d.command_id, d.value, d.valid_s) for d in wanted] == [("pump", 1.0, 8), ("pump", 0.0, 8)]
    assert isinstance(wanted[0], Desired) and wanted[0].desired_id != wanted[1].desired_id
    reports = [bench.report("command", "pump", d.desired_id, status) for d, status in
               zip(wanted, ("stale", "rejected"), strict=True)]  # fmt: skip
    await bench.link.send(reports)
    assert [(kind, fields["parameters"]) for kind, fields in first + second] == [
        ("ERROR", 409),
        ("ERROR", 400),
    ]
    bench.close()


async def test_a_wish_without_an_outcome_is_answered_all_the_same(bench):
    await bench.open()
    answers = await bench.wish(True)
    listening = asyncio.ensure_future(bench.listen())
    await asyncio.sleep(9)
    assert answers == []
    await asyncio.sleep(3)
    assert answers[0][1]["parameters"] == 504
    listening.cancel()
    bench.close()


async def test_in_safe_state_nothing_is_promised(bench):
    await bench.open()
    bench.controller.safety.faults.add("control")
    bench.controller.check(bench.link.lease, bench.clock.ms())
    answers = await bench.wish(True)
    while not answers:
        assert not await bench.timed(bench.link.next_desired(), REST_S)
    assert answers[0][1]["parameters"] == 503
    bench.close()


async def _open(bench):
    await bench.link.open()


async def _next_desired(bench):
    await bench.wish(True)
    await bench.link.next_desired()


async def _send(bench):
    await bench.link.send([bench.report()])


async def _shutdown(bench):
    await bench.link.shutdown()


@pytest.mark.parametrize("verb", [_open, _next_desired, _send, _shutdown])
async def test_a_cancelled_verb_leaves_a_link_that_opens_again(virtual_loop, tmp_path, verb):
    done, after_ms = False, 0
    while not done:
        bench = Bench(virtual_loop, tmp_path)
        if verb is not _open:
            await bench.open()
        task = asyncio.ensure_future(verb(bench))
        await asyncio.sleep(after_ms / 1000)
        done = task.done()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        bench.close()
        await bench.recovers()
        after_ms += 15  # the network answers every 30 ms
    assert after_ms > 15


@pytest.mark.parametrize("mode", ["", "silent", "cut", "closed"])
async def test_shutdown_says_goodbye_or_gives_up_soon(bench, mode):
    await bench.open()
    bench.net.silent = mode == "silent"
    if mode == "cut":
        bench.net.cut()
    if mode == "closed":
        bench.close()
    await bench.timed(bench.link.shutdown(), 3)
    assert not bench.link.lease.held
    bench.net.silent = False
    await asyncio.sleep(1)
    assert bench.port is None
    assert all(s.closed for s in bench.net.streams)
    await bench.recovers()


async def test_another_port_may_be_named(virtual_loop, tmp_path):
    for host, port in ((THINGER_HOST, 25206), (f"{THINGER_HOST}:7000", 7000)):
        assert Bench(virtual_loop, tmp_path, host=host).link.client.port == port
