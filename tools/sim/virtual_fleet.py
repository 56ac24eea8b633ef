"""Many devices at one cloud and one broker in virtual time, in one process: the real firmware, function calls for a
network.

The loops of the firmware are slower than on a chip, as in `tools/checks/simulate.py`. Their code is loaded once and
stays, which a chip has no memory for: so all devices share it. What came of them is in `record` and `rate`, see
`tools/cloud/fleet_record.py`.
"""

from __future__ import annotations

import asyncio
import importlib
import pkgutil
import resource
import tempfile
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tools.cloud.entities import Credential
from tools.cloud.faults import Faults
from tools.cloud.fleet_record import PUMP, Rate, Record, fleet_config, fleet_device
from tools.cloud.model import Model, Plan
from tools.cloud.sessions import Message
from tools.sim.loop import VirtualLoop
from tools.sim.sim_broker import Connection, SimBroker
from tools.sim.sim_device import POWER_UP_UTC, SimDevice, demo_config

_EXPIRY_CHECK_S = 5.0
_LINES = 20


class _Crowd(dict[Connection, None]):
    """Connections in the order in which they came, where one of many is found at once."""

    def append(self, connection: Connection) -> None:
        self[connection] = None

    def remove(self, connection: Connection) -> None:
        del self[connection]


class FleetBroker(SimBroker):
    """The broker in memory for thousands of sessions: it finds a session by its client id, which is a part of every
    topic."""

    def __init__(self, model: Model, faults: Faults, now: Callable[[], float]) -> None:
        super().__init__(model, faults, now)
        self.connections = _Crowd()  # type: ignore[assignment]
        self._by_client: dict[str, Connection] = {}

    def opened(self, connection: Connection, credential: Credential) -> None:
        self._by_client[credential.client_id] = connection
        self.model.session_opened(credential.client_id, credential.username, self.now())

    def admits(self, client_id: str, username: str, password: str) -> Credential | None:
        if username in self._passwords:
            return None
        return self.model.admits(client_id, username, password, self.now())

    def _deliver(self, message: Message, facts: dict[str, Any] | None) -> None:
        client_id = message.topic.split("/")[4]
        connection, kept = self._connected(client_id), self._kept.get(client_id)
        subscribed = connection is not None and message.topic in connection.subscriptions
        if connection is not None and subscribed:
            connection.deliver(message)
        keeps = kept is not None and bool(kept.subscriptions.get(message.topic)) and not self._over(kept)
        if kept is not None and keeps:
            kept.waiting.append(message)
        if facts:
            self.model.desired_published(facts, subscribed or keeps, self.now())

    def _of(self, **what: str) -> list[Connection]:
        ((name, value),) = what.items()
        client_id = value if name == "client_id" else value.removeprefix("realer-").rpartition("-cred-")[0]
        found = self._connected(client_id)
        return [found] if found is not None and getattr(found.credential, name) == value else []

    def _connected(self, client_id: str) -> Connection | None:
        found = self._by_client.get(client_id)
        return found if found is not None and found in self.connections else None

    def forget_all(self) -> None:
        """What a restart of a broker without a disk comes to."""
        self._kept.clear()


class Handshakes:
    """A cloud that completes so many handshakes in a second, one after the other; 0: as many as come."""

    def __init__(self, per_s: float, now: Callable[[], float], begun: Callable[[int], None]) -> None:
        self._each_s = 1 / per_s if per_s else 0.0
        self._now, self._begun = now, begun
        self._free_at = 0.0
        self.count = 0

    def take(self) -> float:
        """Another one has come; in how many seconds it is complete."""
        self.count += 1
        self._begun(self.count)
        self._free_at = max(self._free_at, self._now()) + self._each_s
        return self._free_at - self._now()


class SimFleet:
    """`async with SimFleet(loop, 10000) as fleet:` all are there and without power.

    `per_s`: handshakes that the cloud completes in a second, 0 for any number.
    """

    def __init__(
        self,
        loop: VirtualLoop,
        count: int,
        transport: str = "mqtt",
        plan: Plan | None = None,
        per_s: float = 0,
    ) -> None:
        self._loop = loop
        self.model = Model(plan=plan, seed=1)
        self.model.keep_events = 100_000_000
        self.faults = Faults()
        self.record = Record(self.model, self.now)
        self.rate = Rate()
        self.broker = FleetBroker(self.model, self.faults, self.now)
        self._handshakes = Handshakes(per_s, self.now, lambda count: self.rate.count(self.now(), count))
        self.keys = [str(number) for number in range(1, count + 1)]
        self.devices: list[SimDevice] = []
        self._transport = transport
        self._temp = tempfile.TemporaryDirectory(prefix="fleet-")
        self._before_kb = _memory_kb()

    async def __aenter__(self) -> SimFleet:
        self._expiry = asyncio.create_task(self._expire())
        for key in self.keys:
            self.model.add_device(fleet_device(int(key)))
            self.devices.append(self._device(key))
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.power_off()
        self._expiry.cancel()
        # What was cancelled with the devices has not ended yet.
        left = [task for task in asyncio.all_tasks() if task.cancelling()]
        await asyncio.gather(*left, return_exceptions=True)
        self._temp.cleanup()

    def _device(self, key: str) -> SimDevice:
        config = fleet_config(demo_config(transport=self._transport), int(key))
        folder = Path(self._temp.name) / key
        folder.mkdir()
        device = SimDevice(self._loop, folder, config, self.model, int(key), most_tls=1, alone=False)
        device.broker, device.faults = self.broker, self.faults
        device.lines = deque(maxlen=_LINES)  # type: ignore[assignment]
        plant = device.plant
        drive, measure, passed = plant.drive, plant.microvolts, self._loop.time()
        pump = plant.wiring[PUMP]

        def driven(gpio: int, level: int | None) -> None:
            drive(gpio, level)
            if gpio == pump["gpio"]:
                self.record.switched(key, level == pump["active"])

        def measured(gpio: int) -> int:
            nonlocal passed
            now = self._loop.time()
            plant.pass_time((now - passed) * 1000)
            passed = now
            return measure(gpio)

        plant.drive, plant.microvolts = driven, measured  # type: ignore[method-assign]
        return device

    def memory_kb(self) -> dict[str, int]:
        """Of this process, for each device: with its part of the cloud's database and of what is recorded."""
        return {"host_kb_each": (_memory_kb() - self._before_kb) // len(self.keys)}

    async def power_on(self) -> None:
        for device in self.devices:
            device.power_on()
            device.net.admission = self._handshakes.take

    async def power_off(self) -> None:
        await asyncio.gather(*(device.power_off() for device in self.devices if device.boots))

    async def broker_down(self) -> None:
        self.broker.down()
        self.broker.forget_all()

    async def broker_up(self) -> None:
        self.broker.up()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def now(self) -> float:
        return POWER_UP_UTC + self._loop.time()

    async def _expire(self) -> None:
        while True:
            await asyncio.sleep(_EXPIRY_CHECK_S)
            self.model.expire_credentials(self.now())


def _memory_kb() -> int:
    """The most that this process has had in memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def load_all() -> None:
    """Load every module that a device's units load, so that all share them and none is dropped."""
    for package in (
        "firmware.cloud",
        "firmware.core",
        "firmware.links",
        "firmware.runtime",
        "http1",
        "mqtt5",
        "sntp",
    ):
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__, f"{package}."):
            importlib.import_module(module.name)
    importlib.import_module("firmware.persistence_writing")
