"""The owner's access to a running cloud: a plain HTTP endpoint on loopback, for `realer cloud` and the demo.

A call is POST / with {"verb": ..., arguments}; the response is {"result": ...} or {"error": text}. A caller needs the
key of the connection file, which only this user can read.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable
from typing import Any

from aiohttp import web

from tools.cloud import dns, ntp
from tools.cloud.broker import Broker
from tools.cloud.dns import DnsServer
from tools.cloud.faults import Faults
from tools.cloud.model import Model
from tools.cloud.ntp import NtpServer
from tools.cloud.server import CloudServer


class Admin:
    """Verbs are the methods whose names begin with `do_`; their parameters are the arguments of the call."""

    def __init__(
        self, model: Model, faults: Faults, server: CloudServer, dns: DnsServer, ntp: NtpServer,
        broker: Broker | None, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self.model, self.faults = model, faults
        self.server, self.dns, self.ntp, self.broker = server, dns, ntp, broker
        self.key = secrets.token_hex(16)
        self.port = 0
        self._clock = clock
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        runner = web.ServerRunner(web.Server(self._serve, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.port = runner.addresses[0][1]
        self._runner = runner

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        if not hmac.compare_digest(request.headers.get("Authorization", ""), f"Bearer {self.key}"):
            return web.json_response({"error": "this is not your cloud"}, status=403)
        try:
            call = await request.json()
            verb = getattr(self, "do_" + call.pop("verb").replace("-", "_"), None)
            if verb is None:
                raise KeyError("the cloud has no such verb")
            result = verb(**call)
            return web.json_response({"result": await result if asyncio.iscoroutine(result) else result})
        except KeyError as error:
            return web.json_response({"error": str(error.args[0])}, status=400)
        except (ValueError, TypeError) as error:
            return web.json_response({"error": str(error)}, status=400)

    def _device(self, device: str | None) -> str:
        """The device meant: the one named, else the first."""
        if device is None and not self.model.devices:
            raise KeyError("this cloud has no device yet")
        return str(device) if device is not None else next(iter(self.model.devices))

    # desired and reported

    def do_set(self, port: str, value: str, device: str | None = None, raw: bool = False) -> str:
        words = {"on": "1.0", "off": "0.0"}
        return self.model.set_desired(self._device(device), port, words.get(value, value), self._clock(), raw)

    def do_show(self) -> list[dict[str, Any]]:
        return self.model.show(self._clock())

    def do_feed(self, last: int = 20, device: str | None = None) -> list[dict[str, Any]]:
        return self.model.feed(self._device(device), last)

    def do_events(self, since: int = 0) -> list[dict[str, Any]]:
        """Events with a number above `since`."""
        return [event for event in self.model.events if event["n"] > since]

    def do_violations(self) -> list[dict[str, Any]]:
        return self.model.violations

    def do_counters(self) -> dict[str, int]:
        server = self.server
        return {"hellos": server.hellos, "handshakes": server.handshakes, "requests": server.requests}

    # access

    def do_expire_token(self, device: str | None = None) -> int:
        return self.model.expire_tokens(self._device(device), self._clock())

    def do_revoke(self, device: str | None = None) -> int:
        return self.model.revoke_tokens(self._device(device), self._clock())

    def do_subscription(self, on: bool, device: str | None = None) -> None:
        self.model.set_subscription(self._device(device), on, self._clock())

    def do_keys(self, on: bool, device: str | None = None) -> None:
        self.model.set_keys(self._device(device), on, self._clock())

    def do_kick(self, device: str | None = None) -> int:
        return self.model.kick(self._device(device))

    # catalog

    def do_apply_local(self, port: str, on: bool, device: str | None = None) -> None:
        self.model.set_apply_local(self._device(device), port, on)

    # misbehaviour

    def do_fault(self, text: str) -> str:
        return str(self.faults.add(text))

    def do_faults(self, clear: bool = False) -> list[str]:
        if clear:
            self.faults.clear()
        return [str(rule) for rule in self.faults.rules]

    async def do_cert(self, kind: str) -> None:
        """From the next handshake on; connections that are open are cut, so that it comes soon."""
        self.server.present(kind)
        self.server.cut()
        if self.broker:
            await self.broker.present(kind)

    async def do_listener(self, on: bool) -> None:
        await (self.server.up() if on else self.server.down())

    async def do_broker(self, mode: str) -> None:
        if self.broker is None:
            raise KeyError("this cloud runs no broker")
        await self.broker.mode(mode)

    def do_dns(self, mode: str = "") -> None:
        self.dns.mode = _one_of(mode, dns.MODES)

    def do_ntp(self, mode: str = "", offset_s: float = 0.0) -> None:
        self.ntp.mode, self.ntp.offset_s = _one_of(mode, ntp.MODES), offset_s


def _one_of(value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f"{value!r} is not one of {', '.join(repr(mode) for mode in allowed)}")
    return value
