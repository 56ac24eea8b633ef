"""Measures how cost grows with what there is to do, and what an hour costs that brings nothing new.

Bytes are counted in virtual time, where the whole firmware talks to the cloud's model: application data, so without TLS
and TCP. Memory and time are those of a virtual board with a real MicroPython and a real broker. `bench` is the command.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import statistics
from collections.abc import Callable, Sequence
from typing import Any

from tools.checks.figures import Line, line, played
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import demo_device
from tools.cloud.entities import Command, Device
from tools.cloud.model import Model
from tools.cloud.site import CERTS
from tools.fixture.system import IMAGES, NotInTimeError, SystemFixture
from tools.sim.sim_device import SimDevice, demo_config
from tools.virtual_board.memory import USUAL_CHAIN

ROWS, WAITING, BACKLOG = (1, 10, 50), (1, 10, 48), (10, 100, 500)
POLL_BYTES = 450
_LINEAR = 1.25
"""How much more than before the cost of one may be; what is beyond 1 is what a busy machine makes of the same."""
_ROUND_TRIP_S = 0.06
_STARTS, _PATIENCE_S = 3, 120
_TLS_RECORD, _TCP_SEGMENT = 29, 40
"""Bytes that TLS 1.2 adds to a piece of data (AES-GCM), and TCP and IP to a segment and to its ACK."""


class Meter:
    """Counts what a device in virtual time sends and receives. `polls`: bytes of each request for commands with its
    answer; `busy_s`: for how long something was on its way or could be answered, with each piece for a round trip."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self.polls: list[int] = []
        self._poll = False
        self.bytes = self.pieces = 0
        self.busy_s = self._until_s = 0.0

    def __call__(self, up: bool, data: bytes) -> None:
        if up:
            self._poll = data.partition(b" HTTP/")[0].endswith(b"/commands")
            if self._poll:
                self.polls.append(0)
        if self._poll:
            self.polls[-1] += len(data)
        self.bytes += len(data)
        self.pieces += 1
        now = self._loop.time()
        self.busy_s += now + _ROUND_TRIP_S - max(now, self._until_s)
        self._until_s = now + _ROUND_TRIP_S


class Curves:
    """`make(**settings)`: a SystemFixture with the settings of the benchmark and these."""

    def __init__(self, quick: bool, make: Callable[..., SystemFixture]) -> None:
        self._starts = 1 if quick else _STARTS
        self._make = make

    async def curves_bytes(self) -> list[Line]:
        """In virtual time: a poll by rows of the catalog, reports by how many wait, an hour without news."""
        return await asyncio.to_thread(_in_virtual_time)

    async def curves_start(self) -> list[Line]:
        """From power-up to online, by rows of the catalog, and over each transport."""
        took: dict[str, list[float]] = {}
        peaks: dict[int, int] = {}
        for _ in range(self._starts):
            for rows in ROWS:
                async with self._make(device=_with_rows(rows)) as fixture:
                    took.setdefault(f"https {rows}", []).append(await fixture.online(60))
                    peaks[rows] = max(peaks.get(rows, 0), fixture.memory()["heap_peak"])
            async with self._make(transport="mqtt") as fixture:
                took.setdefault("mqtt", []).append(await fixture.online(60))
        middle = {name: round(statistics.median(values)) for name, values in took.items()}
        times = [middle[f"https {rows}"] for rows in ROWS]
        return [
            curve("power-up to online over HTTPS, by rows of the catalog", "ms", ROWS, times),
            curve("most heap in use until then", "bytes", ROWS, [peaks[rows] for rows in ROWS]),
            {"figure": "cost: power-up to online over MQTT (ms)", "value": middle["mqtt"], "ok": True},
        ]

    async def curves_backlog(self) -> list[Line]:
        """Over MQTT: desired states that come at once, until the last is reported."""
        lines = []
        for image in IMAGES:
            took, peaks, starts = [], [], 0
            for count in BACKLOG:
                async with self._make(transport="mqtt", image=image, third_area=True) as fixture:
                    await fixture.online(60)
                    took.append(await _backlog(fixture, count))
                    peaks.append(fixture.memory()["heap_peak"])
                    starts = max(starts, fixture.board.boots)
            what = f"desired states at once over MQTT, {image} image"
            lines.append(curve(f"{what}, until the last is reported", "ms", BACKLOG, took))
            lines.append(curve(f"{what}, most heap in use", "bytes", BACKLOG, peaks))
            lines.append(line(f"cost: starts of the board, {what}", starts, 1))
        return lines


def curve(what: str, unit: str, at: Sequence[int], values: Sequence[float], steps: bool = False) -> Line:
    """The line of a curve. Its value: how much more one costs at a point than at the one before, at the worst point; 1:
    the cost is linear, less: part of it does not grow. `steps`: the cost is the same for several, so they are compared
    with the first point."""
    ones = [value / count for value, count in zip(values, at, strict=True)]
    before = [ones[0]] * len(at) if steps else ones
    worst = max(one / earlier for earlier, one in zip(before, ones[1:], strict=False))
    return line(f"cost grows: {what} ({unit})", round(worst, 2), _LINEAR, at=list(at), costs=list(values))


async def _backlog(fixture: SystemFixture, count: int) -> int:
    """Milliseconds until the last of so many desired states is reported, or as long as that was waited for."""
    broker, there = fixture.site.broker, lambda: fixture.reported("9") == "30.0"
    assert broker
    broker.freeze()
    for number in range(count):
        fixture.want("9", 10 + number % 7 / 2)
    fixture.want("9", 30)
    broker.thaw()
    try:
        return round(await fixture.until("the last is reported", there, _PATIENCE_S))
    except NotInTimeError:
        return _PATIENCE_S * 1000


def _with_rows(rows: int) -> Device:
    """The demo's device with so many commands, most of which its configuration does not know."""
    device = demo_device()
    device.commands = (device.commands + [Command(100 + i, str(100 + i)) for i in range(rows)])[:rows]
    return device


def _in_virtual_time() -> list[Line]:
    what, same = "a poll in which nothing changed", [_of_polls(rows) for rows in ROWS]
    without = [_of_polls(rows, False) for rows in ROWS]
    lines = [
        line(f"cost: {what} (bytes)", _of_polls(2), POLL_BYTES),
        curve(f"{what}, by rows of the catalog", "bytes", ROWS, same),
        curve(f"{what}, of a cloud that has no ETag", "bytes", ROWS, without),
    ]
    for transport in ("https", "mqtt"):
        sizes, times = zip(*(_of_reports(transport, count) for count in WAITING), strict=True)
        lines.append(curve(f"reports that wait, over {transport}", "bytes", WAITING, sizes))
        lines.append(
            curve(f"reports that wait, over {transport}, until acknowledged", "s", WAITING, times, True)
        )
    return [*lines, *(_of_an_hour(transport) for transport in ("https", "mqtt"))]


def _of_polls(rows: int, etags: bool = True) -> int:
    """Bytes of the cheapest poll of a catalog that does not change. `etags`: whether the cloud offers them."""

    async def story(device: SimDevice, meter: Meter) -> int:
        meter.polls.clear()
        await asyncio.sleep(300)
        return min(meter.polls)

    return _played("https", _with_rows(rows), story, etags)


def _of_reports(transport: str, count: int) -> tuple[int, float]:
    """(bytes, seconds) until so many reports are acknowledged, beyond what is exchanged anyway."""

    async def story(device: SimDevice, meter: Meter) -> tuple[int, float]:
        outbox = device.app.controller.outbox
        await device.until(lambda: not len(outbox), 60)
        before = meter.bytes
        for number in range(count):
            outbox.post("sensor", 1, float(number))
        took = await device.until(lambda: not len(outbox), 600)
        return meter.bytes - before, round(took, 1)

    return _played(transport, demo_device(), story)


def _of_an_hour(transport: str) -> Line:
    """What an hour costs in which nobody wants anything; sensors report what the room does."""

    async def story(device: SimDevice, meter: Meter) -> Line:
        before, pieces, busy_s, dials = meter.bytes, meter.pieces, meter.busy_s, device.net.dials
        await asyncio.sleep(3600)
        dials = device.net.dials - dials
        found = meter.bytes - before
        wire = found + (meter.pieces - pieces) * (_TLS_RECORD + 2 * _TCP_SEGMENT) + dials * _handshake()
        return {
            "figure": f"cost: an hour over {transport}, application data (bytes)", "value": found, "ok": True,
            "on_the_wire": wire, "radio_s": round(meter.busy_s - busy_s), "dials": dials,
        }  # fmt: skip

    return _played(transport, demo_device(), story)


def _handshake() -> int:
    """Bytes of a handshake of TLS 1.2 with the usual chain, both ways."""
    certs, sent = TestCA(CERTS, USUAL_CHAIN), 0
    client = certs.client()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    device = client.wrap_bio(down, up, server_hostname="localhost")
    server = certs.leaf().wrap_bio(up, down, server_side=True)
    for side in (device, server) * 4:
        before = up.pending, down.pending
        with contextlib.suppress(ssl.SSLWantReadError):
            side.do_handshake()
        sent += max(up.pending - before[0], 0) + max(down.pending - before[1], 0)
    return sent


def _played(
    transport: str, device: Device, story: Callable[[SimDevice, Meter], Any], etags: bool = True
) -> Any:
    """The result of a story of a device that is online."""
    model = Model()
    model.served.etags = etags
    model.add_device(device)

    async def metered(device: SimDevice) -> Any:
        device.net.latency_s = _ROUND_TRIP_S
        device.net.on_bytes = meter = Meter(asyncio.get_running_loop())
        await asyncio.sleep(30)
        return await story(device, meter)

    return played(demo_config(transport=transport), metered, model)
