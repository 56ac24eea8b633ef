"""The network seam of the firmware connected to the cloud model by function calls: real bytes, no sockets.

It has connections, names, time service and their faults. The cloud's own misbehaviour is `tools/cloud/faults.py`, the
same as behind the HTTPS server.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any

from dnsstub.resolver import Resolver
from firmware.core.timing import Timer
from firmware.links.explaining import explain
from firmware.links.time_query import keep
from firmware.links.udp_query import noting
from firmware.runtime.clock import Clock
from firmware.runtime.ladder import Ladder
from netio.errors import NetError
from netio.stream import net_error
from tools.cloud import dns, ntp
from tools.cloud.demo_device import THINGER_HOST
from tools.cloud.faults import Faults
from tools.cloud.messages import Request
from tools.cloud.model import Model
from tools.cloud.thinger_model import Thinger
from tools.cloud.wire import Wire
from tools.sim.sim_broker import SimBroker

CLOUD_IP = "127.0.0.1"
GATEWAY = "192.0.2.1"
LACKS = (
    OSError(12),
    OSError(-0x7F00, "MBEDTLS_ERR_SSL_ALLOC_FAILED"),
    OSError(-0x2880, "MBEDTLS_ERR_X509_ALLOC_FAILED"),
)
"""How memory that is short outside the Python heap shows: to a socket, to TLS, to a certificate."""
_EXPIRED = ValueError("The certificate validity has expired\n")
_FUTURE = ValueError("The certificate validity starts in the future\n")
_CERTIFIED_S = 400 * 86400
BROKER_HOST = "mqtt.realer.test"


class _LadderUnit:
    """The unit of the ladder. `loads`: how often it was loaded; `full`: there is no memory for it."""

    def __init__(self) -> None:
        self.loads, self.full = 0, False

    def load(self) -> tuple[type, Callable[..., Any]]:
        if self.full:
            raise MemoryError
        self.loads += 1
        return Ladder, lambda radio, board: radio

    def drop(self) -> None:
        pass


class SimNet:
    """Seen from the device: see firmware.links.net. Seen from a test: the switches below.

    `most_tls`: how many connections the device has memory for. One more fails as on a chip, and is a violation: a
    device has to know how many fit.

    `away`: the cloud itself is out of reach, and everybody else answers. `stuck`: a read ends neither with data nor at
    its deadline, as if the network stack hung. `lacks`: one of LACKS, which every connection
    ends in. `liars`: {time server: seconds by which its clock is off}. `checks_dates`: certificates are valid for 400
    days around the present, checked against the device's clock; `expired`: the cloud's is over.

    `admission()`: called when a connection is about to be made; how many seconds the cloud takes for that, beside
    `latency_s`. `broker`, `thinger`: who answer to their host names, once a story sets them. `wall()`: true unix
    seconds. `linked()`: whether the device has a network at all.
    """

    def __init__(
        self,
        model: Model,
        faults: Faults,
        clock: Clock,
        rng: Callable[[], int],
        servers: Sequence[str],
        floor_s: int,
        wall: Callable[[], float],
        linked: Callable[[], bool],
    ) -> None:
        self.model, self.faults = model, faults
        self.dns_mode = self.ntp_mode = ""
        self.ntp_offset_s = 0.0
        self.away, self.stuck, self.checks_dates, self.expired = False, False, False, False
        self.lacks: OSError | None = None
        self.liars: dict[str, float] = {}
        self.gateway_answers = True
        self.refuse: NetError | None = None  # what every dial meets
        self.silent = False  # packets vanish: nothing answers, nothing refuses
        self.latency_s = 0.03
        self.admission: Callable[[], float] = lambda: 0.0
        self.loss = 0.0  # share of packets that get lost
        self.cut_after: int | None = (
            None  # so many bytes to the device from now, then its connection is reset
        )
        self.on_bytes: Callable[[bool, bytes], None] = lambda up, data: None  # what the device sends or gets
        self.dials = 0
        self.on_dial: Callable[[str], object] = lambda host: None
        self.streams: list[SimStream] = []
        self.broker: SimBroker | None = None
        self.thinger: Thinger | None = None
        self.wall: Callable[[], float] = wall
        self._linked: Callable[[], bool] = linked
        self.clock, self.rng = clock, rng
        self.floor_s = self.build_s = floor_s
        self.doubt = Timer(clock.ms(), 86400000)
        self.servers = list(servers)
        self.asked: list[str] = []  # time servers, in order
        self.names: dict[str, Any] = {}
        self.turn = 0
        self.name_servers = lambda: [GATEWAY]
        self.unanswered = self.memory_failures = self.new_memory_failure = 0
        self.known = self.dates_failed = self.distrusted = False
        self.ends = ()
        self.free: int | None = None
        self.prepared: tuple[str, SimStream] | None = None
        self.ladder_unit = _LadderUnit()
        self._resolver = Resolver(clock, self.name_servers, rng, noting(self, self._udp), self.names)
        self.most_tls = 2
        self.free_heap, self.heap_looks = 1 << 20, 0
        self.asking_time = self.changing_transport = False

    def travel_s(self) -> float:
        """How long the next bytes are on their way: what gets lost is sent again after ever longer waits."""
        took, again = self.latency_s, 0.2
        while self.loss and (self.rng() & 0xFFFF) < self.loss * 0x10000:
            took += again
            again *= 2
        return took

    async def dial(self, host: str, port: int, tls: bool = True) -> SimStream:
        prepared, self.prepared = self.prepared, None
        if prepared and prepared[0] == host:
            return prepared[1]
        if prepared:
            prepared[1].close()
        self.on_dial(host)
        try:
            stream = await self._dial(host, tls)
        except BaseException:
            self._resolver.forget(host)
            raise
        self.answered()
        return stream

    async def _dial(self, host: str, tls: bool) -> SimStream:
        if self.lacks and self.lacks.args[0] > 0:
            raise net_error(self.lacks)
        await self._resolver.resolve(host)
        await asyncio.sleep(self.travel_s())
        if not self.carries() or (self.away if host != GATEWAY else not self.gateway_answers):
            await asyncio.Event().wait()
        if host == GATEWAY:
            raise NetError("connect", "ECONNREFUSED")
        if self.refuse:
            raise self.refuse
        peer = {BROKER_HOST: self.broker, THINGER_HOST: self.thinger}.get(host)
        if peer and not peer.running:
            raise NetError("connect", "ECONNREFUSED")
        if len([stream for stream in self.streams if stream.open]) >= self.most_tls:
            reason = f"{self.most_tls + 1} TLS connections at a time"
            self.model.violation(self.wall(), Request("DIAL", host), reason)
            raise NetError("connect", "ENOMEM")
        self.dials += 1
        await asyncio.sleep(self.admission())
        stream = SimPeerStream(self, peer) if peer else SimStream(self)
        self.streams.append(stream)
        return stream

    async def prepare(self, host: str, port: int) -> None:
        self.forget_prepared()
        self.prepared = host, await self.dial(host, port)

    def forget_prepared(self) -> None:
        prepared, self.prepared = self.prepared, None
        if prepared:
            prepared[1].close()

    def explain(self, error: NetError) -> str:
        return explain(self, error)

    def answered(self) -> None:
        self.unanswered, self.known = 0, True

    def two_fit(self, open_now: int = 0) -> bool:
        return self.most_tls > 1

    def heap_free(self) -> int:
        self.heap_looks += 1
        return self.free_heap

    async def keep_time(self, network: Any, gateway: str | None = None) -> None:
        self.asking_time = True
        try:
            await keep(self, network, gateway, self._udp)
        finally:
            self.asking_time = False

    def unit(self, importing: object) -> _LadderUnit:
        """NetworkLoop's."""
        return self.ladder_unit

    async def _udp(
        self, ip: str, port: int, payload: bytes, clock: Clock, timeout_ms: int, size: int = 512
    ) -> bytes:
        reply = None
        if self.lacks and self.lacks.args[0] > 0:
            raise net_error(self.lacks)
        if self.carries() and self.travel_s() == self.latency_s:
            if port == 53:
                reply = dns.answer(payload, self.dns_mode, (CLOUD_IP,))
            else:
                server = self.servers[-1]  # which has just had its turn
                self.asked.append(server)
                off_s = self.liars.get(server, self.ntp_offset_s)
                reply = ntp.answer(payload, self.wall(), self.ntp_mode, off_s)
        await asyncio.sleep(self.latency_s if reply else timeout_ms / 1000)
        if reply is None:
            raise NetError("timeout", "no answer")
        return reply[:size]

    def carries(self) -> bool:
        """Whether packets arrive at all."""
        return self._linked() and not self.silent

    def trusts(self) -> None:
        """What a handshake makes of memory and dates. NetError."""
        if self.lacks:
            raise net_error(self.lacks)
        if self.expired:
            raise net_error(_EXPIRED)
        off_s = (self.clock.utc() or 0) - self.wall()
        if self.checks_dates and abs(off_s) > _CERTIFIED_S:
            raise net_error(_EXPIRED if off_s > 0 else _FUTURE)

    def cut(self) -> None:
        """Reset every open connection."""
        for stream in self.streams:
            stream.reset()
        self.streams = []


class SimStream:
    """One connection: the device's Stream on this side, a cloud that answers on the other."""

    def __init__(self, net: SimNet) -> None:
        self._net = net
        self._wire = Wire(net.model, net.faults)
        self._to_peer = b""
        self._to_device = bytearray()
        self._arrived = asyncio.Event()
        self._eof = self._dead = self.closed = False
        self._shaken = False
        self._serving: set[asyncio.Task[None]] = set()

    @property
    def open(self) -> bool:
        return not self.closed and not self._dead

    async def write(self, data: bytes) -> None:
        if self._dead or self.closed:
            raise NetError("closed", "ECONNRESET")
        if not self._shaken:
            self._net.trusts()
            self._shaken = True
        await asyncio.sleep(0)
        self._to_peer += data
        self._net.on_bytes(True, bytes(data))
        task = asyncio.create_task(self._serve())
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def read_into(self, view: memoryview) -> int:
        while self._net.stuck:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        while not self._to_device:
            if self._dead:
                raise NetError("closed", "ECONNRESET")
            if self._eof:
                return 0
            self._arrived.clear()
            await self._arrived.wait()
        n = min(len(view), len(self._to_device))
        view[:n] = self._to_device[:n]
        del self._to_device[:n]
        return n

    def close(self) -> None:
        self.closed = True
        for task in self._serving:
            task.cancel()

    def reset(self) -> None:
        self._dead = True
        self._arrived.set()
        for task in self._serving:
            task.cancel()

    async def _serve(self) -> None:
        await asyncio.sleep(self._net.travel_s())
        if not self._net.carries():
            await asyncio.Event().wait()
        data, self._to_peer = self._to_peer, b""  # what was sent later cannot come earlier
        for step in self._wire.feed(data, self._net.wall()):
            if step[0] == "send":
                self._give(step[1])
            elif step[0] == "wait":
                await asyncio.sleep(step[1])
            elif step[0] == "repeat":
                while not self.closed:
                    self._give(step[1])
                    await asyncio.sleep(0.01)
            elif step[0] == "hang":
                await asyncio.Event().wait()
            else:
                self._eof = True
                self._arrived.set()

    def _give(self, data: bytes) -> None:
        left = self._net.cut_after
        if left is not None:
            data = data[:left]
            self._net.cut_after = left - len(data) or None
        self._to_device += data
        self._net.on_bytes(False, data)
        self._arrived.set()
        if left and self._net.cut_after is None:
            self.reset()


class SimPeerStream(SimStream):
    """The same to somebody who also speaks without being asked."""

    def __init__(self, net: SimNet, peer: SimBroker | Thinger) -> None:
        super().__init__(net)
        self._late = b""
        self._flushing: asyncio.Task[None] | None = None
        self._peer = peer.connection(self._pass, self._hang_up)

    def close(self) -> None:
        if not self.closed:
            super().close()
            self._peer.gone()

    def reset(self) -> None:
        super().reset()
        self._peer.gone()

    async def _serve(self) -> None:
        await asyncio.sleep(self._net.travel_s())
        await self._until_carried()
        data, self._to_peer = self._to_peer, b""
        self._peer.feed(data)

    def _pass(self, data: bytes) -> None:
        """What the network does not carry now comes later, as TCP sees to it."""
        self._late += data
        if self._net.carries():
            self._flush()
        elif not self._flushing:
            self._flushing = asyncio.create_task(self._flush_later())
            self._serving.add(self._flushing)

    async def _flush_later(self) -> None:
        await self._until_carried()
        self._flushing = None
        self._flush()

    def _flush(self) -> None:
        data, self._late = self._late, b""
        self._give(data)

    async def _until_carried(self) -> None:
        while not self._net.carries():  # noqa: ASYNC110 - switches and radio tell nobody when they change
            await asyncio.sleep(0.25)

    def _hang_up(self) -> None:
        self._eof = True
        self._arrived.set()
