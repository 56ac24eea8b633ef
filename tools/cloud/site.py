"""What is around a device, simulated: cloud over HTTPS, DNS, SNTP, the owner's side, a real MQTT broker, Thinger.io.

This is the composition, with the connection file by which `realer cloud` finds a running one. It offers addresses and
does not know the device.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.cloud.admin import Admin
from tools.cloud.admin_client import CONNECTION_FILE
from tools.cloud.broker import Broker
from tools.cloud.certs import TestCA
from tools.cloud.demo_device import demo_account
from tools.cloud.dns import DnsServer
from tools.cloud.faults import Faults
from tools.cloud.messages import Passed
from tools.cloud.model import Model, Plan
from tools.cloud.ntp import NtpServer
from tools.cloud.server import CloudServer
from tools.cloud.thinger_model import Thinger
from tools.cloud.thinger_server import ThingerServer

USUAL = "rsa2048"
"""The chain that most public servers present."""
CERTS = CONNECTION_FILE.parents[1] / "certs"


class Site:
    """`async with Site(...) as site:` then use `.model .faults .server .dns .ntp .certs .broker .thinger`.

    `mqtt`: run mosquitto too; without it `broker` is None and the cloud offers no MQTT. `thinger`: simulate Thinger.io
    as well, with the demo's account and device; without it `thinger` is None.
    `make_broker`: makes another one than that of mosquitto.
    `chain`: what all of its servers present, one of `chains.CHAINS`.
    `connection_file` None writes none. Ports are 0 (any free one) unless given; all listen on 127.0.0.1 only.
    `clock` gives unix seconds to the model and to SNTP. `observers` are called with each message of a device and each
    to one.
    """

    def __init__(
        self, port: int = 0, certs: Path | str = CERTS, plan: Plan | None = None,
        connection_file: Path | None = CONNECTION_FILE, clock: Callable[[], float] = time.time,
        mqtt: bool = False, thinger: bool = False, chain: str = USUAL,
        make_broker: Callable[[Model, Faults, TestCA, Callable[[], float]], Broker] = Broker,
    ) -> None:  # fmt: skip
        self.model, self.faults, self.certs = Model(plan), Faults(), TestCA(certs, chain)
        self.server = CloudServer(self.model, self.faults, self.certs, port=port, clock=clock)
        self.dns, self.ntp = DnsServer(), NtpServer(clock=clock)
        self.broker = make_broker(self.model, self.faults, self.certs, clock) if mqtt else None
        if self.broker:
            self.server.before_answer = self.broker.synchronized
        self.thinger = ThingerServer(Thinger(clock), self.certs) if thinger else None
        if self.thinger:
            demo_account(self.thinger.model)
        self.admin = Admin(self.model, self.faults, self.server, self.dns, self.ntp, self.broker, clock)
        self.observers: list[Callable[[Passed], None]] = []
        for rim in (self.server, self.broker):
            if rim:
                rim.on_passed = self._passed
        self._connection_file = connection_file

    async def __aenter__(self) -> Site:
        started = []
        try:
            for part in self._parts():
                started.append(part)
                await part.start()
        except BaseException:
            for part in reversed(started):
                await part.stop()
            raise
        if self._connection_file:
            write_private(self._connection_file, json.dumps(self.addresses()))
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._connection_file and _written_by(self._connection_file) == os.getpid():
            self._connection_file.unlink()
        for part in reversed(self._parts()):
            await part.stop()

    async def change_authority(self, certs: TestCA) -> None:
        """Present certificates of another authority from the next handshake on. What trusts only the root of before
        refuses them, if that has another key: those of RSA are reused (see chains.key)."""
        self.certs = certs
        self.server.use(certs)
        if self.broker:
            await self.broker.use(certs)

    def _passed(self, passed: Passed) -> None:
        for observer in self.observers:
            observer(passed)

    def _parts(self) -> list[Any]:
        parts = (self.broker, self.thinger, self.server, self.dns, self.ntp, self.admin)
        return [part for part in parts if part]

    def addresses(self) -> dict[str, Any]:
        """What a device or a command line needs to reach this site. Ports are on 127.0.0.1."""
        return {
            "pid": os.getpid(),
            "base_url": self.server.base_url,
            "ca_der": str(self.certs.der.resolve()),
            "dns_port": self.dns.port,
            "ntp_port": self.ntp.port,
            "mqtt_port": self.broker.port if self.broker else None,
            "thinger_port": self.thinger.port if self.thinger else None,
            "thinger_url": self.thinger.rest_url if self.thinger else None,
            "admin_port": self.admin.port,
            "admin_key": self.admin.key,
        }


def write_private(path: Path, text: str) -> None:
    """Replace a file at once; only its owner may read it. Where that fails, nothing is left of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        new.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            new.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from None


def _written_by(path: Path) -> int | None:
    """Process id of the site that wrote the file last: a second one may have replaced ours."""
    return json.loads(path.read_text())["pid"] if path.exists() else None
