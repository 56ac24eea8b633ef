"""A link with a cloud, a network and a clock, and a controller that nobody drives: what the link tests work on.

`bench_of(row)` is the Bench of a row: everything a session does with a link, and a few verbs for its
cloud, which every kind of cloud spells in its own way. The checks are in tests_host/sim.
"""

import asyncio
import random
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from firmware.app import build
from firmware.core import outcomes
from firmware.core.catalog import apply_catalog
from firmware.core.errors import AuthError, LinkError
from firmware.core.models import EPOCH, Report, number
from firmware.runtime.clock import Clock
from firmware.runtime.store import Store
from tests_host.support.checking import validate
from tools.cloud.demo_device import (
    CLIENT_SECRET,
    DEVICE_ID,
    THINGER_CREDENTIAL,
    THINGER_DEVICE,
    THINGER_USER,
    demo_account,
    demo_device,
)
from tools.cloud.faults import ENDPOINTS, Fault, Faults
from tools.cloud.model import Command, Model
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_wire import frame
from tools.sim.sim_board import SimBoard
from tools.sim.sim_broker import SimBroker
from tools.sim.sim_device import POWER_UP_UTC, WRAP_SOON_MS, demo_config, thinger_config
from tools.sim.sim_net import SimNet
from tools.virtual_board.plant import Plant

REST_S = 20.5  # a verb with nothing to do comes back within this
REQUEST_S = 70.0  # one request at its longest: connect, handshake, head, body
ANSWERS = [f"status={status}" for status in (
    204, 302, 400, 401, 402, 403, 404, 408, 409, 413, 415, 418, 422, 425, 429, 500, 502, 503, 504, 599)]  # fmt: skip
ODDITIES = [
    "status=403 code=4002", "status=403 code=4029", "status=400 code=2000", "status=500 code=4777",
    "status=429 retry_after=30", "status=503 retry_after=30", "redirect=https://elsewhere.test/", "empty",
    "content_type=text/html", "oversized", "oversized=15000", "badjson=half", "badjson=text", "badjson=utf8",
    "badjson=list", "badjson=null", "badjson=nan", "badjson=deep", "chunked", "chunked=1", "close", "huge_headers",
    "huge_headers=7000", "http10", "http10 cut=-20", "twice", "gzip", "gzip=always",
    "extra_1xx", "endless=body", "endless=plain", "endless=headers", "delay=3", "delay=40", "slow=1", "slow=400",
    "cut=0", "cut=20", "cut", "drop", "hang"]  # fmt: skip
INVALID_REPLIES = [
    b"\x00", b"\x0b\x00", b"\xff" * 6, b"HTTP/1.1 400 Bad Request\r\n\r\n", frame("DISCONNECT"),
    b"\x06\xff\xff\xff\x7f", b"\x06\x04\x08\x42\x19\x28", "silent", "gone"]  # fmt: skip

IOT_POLLING = [
    ("realer", "https", False),
    ("realer", "auto", False),
    ("auto", "https", False),
    ("bootstrap", "https", False),
]
POLLING = [*IOT_POLLING, ("realino", "https", False)]
HELD = [
    ("realer", "auto", True),
    ("realer", "mqtt", True),
    ("bootstrap", "mqtt", True),
    ("auto", "mqtt", True),
]
THINGER = ("thinger", "iotmp", False)
ROWS = [*POLLING, *HELD, THINGER]
"""A row of LINKS, and whether its cloud has a broker."""


def named(row):
    return "-".join(row[:2]) + ("-broker" if row[2] else "")


def bench_of(row):
    """The Bench of a row. `poll_s`: for clouds that are asked; otherwise what the Bench of that cloud takes."""
    return ThingerBench if row == THINGER else RealerBench


class Bench:
    """What a test does with any link. `raw`: the configuration. What a cloud's Bench has to say for itself:

    `kinds`, `moments(row)`: how it can misbehave, and where; `spoil(kind, moment)` does it, `met(moment, error)` tells
    whether that was noticed, where it had to be. `desire()`: sets new desired values, which are `desired`, by port;
    `reported(report)`:
    whether it has the outcome. `refuse`, `forgive`: the device; `lease_s`: for how long it is trusted; `farewell()`:
    whether the device said goodbye. `quick_s`, `verb_s`, `open_s`: how long a verb takes at most while all is well,
    else, and for `open`; `many_desired`, `much_to_tell`, `calm`: make verbs take their longest way, and not.
    """

    ids: ClassVar[dict[str, Any]]
    desired: ClassVar[dict[str, float]]
    open_s: float
    quick_s: float
    verb_s: float
    contract: Any
    desire: Callable[..., Any]
    outcome: Callable[[Any], Report]
    reported: Callable[[Report], bool]

    def __init__(self, loop, folder, raw):
        config, problems = validate(raw)
        assert not [p for p in problems if p[0] == "error"], problems
        self.loop, self.count = loop, 0
        self.lines: list[str] = []
        self.clock = Clock(
            lambda: WRAP_SOON_MS + int(loop.time() * 1000 + 1e-6), lambda ms: asyncio.sleep(max(ms, 0) / 1000)
        )
        chance = random.Random(1)
        rng = lambda: chance.getrandbits(32)  # noqa: E731
        log = lambda level, text: self.lines.append(text)  # noqa: E731
        self.faults = Faults()
        self.model = Model(seed=1)
        self.net = SimNet(self.model, self.faults, self.clock, rng, [], 0, self.wall, lambda: True)
        board = SimBoard(Plant(0), self.wall, rng)
        self.app = build(config, board, None, self.clock, rng, log, Store(f"{folder}/"), self.net, 1)
        self.link, self.controller = self.app.link, self.app.controller

    def wall(self):
        return POWER_UP_UTC + self.loop.time()

    def report(
        self, source="sensor", source_id=None, value="21.5", message_id=None, desired=None, status=None
    ):
        self.count += 1
        source_id = source_id or self.ids[source]
        return Report(
            message_id or f"bench-{self.count}",
            source,
            source_id,
            value,
            int(self.wall()) - EPOCH,
            0,
            desired,
            status,
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

    async def open(self):
        """As a session does it, which takes the device out of safe state."""
        catalog = await self.timed(asyncio.wait_for(self.link.open(), self.open_s), self.open_s)
        assert catalog is self.link.catalog
        apply_catalog(self.controller, catalog)
        self.controller.safety.contact(self.clock.ms())
        self.controller.check(self.link.lease, self.clock.ms())
        return catalog

    async def work(self):
        """What a session does with a link until the first error, which is returned; None when there was none."""
        try:
            catalog = await self.open()
            assert len(catalog.commands) == 2
            for size in (0, 0, 0, 3, 1):
                desired = await self.timed(self.link.next_desired(), self.verb_s)
                assert not desired or self.by_port(desired) == self.desired
                if size:
                    await self.deliver([self.report() for _ in range(size)], 3, self.verb_s)
        except LinkError as e:
            return e
        except TimeoutError as e:
            assert self.rate_limited(), "only a rate limit waits"
            return e
        finally:
            self.close()
        return None

    def rate_limited(self):
        return self.faults.rules and all(
            isinstance(rule, Fault) and 429 in (rule.status, rule.code - 3600) for rule in self.faults.rules
        )

    def close(self):
        self.link.close()
        self.link.close()
        assert all(s.closed for s in self.net.streams)

    async def receive(self):
        """The next desired values."""
        while True:
            desired = await self.timed(self.link.next_desired(), self.quick_s)
            if desired:
                return desired

    async def listen(self):
        """Until the link has had enough."""
        while True:
            await self.timed(self.link.next_desired(), self.verb_s)

    async def deliver(self, reports, tries=20, limit_s=None):
        """What `send` tells first of some of `reports`. Polls go on, because a report takes its turn after one."""
        for _ in range(tries):
            most = await self.timed(self.link.most_reports(), limit_s or self.quick_s)
            results = await self.timed(self.link.send(reports[:most]), limit_s or self.quick_s)
            if results:
                ids = [r.message_id for r in reports]
                assert [m for m, _ in results] == [m for m in ids if m in dict(results)], (
                    "in order, each once"
                )
                return results
            await self.timed(self.link.next_desired(), limit_s or self.quick_s)
        return []

    async def deliver_all(self, reports):
        """Until the cloud has answered for every report: {message_id: outcome}."""
        done: dict[str, Any] = {}
        while waiting := [r for r in reports if r.message_id not in done]:
            results = await self.deliver(waiting)
            assert results
            done |= dict(results)
        return done

    def by_port(self, desired):
        """Desired values as numbers, by port: one generation spells them as text."""
        ports = {c.id: c.pin_port for c in self.link.catalog.commands}
        return {ports[d.command_id]: number(d.value) for d in desired}

    def mend(self):
        """Whatever a test did to cloud and network."""
        self.faults.clear()
        self.net.refuse, self.net.silent, self.net.dns_mode = None, False, ""

    async def recovers(self):
        """Whatever was, the link opens again, receives desired values and delivers."""
        self.mend()
        catalog = await self.open()
        assert [c.pin_port for c in catalog.commands] == ["6", "9"]
        assert [s.pin_port for s in catalog.sensors] == ["14", "15"]
        assert self.link.lease.valid(self.clock.ms())
        self.desire()
        desired = await self.receive()
        assert self.by_port(desired) == self.desired
        outcome = self.outcome(desired[0])
        assert await self.deliver([outcome]) == [(outcome.message_id, outcomes.OK)]
        assert self.reported(outcome)
        self.close()
        self.check()

    def check(self):
        """What holds at any time: sound requests only, no secret logged, no connection forgotten."""
        assert self.contract.violations == []
        logged = "\n".join(self.lines)
        assert CLIENT_SECRET not in logged and THINGER_CREDENTIAL not in logged
        assert not re.search("[0-9a-f]{30}", logged), "a token"
        assert all(s.closed for s in self.net.streams)


class RealerBench(Bench):
    """A generation of the Realer API. `model`: its cloud; `cloud` overrides that section of the configuration.

    Nothing is answered here by its desired id, so a desired value stays pending.
    """

    kinds = ANSWERS + ODDITIES
    ids = {"sensor": 1, "command": 1}
    desired = {"6": 0.0, "9": 18.5}
    lease_s = 3600
    quick_s = REST_S + REQUEST_S
    # A refused token means a second token and a second try.
    verb_s = REST_S + 4 * REQUEST_S
    open_s = 2 * verb_s

    def __init__(self, loop, folder, row, model=None, **cloud):
        super().__init__(loop, folder, demo_config(api=row[0], transport=row[1], **cloud))
        self.net.model = self.model = self.contract = model or self.model
        self.row = row
        self.model.add_device(demo_device())
        self.poll = "commands"
        if row[0] == "bootstrap":
            self.poll = "desired-states"
            self.model.served.bootstrap = True
            self.model.plan = replace(self.model.plan, desired_s=10**6)
            for port, value in self.desired.items():
                self.model.set_desired(DEVICE_ID, port, value, POWER_UP_UTC)
        if row[2]:
            self.net.broker = SimBroker(self.model, self.faults, self.wall)
        self.signs = [0.0]  # when the link showed life
        self.link.watch(lambda: self.signs.append(loop.time()))

    async def half(self):
        """The HTTPS half of the link."""
        polling = await self.link.bring_polling() if hasattr(self.link, "bring_polling") else self.link
        return await polling.load()

    @staticmethod
    def moments(row):
        """Every endpoint that a link of this row asks, at the first request and later."""
        unused: tuple[str, ...] = (
            ("feed-data", "batches") if row[2] else ("mqtt-credentials",) if row[1] == "auto" else ("mqtt",)
        )
        unused += {
            "bootstrap": ("commands", "sensors"),
            "realer": ("bootstrap", "desired-states"),
            "auto": ("desired-states",),
            "realino": (),
        }[row[0]]
        found = [e for e in ENDPOINTS if not e.startswith(unused)]
        if row[0] == "realino":
            found = ["token", "commands", "feed-data", "any"]
        return [(endpoint, skip) for endpoint in found for skip in (0, 2)]

    def spoil(self, kind, moment):
        endpoint, skip = moment
        self.faults.add(f"{endpoint} {kind} skip={skip}")

    def met(self, moment, error):
        endpoint, skip = moment
        return self.model.named("fault") or endpoint == "revoke" or skip

    def desire(self):
        """It wants it all the time."""

    def outcome(self, desired):
        return self.report("command", desired.command_id, "1.0")

    def reported(self, report):
        return self.model.reported(DEVICE_ID, report.id) == report.value

    def refuse(self):
        self.model.set_keys(DEVICE_ID, False, self.wall())

    def forgive(self):
        self.model.set_keys(DEVICE_ID, True, self.wall())

    def farewell(self):
        """Realino takes no token back."""
        return self.model.named("revoked") or self.row[0] == "realino"

    def many_desired(self):
        """A changed catalog and a token that ran out."""
        self.model.put_command(DEVICE_ID, Command(3, "12"))
        self.much_to_tell()

    def much_to_tell(self):
        self.model.expire_tokens(DEVICE_ID, self.wall())

    def calm(self):
        self.model.remove_command(DEVICE_ID, 3)

    def stored_at_once(self):
        """How many reports each request brought that the cloud stored."""
        moments = [event["at"] for event in self.model.named("feed_stored")]
        return [moments.count(at) for at in dict.fromkeys(moments)]


class ThingerBench(Bench):
    """Thinger.io, which has no requests and misbehaves in bytes. `silence_s`: of the configuration."""

    kinds = INVALID_REPLIES
    ids = {"sensor": "room", "command": "pump"}
    desired = {"6": 1.0}
    lease_s = 4 * 86400
    open_s = 45.0
    quick_s = verb_s = REST_S + 1

    def __init__(self, loop, folder, row=THINGER, silence_s=300, poll_s=None, **cloud):
        super().__init__(loop, folder, thinger_config(**cloud) | {"safety": {"silence_s": silence_s}})
        self.cloud = self.contract = self.net.thinger = Thinger(self.wall, seed=1)
        demo_account(self.cloud)
        self.account = self.cloud.devices[THINGER_USER, THINGER_DEVICE]
        self.answers = []

    @property
    def port(self):
        return self.account.port

    @staticmethod
    def moments(row):
        return "login", "later"

    def spoil(self, kind, moment):
        if moment == "login":
            vars(self.cloud)["connection"] = lambda send, close: _Impostor(kind, send, close)
            return
        admits = self.cloud.admits
        vars(self.cloud)["admits"] = lambda port, *login: (
            self.loop.call_later(3, misbehave, kind, port) and admits(port, *login)
        )

    def met(self, moment, error):
        return isinstance(error, LinkError) and not isinstance(error, AuthError)

    def mend(self):
        super().mend()
        for verb in ("connection", "admits"):
            vars(self.cloud).pop(verb, None)

    def desire(self, value=True, resource="pump"):
        """What it is answered, in time."""
        self.answers = answers = []
        self.port.call(lambda *answer: answers.append(answer), "RUN", resource=resource, payload=value)
        return answers

    def outcome(self, desired):
        assert desired.sequence is None
        return self.report("command", desired.command_id, "1.0", None, desired.desired_id, "applied")

    def reported(self, report):
        return [kind for kind, _ in self.answers] == ["OK"]

    def refuse(self):
        self.account.credential = "another-secret-not-real"

    def forgive(self):
        self.account.credential = THINGER_CREDENTIAL

    def farewell(self):
        return self.port is None

    def many_desired(self):
        self.desire()

    def much_to_tell(self):
        """There is one way only."""

    def calm(self):
        """It forgets by itself."""


def misbehave(kind, port):
    """`port`: a DevicePort."""
    if kind == "silent":
        port.silent = True
    elif kind == "gone":
        port.end()
    else:
        port._send(kind)


class _Impostor:
    """In place of a DevicePort, before any login: says `kind` to whatever it hears."""

    def __init__(self, kind, send, close):
        self.kind, self._send, self.end = kind, send, close

    def feed(self, data):
        misbehave(self.kind, self)

    def gone(self):
        pass
