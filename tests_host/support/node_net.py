"""A network in memory for a device on node: sockets as requests and replies, the simulated cloud at their other end.

It has the sockets of one device and the results of their operations, in the protocol of
`tests_host/node/image/socket.py`;
names and time of day for those who ask over UDP; which authority and which name the cloud's certificates have.
"""

from __future__ import annotations

import asyncio
import binascii
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any

from firmware.runtime.clock import Clock
from netio.errors import NetError
from tools.cloud import dns, ntp
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.sim.sim_broker import SimBroker
from tools.sim.sim_net import SimNet, SimPeerStream, SimStream

IN, OUT, ERROR, HUP = 1, 4, 8, 16
CLOUD_IP = "127.0.0.1"
HTTPS, MQTTS, DNS, NTP = 443, 8883, 53, 123
_LATENCY_S = 0.03
_NAMES = {HTTPS: "api.realer.test", MQTTS: "mqtt.realer.test"}
_WRONG_AUTHORITY = "The certificate is not correctly signed by the trusted CA"
_WRONG_NAME = "The certificate Common Name (CN) does not match with the expected CN"


class Net:
    """`authority`: SHA-256 of the certificate that the cloud's chains end at. `dials`: (port, was it refused)."""

    verbs = ("open", "dial", "take", "give", "ready", "shut", "tls")

    def __init__(
        self, model: Model, faults: Faults, wall: Callable[[], float], broker: SimBroker, authority: str
    ) -> None:
        self.broker, self.authority, self.wall = broker, authority, wall
        self.cloud = SimNet(model, faults, clock_of(wall), lambda: 0, [], 0, wall, lambda: True)
        self.cloud.latency_s = _LATENCY_S
        self.dials: list[tuple[int, bool]] = []
        self.news = asyncio.Event()
        self.sockets: dict[str, _Socket] = {}
        self._opened = 0

    def cut(self) -> None:
        """The device is without power."""
        for socket in self.sockets.values():
            socket.close()
        self.sockets.clear()

    async def wait(self, seconds: float) -> None:
        """So long, or until something comes for the device."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.news.wait()
        self.news.clear()  # not before: what came since the last wait has not been seen yet

    def answer(self, verb: str, words: list[str]) -> str:
        """The reply to one request: `=value`, `!E name of an error`, or `!V text`."""
        if verb == "open":
            self._opened += 1
            self.sockets[str(self._opened)] = (_Tcp if words[0] == "tcp" else _Udp)(self)
            return f"={self._opened}"
        socket = self.sockets[words[0]]
        if verb == "shut":
            del self.sockets[words[0]]
        return getattr(socket, f"do_{verb}")(*words[1:])


def clock_of(wall: Callable[[], float]) -> Clock:
    """A clock for the cloud's end: right from the start, and never waited for."""
    clock = Clock(lambda: int(wall() * 1000), asyncio.sleep)
    clock.set_utc(int(wall()))
    return clock


class _Socket:
    """`inbox`: what has come; `error`: what broke it, by name."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.port = 0
        self.error = ""
        self.tasks: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        for task in self.tasks:
            task.cancel()

    def do_shut(self) -> str:
        self.close()
        return "="

    def soon(self, coroutine: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)


class _Udp(_Socket):
    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.datagrams: list[bytes] = []

    def do_dial(self, ip: str, port: str) -> str:
        self.port = int(port)
        return "="

    def do_give(self, data: str) -> str:
        payload = binascii.unhexlify(data[1:])
        reply = None
        if self.port == DNS:
            reply = dns.answer(payload, "", (CLOUD_IP,))
        elif self.port == NTP:
            reply = ntp.answer(payload, self.net.wall())
        if reply:
            self.soon(self._deliver(reply))
        return f"={len(payload)}"

    async def _deliver(self, reply: bytes) -> None:
        await asyncio.sleep(_LATENCY_S)
        self.datagrams.append(reply)
        self.net.news.set()

    def do_take(self, size: str) -> str:
        return f"=.{self.datagrams.pop(0)[: int(size)].hex()}" if self.datagrams else "="

    def do_ready(self) -> str:
        return f"={OUT | (IN if self.datagrams else 0)}"


class _Tcp(_Socket):
    """`stream`: the cloud's side, once it is connected. `proven`: the device has accepted its certificate."""

    def __init__(self, net: Net) -> None:
        super().__init__(net)
        self.stream: SimStream | None = None
        self.inbox = bytearray()
        self.ended = False
        self.proven = False

    def close(self) -> None:
        super().close()
        if self.stream:
            self.stream.close()

    def do_dial(self, ip: str, port: str) -> str:
        self.port = int(port)
        self.soon(self._connect())
        return "="

    async def _connect(self) -> None:
        await asyncio.sleep(_LATENCY_S)
        refused = self.port not in _NAMES or (self.port == MQTTS and not self.net.broker.running)
        self.net.dials.append((self.port, refused))
        if refused:
            self.error = "ECONNREFUSED"
        else:
            self.stream = self._peer()
            self.soon(self._receive(self.stream))
        self.net.news.set()

    def _peer(self) -> SimStream:
        if self.port == MQTTS:
            return SimPeerStream(self.net.cloud, self.net.broker)
        return SimStream(self.net.cloud)

    async def _receive(self, stream: SimStream) -> None:
        piece = memoryview(bytearray(4096))
        with contextlib.suppress(NetError):
            while n := await stream.read_into(piece):
                self.inbox += piece[:n]
                self.net.news.set()
            self.ended = True
            self.net.news.set()
            return
        self.error = "ECONNRESET"
        self.net.news.set()

    def do_tls(self, name: str, *trusted: str) -> str:
        """The handshake: whether the device takes the cloud for what it says it is."""
        if self.error or not self.stream:
            return f"!E {self.error or 'ENOTCONN'}"
        if self.net.authority not in trusted:
            return f"!V {_WRONG_AUTHORITY}"
        if name != _NAMES[self.port]:
            return f"!V {_WRONG_NAME}"
        self.proven = True
        return "="

    def do_give(self, data: str) -> str:
        if self.error or not self.stream:
            return f"!E {self.error or 'ENOTCONN'}"
        payload = binascii.unhexlify(data[1:])
        if not self.proven:  # a server of TLS hangs up on whoever speaks otherwise
            self.error = "ECONNRESET"
        else:
            self.soon(self._send(self.stream, payload))
        return f"={len(payload)}"

    async def _send(self, stream: SimStream, payload: bytes) -> None:
        with contextlib.suppress(NetError):  # whoever reads is told
            await stream.write(payload)

    def do_take(self, size: str) -> str:
        if self.inbox:
            data = bytes(self.inbox[: int(size)])
            del self.inbox[: int(size)]
            return f"=.{data.hex()}"
        if self.error:
            return f"!E {self.error}"
        return "=." if self.ended else "="

    def do_ready(self) -> str:
        if self.error:
            return f"={IN | OUT | ERROR | HUP}"
        if not self.stream:
            return "=0"
        return f"={OUT | (IN if self.inbox or self.ended else 0)}"
